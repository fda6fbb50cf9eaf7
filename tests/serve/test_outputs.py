"""Tables and JSON Lines: whole or not at all, resumed, and harmless to spreadsheets."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from serve.artifacts import INT8_NAME, MODELS
from serve.outputs import harmless
from serve.whole_file import part_of
from tests.conftest import label_of

LABELS = ["glioma", "meningioma", "notumor", "pituitary"]


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def without_times(text: str) -> list[list[str]]:
    return [row[:-2] + row[-1:] for row in csv.reader(text.splitlines())]


def test_cells_that_a_spreadsheet_would_run_are_harmless():
    for cell in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "'"):
        assert harmless(cell) == f"'{cell}"
    for cell in ("scan.jpg", "", "a=b", "1-2", " =1", "ünï"):
        assert harmless(cell) == cell


def test_names_come_back_from_the_table(cli, scans, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["=1+1.jpg", "@here.jpg", "'quoted'.jpg", 'a,"b".jpg', "line\nbreak.jpg"]
    for name in names:
        shutil.copy(scans[0], name)
    assert cli("--csv", "answers.csv", *names)[0] == 0
    found = [row["path"] for row in rows(Path("answers.csv"))]
    assert [name.removeprefix("'") for name in found] == names
    assert not any(name.startswith(("=", "+", "-", "@")) for name in found)


def test_a_refused_picture_has_no_class_anywhere(cli, bar_chart, tmp_path):
    (line,) = cli("--json", bar_chart)[1]
    answer = json.loads(line)
    assert answer["brain_mri"] is answer["unsure"] is not None
    assert [answer[name] for name in ("label", "confidence", "probabilities")] == [None] * 3
    cli("--csv", tmp_path / "a.csv", bar_chart)
    (row,) = rows(tmp_path / "a.csv")
    assert [row[name] for name in ("label", "confidence", *LABELS)] == [""] * 6
    (line,) = cli(bar_chart)[1]
    assert not any(label in line for label in LABELS)


def test_json_goes_into_a_file_that_is_called_so(cli, scans, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(scans[0], "scan.jpg")
    for words, file in (
        (["--json", "a.jsonl", "scan.jpg"], "a.jsonl"),
        (["--json", "A.JSON", "scan.jpg"], "A.JSON"),
        (["--json=answers", "scan.jpg"], "answers"),
        (["scan.jpg", "--json", "b.json"], "b.json"),
    ):
        assert cli(*words) == (0, [], [])
        (line,) = Path(file).read_text(encoding="utf-8").splitlines()
        assert json.loads(line)["label"] == label_of(scans[0])
    for words in (["--json", "scan.jpg"], ["scan.jpg", "--json"], ["--json", "--", "scan.jpg"]):
        status, (line,), errors = cli(*words)
        assert (status, errors) == (0, [])
        assert json.loads(line)["path"] == "scan.jpg"


def test_an_output_that_is_read_is_refused(cli, scans, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("below").mkdir()
    for name in ("scan.jpg", "other.jpg", "below/scan.jpg"):
        shutil.copy(scans[0], name)
    os.link("scan.jpg", "hard.jpg")
    Path("soft.jpg").symlink_to("scan.jpg")
    Path("list.txt").write_text("scan.jpg\n", encoding="utf-8")
    shutil.copy(MODELS / INT8_NAME, "model.onnx")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    for output, *words in (
        ("scan.jpg", "scan.jpg"),
        ("scan.jpg", "./scan.jpg"),
        ("scan.jpg", "*.jpg"),
        ("scan.jpg", "@list.txt"),
        ("list.txt", "@list.txt"),
        ("hard.jpg", "scan.jpg"),
        ("soft.jpg", "scan.jpg"),
        ("below/scan.jpg", "."),
        ("below/scan.jpg", "below"),
        ("other.jpg", "scan.jpg"),
        ("model.onnx", "scan.jpg", "--model", "model.onnx"),
    ):
        for option in ("--csv", "--json"):
            status, lines, errors = cli(*words, f"{option}={output}")
            assert (status, lines, len(errors)) == (2, [], 1)
            assert errors[0].startswith(f"error: {output}: it is ")
    after = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert after == before


def test_a_table_is_no_input_of_the_next_run(cli, scans, tmp_path):
    shutil.copy(scans[0], tmp_path / "scan.jpg")
    for _ in range(2):
        assert cli("--csv", tmp_path / "answers.csv", tmp_path) == (0, [], [])
        assert len(rows(tmp_path / "answers.csv")) == 1


def test_a_table_keeps_its_link_and_its_mode(cli, scans, tmp_path):
    target = tmp_path / "target.csv"
    target.write_text("old", encoding="utf-8")
    target.chmod(0o640)
    (tmp_path / "link.csv").symlink_to(target)
    assert cli("--csv", tmp_path / "link.csv", scans[0])[0] == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert len(rows(target)) == 1
    assert target.stat().st_mode & 0o777 == 0o640


def test_what_cannot_be_written_is_said_before_anything_is_done(cli, scans, tmp_path):
    (tmp_path / "folder").mkdir()
    for path, reason in (
        (tmp_path / "no" / "where.csv", "No such file or directory"),
        (tmp_path / "folder", "Is a directory"),
    ):
        status, lines, errors = cli("--csv", path, scans[0])
        assert (status, lines) == (2, [])
        assert errors == [f"error: cannot write {path}: {reason}"]
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_nothing_is_left_of_a_run_that_had_nothing_to_do(cli, scans, tmp_path):
    (tmp_path / "empty").mkdir()
    table = tmp_path / "answers.csv"
    table.write_text("old", encoding="utf-8")
    status, _, errors = cli("--csv", table, tmp_path / "empty")
    assert (status, errors) == (2, [f"error: no images found in {tmp_path / 'empty'}"])
    assert table.read_text(encoding="utf-8") == "old"
    assert not part_of(str(table)).exists()


def answers_in(file: Path) -> list[dict]:
    """Rows or objects, without the time each took."""
    if file.suffix == ".csv":
        found: list[dict] = rows(file)
    else:
        found = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [{**one, "milliseconds": None} for one in found]


@pytest.mark.parametrize("file", ["a.csv", "a.json"])
@pytest.mark.parametrize("cut", [0, 1, 500, 1100, -1])
def test_a_stopped_run_is_resumed(file, cut, cli, scans, tmp_path):
    bad, file = tmp_path / "bad\r\n.jpg", tmp_path / file
    bad.write_bytes(b"")
    words = ("--batch-size", "1", scans[0], bad, scans[0], *scans[1:4], bad)
    words = (f"--{file.suffix[1:]}={file}", *words)
    assert cli(*words)[0] == 1
    whole, expected = file.read_bytes(), answers_in(file)
    file.write_text("old", encoding="utf-8")
    part_of(str(file)).write_bytes(whole[:cut])
    status, _, errors = cli("--resume", *words)
    assert status == 1
    assert len(errors) == 2 - whole[: max(cut - 3, 0)].count(b"the file is empty") or cut == -1
    assert answers_in(file) == expected
    assert not part_of(str(file)).exists()


@pytest.fixture
def stack(scans, tmp_path) -> Path:
    """Four pages, a tumour in the first two."""
    path = tmp_path / "stack.tiff"
    first, *others = (Image.open(scans[i]).convert("L").resize((256, 256)) for i in (2, 3, 4, 5))
    first.save(path, save_all=True, append_images=others)
    return path


def test_a_series_is_one_object_and_a_row_a_slice(cli, stack, scans, tmp_path):
    first, second = map(json.loads, cli("--json", scans[0], stack)[1])
    assert first["label"] == label_of(scans[0])
    series = second["series"]
    assert (series["name"], series["kind"]) == (str(stack), "stack")
    assert [one["label"] for one in series["slices"]] == [label_of(s) for s in scans[2:6]]
    assert series["run"] == [0, 1]
    assert 0 <= series["tumour"] <= 1
    assert cli("--csv", tmp_path / "a.csv", scans[0], stack) == (0, [], [])
    picture, *slices, whole = rows(tmp_path / "a.csv")
    assert (picture["series"], picture["slice"], picture["tumour"]) == ("", "", "")
    assert [one["slice"] for one in slices] == ["0", "1", "2", "3"]
    assert {one["series"] for one in [*slices, whole]} == {str(stack)}
    assert (whole["path"], whole["label"], whole["slice"]) == (str(stack), "", "")
    assert float(whole["tumour"]) == pytest.approx(series["tumour"], abs=1e-5)
    lines = cli(stack)[1]
    assert len(lines) == 5
    assert lines[-1].startswith(f"{stack}: stack, 4 slices: 2 meningioma, 2 notumor; any tumour ")


def test_a_series_that_was_cut_off_is_done_again(cli, stack, scans, tmp_path):
    table = tmp_path / "a.csv"
    cli("--csv", table, stack, scans[0], stack)
    expected = answers_in(table)
    lines = table.read_bytes().splitlines(keepends=True)
    for kept in (3, 6, 9, 11):
        table.unlink(missing_ok=True)
        part_of(str(table)).write_bytes(b"".join(lines[:kept]))
        assert cli("--resume", "--csv", table, stack, scans[0], stack)[0] == 0
        assert [one["path"] for one in answers_in(table)] == [one["path"] for one in expected]


def test_a_whole_table_is_gone_on_with(cli, scans, tmp_path):
    table = tmp_path / "answers.csv"
    for folder in (scans[:2], scans[:4], scans[:4]):
        assert cli("--resume", "--csv", table, *folder) == (0, [], [])
        assert [row["path"] for row in rows(table)] == list(map(str, folder))


def test_resume_says_what_it_cannot_go_on_with(cli, scans, tmp_path):
    foreign = tmp_path / "foreign.csv"
    foreign.write_bytes(b"name,age\r\nAda,36\r\n")
    for words, message in (
        (["--csv", foreign], "not written by this command"),
        ([f"--json={foreign}"], "not written by this command"),
        ([], "--resume needs the file"),
        (["--json"], "--resume needs the file"),
    ):
        status, _, errors = cli("--resume", *words, scans[0])
        assert (status, len(errors)) == (2, 1)
        assert message in errors[0]
    assert foreign.read_bytes() == b"name,age\r\nAda,36\r\n"
    table = tmp_path / "answers.csv"
    cli("--csv", table, scans[0], "--model", "int8")
    status, _, errors = cli("--resume", "--csv", table, *scans[:2], "--model", "fp32")
    assert (status, len(errors)) == (2, 1)
    assert "begun with brain_tumor_vgg16.int8.onnx" in errors[0]
