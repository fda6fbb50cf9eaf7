"""Copies are found, mirrored and brightened ones too; different slices are not taken for copies."""

from __future__ import annotations

import csv
import json

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from tests.conftest import DATASET, SLICES, label_of, needs_dataset, run
from train.audit import audit, write_table
from train.data.dataset import find_scans
from train.data.duplicates import connected_groups, find_pairs


def dataset_with_copies(scans, folder):
    """The eight examples as Training; a mirrored and a brightened copy of two of them and a
    copy under another label as Testing, beside nothing else."""
    for scan in scans:
        image = Image.open(scan).convert("RGB")
        target = folder / "Training" / label_of(scan)
        target.mkdir(parents=True, exist_ok=True)
        image.save(target / scan.name, quality=90)
    copies = {
        "glioma/mirrored.jpg": ImageOps.mirror(Image.open(scans[0]).convert("RGB")),
        "meningioma/bright.jpg": ImageEnhance.Brightness(
            Image.open(scans[2]).convert("RGB")
        ).enhance(0.8),
        "notumor/wrong.jpg": Image.open(scans[7]).convert("RGB"),
        "pituitary/blank.jpg": Image.new("RGB", (50, 50)),
    }
    for name, image in copies.items():
        (folder / "Testing" / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(folder / "Testing" / name, quality=85)
    return [s for part in ("Training", "Testing") for s in find_scans(folder, part)]


def test_copies_mirrors_and_conflicts(scans, tmp_path):
    found = dataset_with_copies(scans, tmp_path)
    pairs = find_pairs(found)
    named = {
        (found[i].path.name, found[j].path.name, bool(m))
        for i, j, m in zip(pairs.first, pairs.second, pairs.mirrored, strict=True)
    }
    assert named == {
        (scans[0].name, "mirrored.jpg", True),
        (scans[2].name, "bright.jpg", False),
        (scans[7].name, "wrong.jpg", False),
    }
    assert len(np.unique(connected_groups(pairs, len(found)))) == len(found) - 3
    figures = audit(found, pairs, {})
    assert figures["conflicting_pairs"] == 1
    assert figures["testing_with_duplicate_in_training"]["all"] == 3

    write_table(found, pairs, {}, tmp_path / "audit.csv")
    rows = {
        r["file"]: r
        for r in csv.DictReader((tmp_path / "audit.csv").open(newline="", encoding="utf-8"))
    }
    assert len(rows) == 12
    assert rows["Testing/notumor/wrong.jpg"]["conflict"] == "1"
    assert rows["Testing/glioma/mirrored.jpg"]["duplicate_of"].endswith(scans[0].name)
    assert rows["Testing/pituitary/blank.jpg"]["duplicate_of"] == ""


@needs_dataset
def test_proven_pairs_of_the_published_dataset_are_found(tmp_path):
    done = run(*("-m", "train.audit", "--data", DATASET, "--slices", SLICES, "--output", tmp_path))
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["audit"]
    assert figures["search"]["found_share"] >= 0.98
    assert figures["search"]["false_share"] <= 0.01
    assert (tmp_path / "report" / "duplicates.png").stat().st_size > 10_000
