"""What the robust recipe learns from, on a handful of scans."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from serve.measures import covered
from serve.names import INPUT_SIZE, NOTUMOR, TUMOURS
from train.data.dataset import UNKNOWN_TUMOUR
from train.data.folds import Placed
from train.pictures.examples import CHUNK, Example, Examples, targets_of
from train.recipes import RobustRecipe

RECIPE = RobustRecipe()


@pytest.fixture(scope="module")
def examples(training, outlines) -> Examples:
    recipe = dataclasses.replace(RECIPE, healed=1.0, pasted=1.0)
    return Examples(training, outlines, recipe, seed=0)


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
    other = Examples(training, outlines, RECIPE, seed=1)
    assert other.source(scan, 1) != examples.source(scan, 1)
    assert other.source(scan, 0) == examples.source(scan, 0) == scan.digest
    assert not np.array_equal(examples.draw(scan, 1).pixels, other.draw(scan, 1).pixels)


def test_processes_draw_the_same_in_order(training, outlines):
    examples = Examples(training, outlines, RECIPE, seed=0)
    views = [(scan, view) for view in range(5) for scan in training]
    assert len(views) > CHUNK, "more than one process"
    for drawn, (scan, view) in zip(examples.draw_all(views), views, strict=True):
        expected = examples.draw(scan, view)
        assert np.array_equal(drawn.pixels, expected.pixels)
        assert np.array_equal(drawn.wanted(), expected.wanted())


def test_tumours_and_grey_levels_come_from_the_same_fold(training, outlines, monkeypatch):
    placed = {scan.name: Placed(i % 2, scan.label, False, "") for i, scan in enumerate(training)}
    monkeypatch.setattr("train.pictures.examples.read_folds", lambda: placed)
    examples = Examples(training, outlines, RECIPE, seed=1)
    alone = Examples(training[::2], outlines, RECIPE, seed=1)
    fewer = Examples(training[2:], outlines, RECIPE, seed=1)
    for scan in training[2::2]:
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
    targets = targets_of(some)
    assert targets["logits"].tolist() == [1, UNKNOWN_TUMOUR, NOTUMOR, 1]
    for index, label in ((0, 1), (1, UNKNOWN_TUMOUR)):
        wanted = targets["maps"][index]
        assert wanted[label, 1, 2] == wanted.sum() == 1
    assert (targets["maps"][2][TUMOURS] == -1).all()
    assert not targets["maps"][2][[NOTUMOR, UNKNOWN_TUMOUR]].any()
    assert not targets["maps"][3].any()


def test_who_is_in_two_folds_lends_to_none(training, outlines, monkeypatch):
    placed = {scan.name: Placed(0, scan.label, False, f"p{i}") for i, scan in enumerate(training)}
    lender = training[0].name
    apart = {"elsewhere.jpg": Placed(1, 0, False, placed[lender].person)}
    scan = training[2]
    monkeypatch.setattr("train.pictures.examples.read_folds", lambda: placed)
    alike = Examples(training, outlines, RECIPE, seed=1).source(scan, 1)
    monkeypatch.setattr("train.pictures.examples.read_folds", lambda: placed | apart)
    without = Examples(training, outlines, RECIPE, seed=1).source(scan, 1)
    assert without != alike
    others = [one for one in training if one.name != lender]
    assert Examples(others, outlines, RECIPE, seed=1).source(scan, 1) == without
