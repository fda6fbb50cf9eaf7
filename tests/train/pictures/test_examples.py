"""What the robust recipe learns from, on a handful of scans."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from serve.measures import covered
from serve.names import INPUT_SIZE, NOTUMOR, TUMOURS
from train.data.dataset import UNKNOWN_TUMOUR, Scan
from train.data.folds import Placed
from train.pictures.examples import CHUNK, Example, Examples, targets_of
from train.recipes import RobustRecipe

RECIPE = RobustRecipe()


@pytest.fixture(scope="module")
def examples(training, outlines) -> Examples:
    recipe = dataclasses.replace(RECIPE, healed=1.0, pasted=1.0)
    return Examples(training, outlines, recipe, seed=0, placed={})


def test_view_0_is_the_scan_as_it_is(examples, training, outlines):
    for scan in training:
        example = examples.draw(scan, 0)
        assert np.array_equal(example.pixels, scan.pixels())
        assert example.label == scan.label
        if scan.name in outlines:
            assert np.array_equal(example.mask, outlines[scan.name].mask())
        else:
            assert example.mask is None or not example.mask.any()


def test_counterfactuals_change_the_label(examples, training, outlines):
    pasted = 0
    for scan in training:
        example = examples.draw(scan, 1)
        if scan.name in outlines:
            assert example.label == NOTUMOR
            assert not example.mask.any()
        elif scan.label == NOTUMOR:
            pasted += example.label in TUMOURS
            assert example.mask.any() == (example.label in TUMOURS)
        else:
            assert example.label == scan.label, "the outline is not known"
    assert pasted


def test_a_view_is_drawn_by_its_number_and_seed(examples, training, outlines):
    scan = training[0]
    assert np.array_equal(examples.draw(scan, 1).pixels, examples.draw(scan, 1).pixels)
    assert not np.array_equal(examples.draw(scan, 1).pixels, examples.draw(scan, 2).pixels)
    other = Examples(training, outlines, RECIPE, seed=1, placed={})
    assert other.source(scan, 1) != examples.source(scan, 1)
    assert other.source(scan, 0) == examples.source(scan, 0) == scan.digest
    assert not np.array_equal(examples.draw(scan, 1).pixels, other.draw(scan, 1).pixels)


def test_processes_draw_the_same_in_order(training, outlines):
    examples = Examples(training, outlines, RECIPE, seed=0, placed={})
    views = [(scan, view) for view in range(5) for scan in training]
    assert len(views) > CHUNK, "more than one process"
    for drawn, (scan, view) in zip(examples.draw_all(views), views, strict=True):
        expected = examples.draw(scan, view)
        assert np.array_equal(drawn.pixels, expected.pixels)
        assert np.array_equal(drawn.place(), expected.place())


def test_tumours_and_grey_levels_come_from_the_same_fold(training, outlines):
    own = training[:-1]  # without the one of another collection
    placed = {scan.name: Placed(i % 2, scan.label, False, "") for i, scan in enumerate(own)}
    examples, alone, fewer = (
        Examples(some, outlines, RECIPE, seed=1, placed=placed) for some in (own, own[::2], own[2:])
    )
    for scan in own[2::2]:
        assert examples.source(scan, 1) == alone.source(scan, 1) != fewer.source(scan, 1)
        assert np.array_equal(examples.draw(scan, 1).pixels, alone.draw(scan, 1).pixels)


def test_what_is_wanted_of_the_maps():
    pixels = np.zeros((INPUT_SIZE, INPUT_SIZE, 3), np.uint8)
    mask = np.zeros((INPUT_SIZE, INPUT_SIZE), bool)
    mask[16:32, 32:40] = True  # half of a cell
    assert covered(mask)[1, 2] == 0.5
    some = [
        Example(pixels, 1, mask),
        Example(pixels, UNKNOWN_TUMOUR, mask),
        Example(pixels, NOTUMOR, ~mask & mask),
        Example(pixels, 1, None),
    ]
    labels = np.array([example.label for example in some], np.int32)
    targets = targets_of(labels, np.stack([example.place() for example in some]))
    assert targets["logits"].tolist() == [1, UNKNOWN_TUMOUR, NOTUMOR, 1]
    for index, label in ((0, 1), (1, UNKNOWN_TUMOUR)):
        wanted = targets["maps"][index]
        assert wanted[label, 1, 2] == wanted.sum() == 1
    assert (targets["maps"][2][TUMOURS] == -1).all()
    assert not targets["maps"][2][[NOTUMOR, UNKNOWN_TUMOUR]].any()
    assert not targets["maps"][3].any()


def test_who_is_in_two_folds_lends_to_none(training, outlines):
    placed = {scan.name: Placed(0, scan.label, False, f"p{i}") for i, scan in enumerate(training)}
    lender = training[0].name
    apart = {"elsewhere.jpg": Placed(1, 0, False, placed[lender].person)}
    alike = Examples(training, outlines, RECIPE, 1, placed).source(training[2], 1)
    without = Examples(training, outlines, RECIPE, 1, placed | apart).source(training[2], 1)
    assert without != alike
    others = [one for one in training if one.name != lender]
    assert Examples(others, outlines, RECIPE, 1, placed).source(training[2], 1) == without


@pytest.fixture(scope="module")
def of_hospitals(training) -> list[Scan]:
    """Three scans each of the dataset and of two hospitals, the third in another fold."""
    return [
        dataclasses.replace(scan, part=part)
        for part in ("Training", "a", "b")
        for scan in training[:3]
    ]


FOLDS_OF_HOSPITALS = [0, 0, 1] * 3


@pytest.mark.parametrize(
    ("asked", "lenders"),
    [(0, {0, 1}), (2, {2}), (3, {0, 1, 3, 4}), (5, {2, 5}), (6, {0, 1, 6, 7})],
    ids=["dataset", "its other fold", "hospital", "its other fold", "another hospital"],
)
def test_who_lends_to_whom(asked, lenders, of_hospitals):
    """A hospital's scan borrows from its own and from the dataset, in its fold; the dataset's only
    from the dataset."""
    placed = {
        scan.name: Placed(fold, scan.label, False, "")
        for scan, fold in zip(of_hospitals, FOLDS_OF_HOSPITALS, strict=True)
    }

    def source(some: list[Scan]) -> str:
        return Examples(some, {}, RECIPE, 0, placed).source(of_hospitals[asked], 1)

    for left in set(range(len(of_hospitals))) - {asked}:
        fewer = [scan for i, scan in enumerate(of_hospitals) if i != left]
        assert (source(fewer) != source(of_hospitals)) == (left in lenders)


def test_a_copy_lends_to_none_and_still_borrows(of_hospitals):
    placed = {scan.name: Placed(0, scan.label, False, "") for scan in of_hospitals}
    copy = of_hospitals[1]
    copied = placed | {copy.name: dataclasses.replace(placed[copy.name], lends=False)}
    others = [scan for scan in of_hospitals if scan != copy]
    examples, without = (
        Examples(some, {}, RECIPE, 0, at) for some, at in ((of_hospitals, copied), (others, placed))
    )
    for scan in others:
        assert examples.source(scan, 1) == without.source(scan, 1)
    assert np.array_equal(examples.draw(copy, 1).pixels, without.draw(copy, 1).pixels)
