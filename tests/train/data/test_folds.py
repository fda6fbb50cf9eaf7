"""No patient, and no copy, in two folds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from serve.names import LABELS
from tests.conftest import DATASET, SLICES, needs_dataset
from train.data.dataset import PARTS, Scan, Slice, find_scans, read_slices
from train.data.duplicates import connected_groups, find_pairs
from train.data.figshare import APART, position_of
from train.folds import FOLDS, place, read_folds


def test_patients_of_a_series_and_copies():
    """Every slice of the collection, a copy of one, three hundred other scans."""
    scans = [Scan(Path(f"{i}.jpg"), "Training", 0, str(i)) for i in range(1, 3065)]
    scans[9] = Scan(Path("10.jpg"), "Training", 1, "10")  # of which the radiologists say 0
    slices = {scan.name: Slice(i, 0, False) for i, scan in enumerate(scans, 1)}
    others = [Scan(Path(f"n{i}.jpg"), "Testing", 2, f"n{i}") for i in range(300)]
    copy = Scan(Path("copy.jpg"), "Testing", 0, "copy")
    groups = np.array([*range(3064), *(3064 + i // 3 for i in range(300)), 30])
    placed = place([*scans, *others, copy], slices, groups)

    positions = [
        (*position_of(slices[scan.name].index), placed[scan.name].fold)
        for scan in scans
        if scan.name in placed
    ]
    for series, share, fold in positions:
        for other_series, other_share, other_fold in positions:
            if series == other_series and abs(share - other_share) < APART:
                assert fold == other_fold
    assert len(positions) > 0.7 * len(scans)
    assert placed[copy.name].fold == placed[scans[30].name].fold
    assert [name for name, entry in placed.items() if entry.conflict] == [scans[9].name]
    assert placed[scans[9].name].label == 0
    for start in range(0, 300, 3):
        assert len({placed[scan.name].fold for scan in others[start : start + 3]}) == 1


def test_the_committed_table_is_balanced():
    placed = read_folds()
    counts = Counter((entry.fold, entry.label) for entry in placed.values())
    for label in range(len(LABELS)):
        shares = [counts[fold, label] for fold in range(FOLDS)]
        assert max(shares) < 1.5 * min(shares)
    assert sum(entry.conflict for entry in placed.values()) <= 4


@pytest.fixture(scope="module")
def published() -> list[Scan]:
    return [scan for part in PARTS for scan in find_scans(DATASET, part)]


@needs_dataset
def test_the_committed_table_is_what_the_command_makes(published):
    pairs, slices = find_pairs(published), read_slices(SLICES)
    placed = place(published, slices, connected_groups(pairs, len(published)))
    assert placed == read_folds()
    for first, second in zip(pairs.first, pairs.second, strict=True):
        one, other = placed.get(published[first].name), placed.get(published[second].name)
        assert one is None or other is None or one.fold == other.fold
