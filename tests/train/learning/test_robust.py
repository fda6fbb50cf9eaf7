"""The robust recipe on a handful of scans: it ends the same, and trains what it should."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from train.learning import epochs
from train.learning.training import Fit, fit, predict_logits
from train.recipes import RECIPES, BroadRecipe, RobustRecipe

pytestmark = pytest.mark.slow

RECIPE = RobustRecipe(learning_rate=1e-4, batch_size=8, epochs=3)


@pytest.fixture(scope="module")
def train(training, validation, outlines, base_weights):
    def run(cache) -> Fit:
        return fit(training, validation, RECIPE, 0, base_weights, cache, outlines, placed={})

    return run


@pytest.fixture(scope="module")
def trained(train, tmp_path_factory) -> Fit:
    """An uninterrupted training."""
    return train(tmp_path_factory.mktemp("uninterrupted"))


def test_interrupted_it_ends_with_the_same_weights(train, trained, tmp_path, monkeypatch, capsys):
    add = epochs.Run.add

    def interrupted(run, entry, model):
        add(run, entry, model)
        raise KeyboardInterrupt

    monkeypatch.setattr(epochs.Run, "add", interrupted)
    for _ in range(RECIPE.epochs):
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path)
    monkeypatch.undo()
    resumed = train(tmp_path)
    assert "resuming after epoch 1 of 3" in capsys.readouterr().out
    for ours, theirs in zip(resumed.model.get_weights(), trained.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_finished_training_is_taken_from_its_run(train, trained, monkeypatch):
    """No features are needed to have the model again."""
    folder = trained.features.folder.parent
    monkeypatch.setattr("train.learning.features.FeatureCache._extract", None)
    again = train(folder)
    assert again.best == trained.best
    np.testing.assert_array_equal(
        again.model.get_layer("block5_conv1").get_weights()[0],
        trained.model.get_layer("block5_conv1").get_weights()[0],
    )


def test_what_a_training_leaves(trained):
    assert [entry["epoch"] for entry in trained.history] == [1, 2, 3]
    assert trained.best in (1, 2, 3)
    measured = {"loss", "accuracy", "pointed", "class_loss", "attention"}
    assert measured | {f"val_{name}" for name in measured} <= set(trained.history[0])
    assert all(np.isfinite(list(entry.values())).all() for entry in trained.history)
    policies = {layer.dtype_policy.name for layer in trained.model.layers}
    assert policies == {"float32"}


def changed_blocks(model: keras.Model, base_weights) -> set[str]:
    vgg16 = keras.applications.VGG16(include_top=False, weights=None, input_shape=(224, 224, 3))
    vgg16.load_weights(base_weights)
    return {
        layer.name.split("_")[0]
        for layer in vgg16.layers[1:]
        if layer.weights
        and not np.array_equal(layer.get_weights()[0], model.get_layer(layer.name).get_weights()[0])
    }


def test_only_block5_and_the_head_are_trained(trained, base_weights):
    assert changed_blocks(trained.model, base_weights) == {"block5"}


def test_the_deep_recipe_trains_block4_too(training, validation, outlines, base_weights, tmp_path):
    recipe = dataclasses.replace(RECIPES["deep"], batch_size=8, epochs=1)
    done = fit(training, validation, recipe, 0, base_weights, tmp_path, outlines, placed={})
    assert changed_blocks(done.model, base_weights) == {"block4", "block5"}
    whole = keras.Model(done.model.inputs, done.model.get_layer("logits").output)
    pixels = np.stack([scan.pixels() for scan in validation]).astype(np.float32)
    expected = whole.predict_on_batch(pixels)
    found = predict_logits(done, validation)
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())
    assert done.features.rows().shape[1:] == (224, 224, 3)  # pictures take less room


@pytest.fixture(scope="module")
def train_broad(training, outlines, base_weights):
    """Of two hospitals, without a validation side, on pictures, two trainings averaged."""
    recipe = BroadRecipe(batch_size=8, epochs=2, draws=8, views=2, soup=2)
    theirs = [dataclasses.replace(scan, part="elsewhere") for scan in training[:4]]
    scans = [*training[4:-1], *theirs]

    def run(cache) -> Fit:
        return fit(scans, [], recipe, 0, base_weights, cache, outlines, placed={})

    return run


def test_the_broad_recipe_ends_with_its_last_epoch(train_broad, tmp_path, monkeypatch):
    add = epochs.Run.add

    def interrupted(run, entry, model):
        add(run, entry, model)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(epochs.Run, "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_broad(tmp_path / "interrupted")
    done, whole = train_broad(tmp_path / "interrupted"), train_broad(tmp_path / "whole")
    assert (done.best, len(done.history), done.validation) == (4, 4, [])
    assert done.features.rows().dtype == np.uint8
    assert not any(name.startswith("val_") for name in done.history[0])
    assert all(np.isfinite(list(entry.values())).all() for entry in done.history)
    for ours, theirs in zip(done.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
