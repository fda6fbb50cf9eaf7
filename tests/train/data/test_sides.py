"""Who is trained on and who is tested where several hospitals are trained on together."""

from __future__ import annotations

from itertools import pairwise

import pytest

from train.data.collections import Collected, collection_of, place_all
from train.data.folds import FOLD, FOLDS, Sides, patient_sides, persons_in_several_folds, read_folds
from train.data.sides import folds_of, held_back, hospital_of, published_sides, without_each

HOSPITALS = ["feltrin44", "tcga_lgg", "br35h"]


def names(scans) -> set[str]:
    return {scan.name for scan in scans}


@pytest.fixture(scope="module")
def placed(hospitals):
    return place_all(hospitals)


@pytest.fixture(scope="module")
def folds(placed_scans, hospitals) -> list[Sides]:
    return folds_of(placed_scans, hospitals, broad=True, left_out=())


def test_the_other_recipes_train_on_the_dataset_alone(placed_scans, hospitals):
    assert folds_of(placed_scans, hospitals, False, ()) == patient_sides(placed_scans)


def test_four_folds_of_everything_are_trained_on_and_the_dataset_is_tested(folds, placed):
    assert len(folds) == FOLDS
    for fold, sides in enumerate(folds):
        assert sides.validation == []
        assert {placed[scan.name].fold for scan in sides.training} == set(range(FOLDS)) - {fold}
        assert {hospital_of(scan) for scan in sides.training} == {"", *HOSPITALS}
        assert {placed[scan.name].fold for scan in sides.tested} == {fold}
        assert {collection_of(scan) for scan in sides.tested} == {""}
        assert sides.labels == [placed[scan.name].label for scan in sides.tested]


def test_nobody_is_on_two_sides(folds, placed):
    for fold, sides in enumerate(folds):
        trained, tested = (
            {placed[scan.name].person for scan in side} - {""}
            for side in (sides.training, sides.tested)
        )
        others = {at.person for name, at in placed.items() if at.fold == fold} - {""}
        assert tested <= others  # the rest are of other hospitals
        assert not trained & others
        assert not names(sides.training) & names(sides.tested)


def test_only_fifteen_persons_and_conflicts_are_left_out_of_four_folds(folds, placed):
    roaming = persons_in_several_folds(placed)
    assert len(roaming) == 15
    for fold, sides in enumerate(folds):
        away = {at.person for at in placed.values() if at.fold == fold} & roaming
        expected = {
            name
            for name, at in placed.items()
            if at.fold != fold and not at.conflict and at.person not in away
        }
        assert names(sides.training) == expected


def test_each_hospital_is_left_out_once_and_then_tested_whole(placed_scans, hospitals, folds):
    found = list(without_each(placed_scans, hospitals, broad=True, left_out=()))
    assert len(found) == len(HOSPITALS)
    for hospital, (sides, tested) in zip(HOSPITALS, found, strict=True):
        assert tested == [scan for scan in hospitals.scans if hospital_of(scan) == hospital]
        gone = names(tested) | (hospitals.copied if hospital == "br35h" else set())
        assert names(sides.training) == names(folds[FOLD].training) - gone
        assert (sides.tested, sides.labels) == (folds[FOLD].tested, folds[FOLD].labels)
    assert {collection_of(scan) for scan in found[1][1]} == {"tcga_lgg_t1c", "tcga_lgg_flair"}
    assert hospitals.copied <= names(folds[FOLD].training)  # so that there was something to leave


def test_what_a_recipe_leaves_out_is_tested_on_and_never_trained_on(placed_scans, hospitals, folds):
    """Whatever is asked: five folds, the published file, or each hospital left out in turn."""
    own = {scan.name for scan in hospitals.scans if collection_of(scan) == "feltrin44"}
    parts = (placed_scans, hospitals, True, ("feltrin44",))
    found = [*folds_of(*parts), published_sides(*parts)]
    assert [names(sides.training) for sides in found[:FOLDS]] == [
        names(sides.training) - own for sides in folds
    ]
    assert names(found[-1].training) == names(found[FOLD].training)
    assert names(found[-1].tested) & own
    for sides, tested in without_each(*parts):
        assert not names(sides.training) & (own | names(tested))
        if own & names(tested):
            assert own == names(tested)
            assert names(sides.training) == names(found[FOLD].training)


def test_nobody_of_the_hospital_left_out_is_trained_on(placed_scans, hospitals, placed):
    for sides, tested in without_each(placed_scans, hospitals, broad=True, left_out=()):
        persons = {placed[scan.name].person for scan in tested}
        assert not persons & {placed[scan.name].person for scan in sides.training}


def test_who_trains_on_no_hospital_is_trained_once(placed_scans, hospitals):
    ((sides, tested),) = without_each(placed_scans, hospitals, broad=False, left_out=())
    assert tested == hospitals.scans
    whole = patient_sides(placed_scans)[FOLD]
    assert names(sides.training) == names(whole.training) - hospitals.copied
    assert names(sides.validation) == names(whole.validation) - hospitals.copied
    scans = [scan for scan in hospitals.scans if hospital_of(scan) != "br35h"]
    alone = Collected(scans, {scan.name: hospitals.placed[scan.name] for scan in scans})
    ((sides, _),) = without_each(placed_scans, alone, broad=False, left_out=())
    assert sides == whole  # nothing of it has a copy: the training of the first fold


def test_a_fold_of_the_training_side_is_held_back(folds, hospitals, placed):
    sides = held_back(folds[FOLD], hospitals)
    assert {placed[scan.name].fold for scan in sides.validation} == {FOLD + 1}
    assert {hospital_of(scan) for scan in sides.validation} >= {"", "feltrin44", "tcga_lgg"}
    for one, other in pairwise((sides.validation, sides.training)):
        persons = [{placed[scan.name].person for scan in side} - {""} for side in (one, other)]
        assert not persons[0] & persons[1]
    assert (sides.tested, sides.labels) == (folds[FOLD].tested, folds[FOLD].labels)
    gone = names(folds[FOLD].training) - names(sides.training) - names(sides.validation)
    assert {placed[name].person for name in gone} <= persons_in_several_folds(placed)


def test_a_validation_side_that_is_there_is_kept(placed_scans):
    sides = patient_sides(placed_scans)[FOLD]
    assert held_back(sides, Collected()) is sides


def test_without_hospitals_the_broad_recipe_trains_on_the_dataset(placed_scans):
    (first, *_) = folds_of(placed_scans, Collected(), broad=True, left_out=())
    assert first == patient_sides(placed_scans, placed=read_folds(), validated=False)[FOLD]
