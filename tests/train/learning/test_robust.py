"""The robust recipe on a handful of scans: what it learns from, and that it can be interrupted."""

from __future__ import annotations

import dataclasses
import io

import keras
import numpy as np
import pytest
from PIL import Image

from serve.measures import covered
from serve.names import INPUT_SIZE, NOTUMOR, TUMOURS
from train.data.dataset import UNKNOWN_TUMOUR, Scan, find_scans
from train.data.outlines import Outline
from train.fit import Fit, fit, predict_logits
from train.folds import Placed
from train.learning import epochs
from train.pictures.examples import CHUNK, Example, Examples, targets_of
from train.pictures.skull import solid_head
from train.recipes import RECIPES, RobustRecipe

RECIPE = RobustRecipe(learning_rate=1e-4, batch_size=8, epochs=3)


@pytest.fixture(scope="module")
def training(small_dataset) -> list[Scan]:
    """Two scans a class, and one whose tumour is of unknown type."""
    scans = find_scans(small_dataset, "Training")[::6]
    return [*scans, dataclasses.replace(scans[0], label=UNKNOWN_TUMOUR, part="Br35H")]


@pytest.fixture(scope="module")
def validation(small_dataset) -> list[Scan]:
    return find_scans(small_dataset, "Testing")[::4]


@pytest.fixture(scope="module")
def outlines(training, validation) -> dict[str, Outline]:
    """A disk for every tumour but one."""
    rows, columns = np.indices((INPUT_SIZE, INPUT_SIZE))
    found = {}
    for scan in [*training[1:], *validation]:
        if scan.label != NOTUMOR:
            row, column = np.argwhere(solid_head(scan.pixels())).mean(axis=0)
            disk = np.hypot(rows - row, columns - column + 30) < 18
            content = io.BytesIO()
            Image.fromarray(disk).save(content, "png")
            found[scan.name] = Outline(content.getvalue(), mirrored=False)
    return found


@pytest.fixture(scope="module")
def train(training, validation, outlines, base_weights):
    def run(cache) -> Fit:
        return fit(training, validation, RECIPE, 0, base_weights, cache, outlines)

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


def test_a_finished_training_is_taken_from_its_run(train, trained, tmp_path, monkeypatch):
    """No features are needed to have the model again."""
    folder = trained.features.folder.parent
    monkeypatch.setattr("train.learning.features.FeatureCache._extract", None)
    again = train(folder)
    assert again.best == trained.best
    np.testing.assert_array_equal(
        again.model.get_layer("block5_conv1").get_weights()[0],
        trained.model.get_layer("block5_conv1").get_weights()[0],
    )


def test_what_a_training_leaves(trained, base_weights):
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
    done = fit(training, validation, recipe, 0, base_weights, tmp_path, outlines)
    assert changed_blocks(done.model, base_weights) == {"block4", "block5"}
    whole = keras.Model(done.model.inputs, done.model.get_layer("logits").output)
    pixels = np.stack([scan.pixels() for scan in validation]).astype(np.float32)
    expected = whole.predict_on_batch(pixels)
    found = predict_logits(done, validation)
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())
    assert done.features.rows().shape[1:] == (28, 28, 256)


@pytest.mark.parametrize(("images", "epochs"), [(4566, 6), (3120, 6), (1050, 18)])
def test_a_small_set_is_trained_on_for_more_epochs(images, epochs):
    assert RobustRecipe().for_images(images).epochs == epochs
    assert RobustRecipe().with_epochs(1).for_images(images).epochs == 1


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
    placed = {scan.name: Placed(i % 2, scan.label, False) for i, scan in enumerate(training)}
    monkeypatch.setattr("train.pictures.examples.read_folds", lambda: placed)
    examples = Examples(training, outlines, RECIPE, seed=1)
    alone = Examples(training[::2], outlines, RECIPE, seed=1)
    fewer = Examples(training[2:], outlines, RECIPE, seed=1)
    for scan in training[2::2]:
        assert examples.source(scan, 1) == alone.source(scan, 1) != fewer.source(scan, 1)
        assert np.array_equal(examples.draw(scan, 1).pixels, alone.draw(scan, 1).pixels)


def test_what_is_wanted_of_the_maps(scans):
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
