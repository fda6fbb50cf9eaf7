"""What figures are of changes with what they follow from, and with nothing else."""

from __future__ import annotations

import dataclasses

import pytest

from train import learning, pictures
from train.data.dataset import find_scans
from train.evaluation.provenance import of_data, of_recipe
from train.recipes import RECIPES

ROBUST = RECIPES["robust"]


def test_a_recipe_is_named_by_its_values_and_seed():
    of = of_recipe(ROBUST, 0)
    assert of == of_recipe(dataclasses.replace(ROBUST), 0)
    assert len(of["recipe"]) == 64
    others = [of_recipe(recipe, 0) for name, recipe in RECIPES.items() if name != "robust"]
    assert of not in [*others, of_recipe(ROBUST, 1), of_recipe(ROBUST.with_epochs(1), 0)]


@pytest.mark.parametrize("code", [pictures, learning])
def test_figures_of_older_code_are_of_another_recipe(code, monkeypatch):
    of = of_recipe(ROBUST, 0)
    monkeypatch.setattr(code, "VERSION", code.VERSION + 1)
    assert of_recipe(ROBUST, 0) != of


def test_data_are_named_by_their_files_in_any_order(small_dataset):
    scans = find_scans(small_dataset, "Testing")
    assert of_data(scans) == of_data(scans[::-1])
    assert of_data(scans) != of_data(scans[1:])
