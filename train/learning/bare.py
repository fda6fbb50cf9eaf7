"""The bare recipe: block5 and the head, on the cached features of the frozen layers.

The frozen convolutions run once (train/learning/features.py); the epochs train on what they gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from train.data.dataset import Scan
from train.learning.batches import DrawnViews
from train.learning.epochs import Run, run_folder, train_epochs
from train.learning.features import FeatureCache
from train.network.vgg16 import build_model, frozen_prefix, trainable_suffix
from train.pictures.augment import AugmentedViews
from train.recipes import BareRecipe, describe_recipe


def train_bare(
    training: Sequence[Scan],
    validation: Sequence[Scan],
    recipe: BareRecipe,
    seed: int,
    base_weights: Path | None,
    cache: Path,
) -> tuple[keras.Model, list[Run]]:
    """The best epoch's model, and its run; see `train.learning.training.fit`."""
    model = build_model(recipe.network, base_weights)
    features = FeatureCache(cache, frozen_prefix(model), AugmentedViews(recipe, seed))
    rows = features.rows_of(training, recipe.views)
    validation_rows = features.rows_of(validation, 1)
    suffix = trainable_suffix(model)
    compile_suffix(suffix, recipe)
    stored = features.rows()

    def batches(scans: Sequence[Scan], rows: np.ndarray, epoch: int) -> DrawnViews:
        labels = np.array([scan.label for scan in scans])
        labels = np.broadcast_to(labels[:, None], rows.shape)
        return DrawnViews(stored, rows, labels, recipe.batch_size, draw=(seed, epoch))

    key = {
        "features": features.folder.name,
        "training": [(scan.digest, scan.label) for scan in training],
        "validation": [(scan.digest, scan.label) for scan in validation],
        "recipe": describe_recipe(recipe),
        "seed": seed,
    }
    run = Run(run_folder(cache, key))
    train_epochs(
        run,
        suffix,
        lambda epoch: batches(training, rows, epoch),
        batches(validation, validation_rows, 0),
        recipe.epochs,
        recipe.patience,
        seed,
    )
    return model, [run]


def compile_suffix(suffix: keras.Model, recipe: BareRecipe) -> None:
    """Give the trained end its optimizer and its loss."""
    suffix.compile(
        optimizer=keras.optimizers.Adam(recipe.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
