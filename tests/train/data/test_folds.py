"""No patient, and no copy, in two folds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from serve.command import UserError
from serve.names import LABELS
from tests.conftest import DATASET, SLICES, needs_dataset
from train.data.dataset import Scan, Slice, find_all_scans, read_slices
from train.data.duplicates import connected_groups, find_pairs
from train.data.figshare import APART, position_of
from train.data.folds import FOLDS, patient_sides, place, read_folds, write_folds


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


def test_what_is_written_is_read(tmp_path):
    write_folds(read_folds(), tmp_path / "folds.csv")
    assert read_folds(tmp_path / "folds.csv") == read_folds()


def names(scans) -> set[str]:
    return {scan.name for scan in scans}


def test_no_file_is_on_two_sides_and_each_is_tested_once(placed_scans):
    folds = patient_sides(placed_scans)
    assert len(folds) == FOLDS
    for sides in folds:
        parts = [names(side) for side in (sides.training, sides.validation, sides.tested)]
        assert sum(map(len, parts)) == len(set.union(*parts))
    tested = [scan.name for sides in folds for scan in sides.tested]
    assert sorted(tested) == sorted(read_folds())


def test_no_fold_is_on_two_sides(placed_scans):
    placed = read_folds()
    for fold, sides in enumerate(patient_sides(placed_scans)):
        training, validation, tested = (
            {placed[scan.name].fold for scan in side}
            for side in (sides.training, sides.validation, sides.tested)
        )
        assert (tested, validation) == ({fold}, {(fold + 1) % FOLDS})
        assert training == set(range(FOLDS)) - tested - validation


def test_a_conflict_is_trained_on_by_none_and_scored_by_the_radiologists(placed_scans):
    placed = read_folds()
    conflicts = {name for name, entry in placed.items() if entry.conflict}
    assert conflicts
    for sides in patient_sides(placed_scans):
        assert not conflicts & (names(sides.training) | names(sides.validation))
        assert sides.labels == [placed[scan.name].label for scan in sides.tested]
        for scan, label in zip(sides.tested, sides.labels, strict=True):
            assert (scan.label != label) == (scan.name in conflicts)


def test_another_dataset_has_no_sides(placed_scans):
    with pytest.raises(UserError, match=r"patient_folds\.csv"):
        patient_sides(placed_scans[1:])


@needs_dataset
def test_no_patient_of_the_committed_table_is_on_two_sides(placed_scans):
    """As far as series and place in it tell who is who (train/data/figshare.py)."""
    slices = read_slices(SLICES)
    for sides in patient_sides(placed_scans):
        found = [
            (*position_of(slices[scan.name].index), number)
            for number, side in enumerate((sides.training, sides.validation, sides.tested))
            for scan in side
            if scan.name in slices
        ]
        series, share, side = np.array(found).T
        near = np.abs(share[:, None] - share) < APART
        same = series[:, None] == series
        assert not (near & same & (side[:, None] != side)).any()


@pytest.fixture(scope="module")
def published() -> list[Scan]:
    return find_all_scans(DATASET)


@needs_dataset
def test_the_committed_table_is_what_the_command_makes(published):
    pairs, slices = find_pairs(published), read_slices(SLICES)
    placed = place(published, slices, connected_groups(pairs, len(published)))
    assert placed == read_folds()
    for first, second in zip(pairs.first, pairs.second, strict=True):
        one, other = placed.get(published[first].name), placed.get(published[second].name)
        assert one is None or other is None or one.fold == other.fold
