"""A training from two sides of scans to a model that answers, whatever the recipe.

Every epoch ends with a checkpoint, and everything random is drawn from the seed and the epoch's
number, so an interrupted training goes on where it was and ends with the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from serve.artifacts import KERAS_NAME, METRICS_NAME, sha256
from serve.command import UserError
from serve.metrics import read_metrics
from train.data.dataset import Scan, class_counts
from train.data.folds import Placed, Sides
from train.data.outlines import Outline
from train.data.trained_on import recorded_sides
from train.learning.bare import train_bare
from train.learning.drawn import DrawnCache
from train.learning.features import FeatureCache, Features
from train.learning.robust import train_robust
from train.network.vgg16 import (
    frozen_prefix,
    load_checkpoint,
    round_to_float16,
    sees_pictures,
    trainable_suffix,
)
from train.pictures.augment import AugmentedViews
from train.pictures.examples import Examples
from train.recipes import BareRecipe, Recipe, RobustRecipe

BATCH = 64  # of scans that are answered at a time


@dataclass(frozen=True)
class Fit:
    """A finished training."""

    model: keras.Model  # the whole network, best weights, rounded to float16
    suffix: keras.Model  # its trained end, from features or pictures to logits
    features: Features
    history: list[dict[str, float]]  # an entry an epoch, of one training after the other
    best: int  # the epoch whose weights were kept, of the last training
    validation: list[Scan]


Trainer = Callable[[list[Scan], list[Scan]], Fit]  # training and validation side -> Fit


def fit(
    training: list[Scan],
    validation: list[Scan],
    recipe: Recipe,
    seed: int,
    base_weights: Path | None,
    cache: Path,
    outlines: Mapping[str, Outline],
    placed: Mapping[str, Placed],
) -> Fit:
    """Train, or go on where the same training was interrupted.

    Args:
        training: what the weights are fitted to.
        validation: what the epoch is chosen on.
        recipe: how.
        seed: of everything random.
        base_weights: a local copy of VGG16's ImageNet weights, or None to download them.
        cache: where features and checkpoints are kept.
        outlines: of the tumours, by `Scan.name`; for a recipe that is shown them.
        placed: the folds, by `Scan.name`, within which tumours and grey levels are lent.

    Raises:
        UserError: no base weights.
    """
    keras.utils.set_random_seed(seed)
    print(f"training    {len(training)}: {class_counts(training)}")
    print(f"validation  {len(validation)}: {class_counts(validation)}")
    if recipe.shown_tumours:
        model, runs = train_robust(
            training, validation, outlines, placed, recipe, seed, base_weights, cache
        )
    else:
        model, runs = train_bare(training, validation, recipe, seed, base_weights, cache)
    round_to_float16(model)
    history = [entry for run in runs for entry in run.history]
    history = [entry | {"epoch": number} for number, entry in enumerate(history, start=1)]
    return _fit(
        model, cache, history, len(history) - len(runs[-1].history) + runs[-1].best, validation
    )


def load_fit(models: Path, scans: Sequence[Scan], cache: Path) -> tuple[Fit, Sides]:
    """The training that `models`/brain_tumor_vgg16.keras came from, as far as it is left.

    Args:
        models: the folder of the checkpoint, its metrics.json and its trained_on.csv.
        scans: of both parts of the dataset.
        cache: where features are kept.

    Returns:
        It, without history, and the sides that it was trained on and may be tested on.

    Raises:
        UserError: there is no such model, it is not the one that metrics.json is of, or nothing
            is known that it may be tested on.
    """
    checkpoint = models / KERAS_NAME
    model = load_checkpoint(checkpoint)
    if sha256(checkpoint) != read_metrics(models).get("model", {}).get("sha256"):
        raise UserError(f"{checkpoint}: not the checkpoint that {METRICS_NAME} was measured on")
    sides = recorded_sides(scans, models)
    return _fit(model, cache, [], 0, sides.validation), sides


def predict_logits(done: Fit, scans: Sequence[Scan]) -> np.ndarray:
    """Logits of the scans as they are, float32 (N, 4)."""
    return predict(done.suffix, done.features, scans)


def predict(network: keras.Model, features: Features, scans: Sequence[Scan]) -> Any:  # noqa: ANN401
    """What a network gives for the cached features of the scans as they are.

    Returns:
        An array (N, ...), or as many and as they are named as the network's outputs.
    """
    rows = features.rows_of(scans, 1)[:, 0]
    stored = features.rows()
    parts = [
        network.predict_on_batch(stored[rows[start : start + BATCH]].astype(np.float32))
        for start in range(0, len(rows), BATCH)
    ]
    return keras.tree.map_structure(lambda *some: np.concatenate(some), *parts)


def _fit(
    model: keras.Model,
    cache: Path,
    history: list[dict[str, float]],
    best: int,
    validation: list[Scan],
) -> Fit:
    features = _plain_features(model, cache)
    return Fit(model, trainable_suffix(model), features, history, best, validation)


def _plain_features(model: keras.Model, cache: Path) -> Features:
    """What the trained end is asked on; only the first view is asked for: the scan as it is."""
    if sees_pictures(model):
        return DrawnCache(cache, Examples([], {}, RobustRecipe(), seed=0, placed={}))
    return FeatureCache(cache, frozen_prefix(model), AugmentedViews(BareRecipe(), seed=0))
