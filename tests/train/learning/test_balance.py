"""How often each scan is drawn: neither hospital nor sequence tells the class."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from serve.names import NOTUMOR
from train.data.collections import collection_of
from train.data.dataset import UNKNOWN_TUMOUR, Scan
from train.learning.balance import draw_weights
from train.recipes import BroadRecipe

RECIPE = BroadRecipe(dataset=0.6, tumour_free=0.25)
BOTH, ALONE = ("", "many", "few"), "tumours"


def made(part: str, label: int, count: int) -> list[Scan]:
    return [Scan(Path(f"{i}.jpg"), part, label, "") for i in range(count)]


@pytest.fixture(scope="module")
def scans() -> list[Scan]:
    """The dataset, two hospitals with very different shares of tumours, one with nothing else."""
    return [
        *made("Training", 0, 100),
        *made("Testing", NOTUMOR, 40),
        *made("many", 1, 95),
        *made("many", NOTUMOR, 5),
        *made("few", UNKNOWN_TUMOUR, 10),
        *made("few", NOTUMOR, 40),
        *made("tumours", UNKNOWN_TUMOUR, 50),
    ]


def shares(scans, weights) -> dict[str, np.ndarray]:
    """Of the draws, by collection: tumours, tumour-free."""
    found = defaultdict(lambda: np.zeros(2))
    for scan, weight in zip(scans, weights, strict=True):
        found[collection_of(scan)][int(scan.label == NOTUMOR)] += weight
    return found


def test_weights_are_probabilities(scans):
    weights = draw_weights(scans, RECIPE)
    assert weights.shape == (len(scans),)
    assert weights.min() > 0
    assert weights.sum() == pytest.approx(1)


def test_the_hospital_does_not_tell_the_class(scans):
    found = shares(scans, draw_weights(scans, RECIPE))
    for name in BOTH:
        assert found[name][1] / found[name].sum() == pytest.approx(RECIPE.tumour_free)
    assert found[ALONE][1] == 0


def test_the_dataset_has_its_share_and_the_hospitals_theirs_by_size(scans):
    found = {name: own.sum() for name, own in shares(scans, draw_weights(scans, RECIPE)).items()}
    assert found[""] == pytest.approx(RECIPE.dataset)
    for name, size in (("many", 100), ("few", 50), (ALONE, 50)):
        assert found[name] == pytest.approx((1 - RECIPE.dataset) * size / 200)


def test_scans_of_one_kind_and_hospital_are_drawn_alike(scans):
    cells = defaultdict(set)
    for scan, weight in zip(scans, draw_weights(scans, RECIPE), strict=True):
        cells[collection_of(scan), scan.label == NOTUMOR].add(weight)
    assert all(len(own) == 1 for own in cells.values())


@pytest.mark.parametrize("part", ["Training", "many"])
def test_what_is_alone_has_all_draws(part):
    scans = [*made(part, 0, 10), *made(part, NOTUMOR, 30)]
    weights = draw_weights(scans, RECIPE)
    assert weights.sum() == pytest.approx(1)
    assert weights[10:].sum() == pytest.approx(RECIPE.tumour_free)


def test_the_hospitals_at_hand(hospitals, placed_scans):
    recipe = BroadRecipe()
    scans = [*placed_scans, *hospitals.scans]
    found = shares(scans, draw_weights(scans, recipe))
    assert found[""].sum() == pytest.approx(recipe.dataset)
    for name in found.keys() - {"br35h"}:
        assert found[name][1] / found[name].sum() == pytest.approx(recipe.tumour_free)
