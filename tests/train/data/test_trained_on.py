"""What a training writes down is found again, and what it left out has its right labels."""

from __future__ import annotations

import dataclasses

import pytest

from serve.artifacts import MODELS
from serve.command import UserError
from serve.names import PARTS
from serve.trained_on import TrainedOn, read_trained_on, write_trained_on
from tests.conftest import DATASET, needs_dataset
from train.data.dataset import UNKNOWN_TUMOUR, find_all_scans
from train.data.duplicates import find_pairs
from train.data.folds import FOLD, Placed, Sides, patient_sides, read_folds
from train.data.trained_on import record_sides, recorded_sides


def test_sides_are_found_again(placed_scans, tmp_path):
    sides = patient_sides(placed_scans)[FOLD]
    record_sides(sides, read_folds(), tmp_path)
    assert recorded_sides(placed_scans, tmp_path) == sides


def test_a_line_a_scan_with_its_fold(placed_scans, tmp_path):
    one, other = placed_scans[0], dataclasses.replace(placed_scans[1], part="Br35H")
    other = dataclasses.replace(other, label=UNKNOWN_TUMOUR)
    record_sides(Sides([one, other], placed_scans[2:3], [], []), read_folds(), tmp_path)
    assert read_trained_on(tmp_path) == [
        TrainedOn(one.name, "training", str(read_folds()[one.name].fold)),
        TrainedOn(f"Br35H/tumour/{other.path.name}", "training", ""),
        TrainedOn(placed_scans[2].name, "validation", str(read_folds()[placed_scans[2].name].fold)),
    ]


def test_scans_without_a_fold_keep_their_label(training, validation, tmp_path):
    sides = Sides(training[:4], validation[:2], validation[2:], [s.label for s in validation[2:]])
    record_sides(sides, {}, tmp_path)
    assert recorded_sides([*training, *validation], tmp_path) == sides


def test_a_training_that_left_nothing_out_has_no_honest_figure(placed_scans, tmp_path):
    record_sides(Sides(placed_scans[:5], placed_scans[5:9], [], []), {}, tmp_path)
    with pytest.raises(UserError, match="left no patients out"):
        recorded_sides(placed_scans, tmp_path)


def test_scans_of_other_hospitals_are_found_only_where_they_are_asked_for(placed_scans, tmp_path):
    own, other = placed_scans[:4], dataclasses.replace(placed_scans[4], part="elsewhere")
    placed = read_folds() | {other.name: Placed(3, other.label, conflict=False, person="p")}
    tested = [*own[2:], other]
    sides = Sides(own[:1], own[1:2], tested, [placed[scan.name].label for scan in tested])
    record_sides(sides, placed, tmp_path)
    assert TrainedOn(other.name, "test", "3") in read_trained_on(tmp_path)
    assert recorded_sides([*placed_scans, other], tmp_path) == sides
    assert recorded_sides(placed_scans, tmp_path).tested == own[2:]


@pytest.mark.parametrize("side", ["validation", "test"])
def test_a_scan_that_is_not_there_is_named(side, placed_scans, tmp_path):
    rows = [TrainedOn(placed_scans[0].name, "test", ""), TrainedOn("Testing/a/gone.jpg", side, "")]
    write_trained_on(rows, tmp_path)
    with pytest.raises(UserError, match=r"gone\.jpg"):
        recorded_sides(placed_scans, tmp_path)


@pytest.mark.slow
def test_the_committed_checkpoint_left_patients_out(placed_scans):
    """Those of other hospitals, which are in trained_on.csv too, are not asked for here."""
    sides = recorded_sides(placed_scans, MODELS)
    parts = [{scan.name for scan in s} for s in (sides.training, sides.validation, sides.tested)]
    own = [row for row in read_trained_on(MODELS) if row.file.split("/")[0] in PARTS]
    assert parts[0] and parts[2]
    assert sum(map(len, parts)) == len(set.union(*parts)) == len(own)
    assert sides.labels == [read_folds()[scan.name].label for scan in sides.tested]


def test_the_committed_model_is_tested_on_nobody_that_it_knows():
    placed = read_folds()
    persons = {
        side: {
            placed[row.file].person
            for row in read_trained_on()
            if row.side == side and row.file in placed
        }
        - {""}
        for side in ("training", "validation", "test")
    }
    assert persons["training"] and persons["test"]
    assert not persons["test"] & (persons["training"] | persons["validation"])


@pytest.mark.slow
@needs_dataset
def test_the_committed_model_is_tested_on_no_copy_of_what_it_knows():
    side_of = {row.file: row.side for row in read_trained_on()}
    scans = find_all_scans(DATASET)
    pairs = find_pairs(scans)
    for first, second in zip(pairs.first, pairs.second, strict=True):
        sides = {side_of.get(scans[i].name) for i in (first, second)}
        assert "test" not in sides or len(sides) == 1
