"""A training ends with other weights only by another VERSION of train/learning.

The losses of today's few short epochs are in trained.json; those of the later ones follow from the
gradients of the first. Where they should differ, count VERSION up and write them anew:
python -m tests.train.learning.test_version
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tests.train.made import disks, example_scans
from train import learning, pictures
from train.learning import bare, robust
from train.learning.epochs import run_folder
from train.network import vgg16
from train.pictures import examples
from train.recipes import RECIPES, BareRecipe, Network

STORED = Path(__file__).with_name("trained.json")
SHORT = {"batch_size": 4, "epochs": 2}
FAST = {"batch_size": 4, "epochs": 3, "learning_rate": 1e-3}  # away from the answers near zero
RECIPES_SHORT = {
    "seed": dataclasses.replace(RECIPES["seed"], **SHORT),
    "robust": dataclasses.replace(RECIPES["robust"], **FAST),
    "broad": dataclasses.replace(RECIPES["broad"], network=Network(), draws=8, soup=1, **FAST),
}
MEASURED = ("loss", "class_loss", "attention")
TOLERANCE = 2e-3  # of a loss; other processors add up in another order


def made_vgg16(_: Path | None) -> keras.Model:
    """Without a download, and the same whatever is published: random numbers for weights."""
    rng = np.random.default_rng(0)
    model = keras.applications.VGG16(include_top=False, weights=None, input_shape=(224, 224, 3))
    for layer in model.layers[-4:-1]:
        kernel, bias = layer.get_weights()
        scale = np.sqrt(2 / np.prod(kernel.shape[:3]))
        layer.set_weights([rng.normal(scale=scale, size=kernel.shape), bias])
    return model


def made_features(cache: Path, prefix: keras.Model, views: object) -> SimpleNamespace:
    """Numbers that follow from no picture, where features would be."""
    numbers = np.random.default_rng(1).random((64, *prefix.output.shape[1:])).astype(np.float16)
    return SimpleNamespace(
        folder=cache,
        rows=lambda: numbers,
        rows_of=lambda scans, views: np.arange(len(scans) * views).reshape(len(scans), views),
    )


def losses_of(name: str, cache: Path) -> list[list[float]]:
    """Of each epoch, what MEASURED names, as far as the recipe has it."""
    recipe, scans = RECIPES_SHORT[name], example_scans()
    scans[1::2] = [dataclasses.replace(scan, part="elsewhere") for scan in scans[1::2]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg16, "_imagenet_vgg16", made_vgg16)
        patch.setattr(robust, "fast_precision", lambda: "float32")
        patch.setattr(examples, "cpu_count", lambda: 1)
        for module in (bare, robust):
            patch.setattr(module, "FeatureCache", made_features)
        keras.utils.set_random_seed(0)
        if isinstance(recipe, BareRecipe):
            _, (run,) = bare.train_bare(scans, scans[:4], recipe, 0, None, cache)
        else:
            _, (run,) = robust.train_robust(scans, [], disks(scans), {}, recipe, 0, None, cache)
    return [[entry[key] for key in MEASURED if key in entry] for entry in run.history]


@pytest.mark.parametrize("name", RECIPES_SHORT)
def test_this_version_trains_as_it_did(name, tmp_path):
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    assert stored["version"] == learning.VERSION, "write trained.json anew, see above"
    found = losses_of(name, tmp_path)
    assert np.allclose(found, stored[name], rtol=TOLERANCE, atol=TOLERANCE / 10), (
        "weights end otherwise: count VERSION of train/learning up, see above"
    )


def test_the_first_version_is_not_in_the_name_of_a_training(tmp_path, monkeypatch):
    """What was trained before there were versions is found; later ones stand apart."""
    monkeypatch.setattr(learning, "VERSION", 1)
    monkeypatch.setattr(pictures, "VERSION", 1)
    first = run_folder(tmp_path, {"seed": 0})
    assert first.name == "run-de7d7744ccd7722e"
    folders = {first}
    for code in (learning, pictures):
        monkeypatch.setattr(code, "VERSION", 2)
        folders.add(run_folder(tmp_path, {"seed": 0}))
    assert len(folders) == 3


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        losses = {name: losses_of(name, Path(folder)) for name in RECIPES_SHORT}
    rounded = {name: np.round(values, 5).tolist() for name, values in losses.items()}
    text = json.dumps({"version": learning.VERSION, **rounded}, indent=2)
    STORED.write_text(text + "\n", encoding="utf-8")
