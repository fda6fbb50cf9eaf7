"""Copies are found, mirrored and brightened ones too; different slices are not taken for copies."""

from __future__ import annotations

import csv

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from tests.conftest import label_of
from train.data.dataset import find_all_scans
from train.data.duplicates import connected_groups, find_pairs
from train.evaluation.leakage import audit, worst_pairs, write_table


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
    return find_all_scans(folder)


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
    figures = audit(found, pairs, {}, {})
    assert figures["conflicting_pairs"] == 1
    assert figures["testing_with_duplicate_in_training"]["all"] == 3
    shown = [(one.path.name, other.path.name) for one, other, *_ in worst_pairs(found, pairs)]
    assert shown == [
        (scans[7].name, "wrong.jpg"),  # a conflict first, then across the folders, mirrored first
        (scans[0].name, "mirrored.jpg"),
        (scans[2].name, "bright.jpg"),
    ]

    write_table(found, pairs, {}, tmp_path / "audit.csv")
    rows = {
        r["file"]: r
        for r in csv.DictReader((tmp_path / "audit.csv").open(newline="", encoding="utf-8"))
    }
    assert len(rows) == 12
    assert rows["Testing/notumor/wrong.jpg"]["conflict"] == "1"
    assert rows["Testing/glioma/mirrored.jpg"]["duplicate_of"].endswith(scans[0].name)
    assert rows["Testing/pituitary/blank.jpg"]["duplicate_of"] == ""
