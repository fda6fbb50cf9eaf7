"""The recipes are as documented, and what was trained by them is found again."""

from __future__ import annotations

import hashlib
import json

import pytest

from train.recipes import RECIPES, Network, RobustRecipe, describe_recipe

# Names of cached trainings follow from these: a change of one loses hours of training.
DIGESTS = {
    "seed": "ea26c444e4d165868a07e6a6c7a4a6a7b4e92fea3105de5e920fa881ee5a19e9",
    "robust": "c487830493aa8b531d5561ec55d4d60ff8605f8f6d319d696a10598fda27265d",
    "deep": "5674b673fbcd7c091d0fad1ae39474cb5e4a78355d9d44b5c74917761785360e",
    "broad": "a0373dc16c7d5b6656b86fde3ee458fe87bf1d3a98dc0b82b0785a289d8fb938",
    "open": "cf21e42662dc40aeacf39b52356c7d75af837ce0e93e47d79bddf5f6fd7c87c1",
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_cached_training_is_found_again(name):
    described = json.dumps(describe_recipe(RECIPES[name]))
    assert hashlib.sha256(described.encode()).hexdigest() == DIGESTS[name]


def test_the_network_is_as_documented():
    assert Network() == Network(
        trained_blocks=("block5",), dropout_flat=0.3, hidden_units=128, dropout_hidden=0.2
    )
    assert RECIPES["seed"].network == RECIPES["robust"].network == Network()
    assert RECIPES["open"].network == Network()
    blocks = {RECIPES[name].network.trained_blocks for name in ("deep", "broad")}
    assert blocks == {("block4", "block5")}


def test_the_open_recipe_sees_what_the_broad_one_does_but_for_what_it_leaves_out():
    """So that their features and pictures may be shared, and their figures compared."""
    own, broad = RECIPES["open"], RECIPES["broad"]
    shared = ("distortion", "healed", "retoned", "pasted", "patched", "dataset", "tumour_free")
    assert all(getattr(own, name) == getattr(broad, name) for name in shared)
    assert own.left_out == ("feltrin44",)
    assert broad.left_out == ()


def test_the_seed_recipe_is_as_documented():
    recipe = RECIPES["seed"]
    assert (recipe.learning_rate, recipe.batch_size, recipe.epochs) == (1e-4, 32, 15)
    assert (recipe.patience, recipe.validation) == (5, 0.2)


@pytest.mark.parametrize(("images", "epochs"), [(4566, 6), (3120, 6), (1050, 18)])
def test_a_small_set_is_trained_on_for_more_epochs(images, epochs):
    assert RobustRecipe().for_images(images).epochs == epochs
    assert RobustRecipe().with_epochs(1).for_images(images).epochs == 1


def test_the_broad_recipe_has_its_epochs_whatever_the_number_of_images():
    """None is chosen: nothing is left to validate on."""
    recipe = RECIPES["broad"]
    assert {recipe.for_images(images).epochs for images in (100, 10_000)} == {recipe.epochs}
    assert recipe.with_epochs(2).for_images(100).epochs == 2
