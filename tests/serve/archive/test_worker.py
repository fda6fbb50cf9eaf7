"""A worker's rows are serve/infer.py's answers."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serve.artifacts import INT8_NAME, MODELS, sha256
from serve.command import UserError

pa = pytest.importorskip("pyarrow", reason="needs the extra archive")
pq = pytest.importorskip("pyarrow.parquet")

from serve.archive.listing import Shard, shards  # noqa: E402
from serve.archive.parts import PARTITION  # noqa: E402
from serve.archive.worker import Job, Worker  # noqa: E402

NOTHING = np.zeros(0, np.uint64)
SHARES = ("glioma", "meningioma", "notumor", "pituitary")


def job_of(output: Path, maps: bool = False) -> Job:
    model = MODELS / INT8_NAME
    return Job(str(model), sha256(model), "cpu", 8, maps, str(output))


def answered(words: list[str], output: Path, maps: bool = False) -> tuple[list[dict], Counter[str]]:
    """The rows, and what was passed over."""
    job = job_of(output, maps)
    job.parts.begin()
    worker = Worker(job, threads=2)
    skipped: Counter[str] = Counter()
    for shard in shards(words, NOTHING):
        skipped.update(json.loads(worker({"shard": shard.to_json()})["skipped"]))
    return pq.read_table(output).to_pylist(), skipped


@pytest.fixture(scope="module")
def rows(archive, tmp_path_factory) -> list[dict[str, Any]]:
    found, skipped = answered([str(archive)], tmp_path_factory.mktemp("output"), maps=True)
    assert skipped == {"no picture": 1}
    return found


def test_the_rows_are_the_command_lines_answers(archive, rows, cli):
    _, lines, _ = cli("--json", archive, "--device", "cpu", "--model", "int8")
    expected = [json.loads(line) for line in lines]
    series = {one["series"]["name"]: one["series"] for one in expected if "series" in one}
    slices = [(one, None) for one in expected if "label" in one]
    slices += [(part, name) for name, one in series.items() for part in one["slices"]]
    found = {(row["path"], row["series"]): row for row in rows if row["row"] == "slice"}
    assert len(found) == len(slices) == 4 + 3 + 2
    for one, name in slices:
        row = found[one["path"], name]
        assert row["label"] == one["label"]
        assert row["ood_score"] == pytest.approx(one["ood_score"], abs=1e-4)
        if one["probabilities"]:
            shares = [one["probabilities"][label] for label in SHARES]
            assert [row[label] for label in SHARES] == pytest.approx(shares, abs=1e-4)
    whole = {row["path"]: row for row in rows if row["row"] == "series"}
    assert whole.keys() == series.keys()
    for name, one in series.items():
        row = whole[name]
        assert (row["kind"], row["slices"]) == (one["kind"], len(one["slices"]))
        assert dict(row["classes"]) == one["classes"]
        assert row["tumour"] == pytest.approx(one["tumour"], abs=1e-4)
        assert row["run"] == (one["run"] and list(one["run"]))
    errors = {(row["path"], row["error"]) for row in rows if row["row"] == "error"}
    assert errors == {(one["path"], one["error"]) for one in expected if "error" in one}
    assert len(errors) == 1


def test_maps_are_the_models(rows, archive):
    from serve import BrainTumorClassifier

    picture = next(row for row in rows if row["row"] == "slice" and row["series"] is None)
    explained = BrainTumorClassifier("int8", "cpu").explain(picture["path"]).maps
    found = np.array(picture["cam"], np.float32).reshape(4, 14, 14)
    np.testing.assert_allclose(found, np.stack(list(explained.values())), atol=1e-3)


def test_what_is_answered_is_known_afterwards_whatever_its_name(scans, tmp_path):
    odd = tmp_path / "in" / "f\udce4lle.jpg"
    odd.parent.mkdir()
    odd.write_bytes(scans[0].read_bytes())
    (row,), _ = answered([str(odd.parent)], tmp_path / "out")
    assert row["path"].endswith("f\\udce4lle.jpg")
    done = job_of(tmp_path / "out").parts.done()
    assert list(shards([str(odd.parent)], done)) == []


def test_a_shard_answered_twice_is_there_once(scans, tmp_path):
    job = job_of(tmp_path)
    job.parts.begin()
    worker = Worker(job, threads=2)
    row = {"shard": Shard([str(scans[0])]).to_json()}
    assert worker(row) == worker(row)
    assert pq.read_table(tmp_path).num_rows == 1


@pytest.mark.parametrize("nested", [True, False])
def test_parquet_of_bytes(scans, tmp_path, nested):
    content = [scans[0].read_bytes(), b"none", None]
    names = ["first.jpg", None, "third.jpg"]
    columns = {"bytes": content, "path": names}
    if nested:  # as Hugging Face's datasets have them
        pairs = zip(content, names, strict=True)
        columns = {"image": [{"bytes": b, "path": p} for b, p in pairs], "label": [1, 2, 3]}
    path = str(tmp_path / "pictures.parquet")
    pq.write_table(pa.table(columns), path)
    rows, _ = answered([path], tmp_path / "out")
    found = {row["path"]: row for row in rows}
    assert found["first.jpg"]["label"] == "glioma"
    assert found[f"{path}#0:1"]["row"] == "error"
    assert found["third.jpg"]["error"] == "the row holds no bytes"


def test_an_object_store_gives_the_same_answers(scans, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "scan.jpg").write_bytes(scans[0].read_bytes())
    (local,), _ = answered([str(tmp_path / "in")], tmp_path / "1")
    (remote,), _ = answered([f"file://{tmp_path}/in"], tmp_path / "2")
    assert remote["path"] == f"file://{local['path']}"
    assert remote["glioma"] == pytest.approx(local["glioma"], abs=1e-6)


def test_a_list_may_name_what_cannot_be_reached(scans, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text(f"nowhere://bucket/1.jpg\n{scans[0]}\n", encoding="utf-8")
    found, _ = answered([f"@{names}"], tmp_path / "out")
    assert {row["path"]: row["row"] for row in found} == {
        "nowhere://bucket/1.jpg": "error",
        str(scans[0]): "slice",
    }
    assert any("nowhere" in (row["error"] or "") for row in found)


def test_another_model_on_a_machine_is_said(tmp_path):
    job = Job(str(MODELS / INT8_NAME), "0" * 64, "cpu", 8, False, str(tmp_path))
    with pytest.raises(UserError, match="not the same file on every machine"):
        Worker(job, threads=1)


def test_other_files_in_the_output_are_said(tmp_path):
    job = job_of(tmp_path)
    job.parts.begin()
    pq.write_table(pa.table({"a": [1]}), tmp_path / f"{PARTITION}={job.sha256}" / "a.parquet")
    with pytest.raises(UserError, match="not written by this command"):
        job.parts.done()
