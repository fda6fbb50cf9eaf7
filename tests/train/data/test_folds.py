"""No patient, and no copy, in two folds."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from serve.command import UserError
from serve.names import LABELS
from tests.conftest import DATASET, PATIENTS, SLICES, needs_dataset
from train.data.dataset import Scan, Slice, find_all_scans, read_slices
from train.data.duplicates import Pairs, connected_groups, find_pairs
from train.data.folds import (
    FOLDS,
    patient_sides,
    persons_in_several_folds,
    place,
    read_folds,
    write_folds,
)
from train.data.patients import Patient, read_patients


def test_slices_lie_in_the_authors_folds_and_copies_with_them():
    """A hundred slices of twenty persons, a copy of one, three hundred other scans."""
    scans = [Scan(Path(f"{i}.jpg"), "Training", 0, str(i)) for i in range(100)]
    scans[9] = Scan(Path("9.jpg"), "Training", 1, "9")  # of which the radiologists say 0
    slices = {scan.name: Slice(i, 0, False) for i, scan in enumerate(scans)}
    patients = {i: Patient(f"p{i // 5}", i // 5 % FOLDS) for i in range(100)}
    others = [Scan(Path(f"n{i}.jpg"), "Testing", 2, f"n{i}") for i in range(300)]
    copy = Scan(Path("copy.jpg"), "Testing", 0, "copy")
    groups = np.array([*range(100), *(100 + i // 3 for i in range(300)), 30])
    placed = place([*scans, *others, copy], slices, patients, groups)

    assert len(placed) == 401
    for i, scan in enumerate(scans):
        assert (placed[scan.name].fold, placed[scan.name].person) == (i // 5 % FOLDS, f"p{i // 5}")
    assert placed[copy.name].fold == placed[scans[30].name].fold
    assert placed[copy.name].person == ""
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


def test_no_fold_and_no_person_is_on_two_sides(placed_scans):
    placed = read_folds()
    for fold, sides in enumerate(patient_sides(placed_scans)):
        parts = (sides.training, sides.validation, sides.tested)
        training, validation, tested = ({placed[s.name].fold for s in side} for side in parts)
        assert (tested, validation) == ({fold}, {(fold + 1) % FOLDS})
        assert training == set(range(FOLDS)) - tested - validation
        persons = [{placed[s.name].person for s in side} - {""} for side in parts]
        assert all(persons)
        for one, other in combinations(persons, 2):
            assert not one & other


def test_only_persons_in_several_folds_and_conflicts_are_left_out(placed_scans):
    placed = read_folds()
    roaming = persons_in_several_folds(placed)
    assert len(roaming) == 15  # data as published: 15 of the 18 who were examined again
    for sides in patient_sides(placed_scans):
        used = names(sides.training) | names(sides.validation) | names(sides.tested)
        for name in placed.keys() - used:
            assert placed[name].conflict or placed[name].person in roaming


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


@pytest.fixture(scope="module")
def published() -> list[Scan]:
    return find_all_scans(DATASET)


@pytest.fixture(scope="module")
def pairs(published) -> Pairs:
    return find_pairs(published)


@pytest.mark.slow
@needs_dataset
def test_the_committed_table_is_what_the_command_makes(published, pairs):
    slices, patients = read_slices(SLICES), read_patients(PATIENTS)
    placed = place(published, slices, patients, connected_groups(pairs, len(published)))
    assert placed == read_folds()
    assert len(placed) == len(published)  # none is dropped


@pytest.mark.slow
@needs_dataset
def test_no_copy_is_on_two_sides(published, pairs):
    for sides in patient_sides(published):
        side_of = {
            scan.name: number
            for number, side in enumerate((sides.training, sides.validation, sides.tested))
            for scan in side
        }
        for first, second in zip(pairs.first, pairs.second, strict=True):
            found = {side_of.get(published[i].name) for i in (first, second)} - {None}
            assert len(found) < 2
