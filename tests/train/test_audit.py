"""python -m train.audit on the published dataset, and against others' pictures."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from serve.metrics import read_metrics
from tests.conftest import DATASET, PATIENTS, SLICES, needs_dataset, run
from train.audit import main


@pytest.mark.slow
@needs_dataset
def test_proven_pairs_of_the_published_dataset_are_found(tmp_path):
    tables = ("--slices", SLICES, "--patients", PATIENTS)
    done = run("-m", "train.audit", "--data", DATASET, *tables, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["audit"]
    assert figures["search"]["found_share"] >= 0.98
    assert figures["search"]["false_share"] <= 0.01
    assert (tmp_path / "report" / "duplicates.png").stat().st_size > 10_000


def audited(data: Path, folder: Path, output: Path, table: Path) -> dict[str, dict[str, str]]:
    command = ["--data", data, "--against", folder, "--output", output, "--csv", table]
    assert main([str(word) for word in command]) == 0
    with table.open(newline="", encoding="utf-8") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


@pytest.fixture
def others(tmp_path, small_dataset, scans) -> Path:
    """Two copies, one in a folder of its own, a scan that has no copy, and what is no picture."""
    folder = tmp_path / "hospital"
    (folder / "deeper").mkdir(parents=True)
    first, second = sorted(small_dataset.glob("Training/*/*.jpg"))[::20][:2]
    ImageOps.mirror(Image.open(first)).rotate(8).save(folder / "mirrored.png")
    Image.open(second).resize((500, 600)).save(folder / "deeper" / "stretched.jpg")
    rows = Image.effect_noise((224, 224), 60).convert("RGB")
    rows.save(folder / "noise.jpg")
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


def test_copies_in_a_folder_are_named(tmp_path, small_dataset, others, capsys):
    output, table = tmp_path / "models", tmp_path / "copies.csv"
    rows = audited(small_dataset, others, output, table)
    assert set(rows) == {"mirrored.png", "noise.jpg", "deeper/stretched.jpg"}
    assert rows["noise.jpg"]["copy_of"] == ""
    for name in ("mirrored.png", "deeper/stretched.jpg"):
        assert (small_dataset / rows[name]["copy_of"]).is_file()
        assert 0.8 <= float(rows[name]["likeness"]) <= 1
    said = capsys.readouterr()
    assert "2 of 3 are copies: no external test" in said.out.splitlines()
    assert "broken.jpg" in said.out + said.err
    figures = read_metrics(output)["audit"]["against"]["hospital"]
    assert (figures["checked"], figures["copies"]) == (3, 2)
    assert figures["share"] == pytest.approx(2 / 3)
    assert set(figures["of"]) == {"data"}
    assert (output / "report" / "copies_hospital.png").stat().st_size > 10_000


def test_an_audit_of_the_dataset_keeps_what_others_were_found_to_be(
    tmp_path, small_dataset, others
):
    audited(small_dataset, others, tmp_path, tmp_path / "copies.csv")
    before = read_metrics(tmp_path)["audit"]["against"]
    assert main(["--data", str(small_dataset), "--output", str(tmp_path)]) == 0
    after = read_metrics(tmp_path)["audit"]
    assert after["against"] == before
    assert after["pairs"] > 0


def test_what_cannot_be_audited_is_one_line(tmp_path, small_dataset):
    (tmp_path / "empty").mkdir()
    for folder, why in ((tmp_path / "none", "no such folder"), (tmp_path / "empty", "no readable")):
        done = run("-m", "train.audit", "--data", small_dataset, "--against", folder)
        assert done.returncode == 1
        (line,) = done.stderr.strip().splitlines()
        assert why in line and str(folder) in line
