"""What the feature cache saves, measured: epochs and extraction side by side, in turn."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from train.data.dataset import find_scans
from train.learning.bare import compile_suffix
from train.learning.batches import DrawnViews
from train.learning.features import FeatureCache
from train.network.vgg16 import build_model, frozen_prefix, trainable_suffix
from train.pictures.augment import AugmentedViews
from train.recipes import BareRecipe

EPOCHS = 15
ROUNDS = 3


def measure_epochs(data: Path, base_weights: Path | None, images: int) -> dict[str, float]:
    """Seconds an epoch over `images` scans, the plain way and the cached way."""
    recipe = BareRecipe()
    scans = find_scans(data, "Training")
    scans = [scans[i] for i in np.linspace(0, len(scans) - 1, images).astype(int)]
    labels = np.array([scan.label for scan in scans])
    pixels = np.stack([scan.pixels() for scan in scans]).astype(np.float32)

    plain = build_model(recipe.network, base_weights)
    plain.compile(
        optimizer=keras.optimizers.Adam(recipe.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    cached = build_model(recipe.network, base_weights)
    prefix, suffix = frozen_prefix(cached), trainable_suffix(cached)
    compile_suffix(suffix, recipe)

    with tempfile.TemporaryDirectory() as folder:
        features = FeatureCache(Path(folder), prefix, AugmentedViews(recipe, seed=0))
        rows = features.rows_of(scans[: recipe.batch_size], 1)  # traces the prefix

        def extract_view(number: int) -> None:
            nonlocal rows
            rows = features.rows_of(scans, number + 2)

        def plain_epoch(_: int) -> None:
            plain.fit(pixels, labels, batch_size=recipe.batch_size, verbose=0)

        def cached_epoch(number: int) -> None:
            targets = np.broadcast_to(labels[:, None], rows.shape)
            batches = DrawnViews(features.rows(), rows, targets, recipe.batch_size, (0, number))
            suffix.fit(batches, verbose=0)

        extract_view(-1)
        steps = {"plain_epoch": plain_epoch, "view": extract_view, "cached_epoch": cached_epoch}
        seconds = _in_turn(steps)
    plain_training = EPOCHS * seconds["plain_epoch"]
    cached_training = recipe.views * seconds["view"] + EPOCHS * seconds["cached_epoch"]
    return {
        "images": images,
        "views": recipe.views,
        "epochs": EPOCHS,
        "plain_epoch_seconds": seconds["plain_epoch"],
        "cached_epoch_seconds": seconds["cached_epoch"],
        "extraction_seconds_a_view": seconds["view"],
        "epoch_ratio": seconds["plain_epoch"] / seconds["cached_epoch"],
        "training_ratio": plain_training / cached_training,
    }


def _in_turn(steps: dict[str, Callable[[int], None]]) -> dict[str, float]:
    """Median seconds of each step over `ROUNDS`, after a round that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    with tqdm(total=(ROUNDS + 1) * len(steps), desc="benchmark", unit="step") as bar:
        for number in range(ROUNDS + 1):
            for name, step in steps.items():
                started = time.perf_counter()
                step(number)
                seconds[name].append(time.perf_counter() - started)
                bar.update()
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}
