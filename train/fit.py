"""Fine-tune VGG16 on a folder of brain MRI scans: python -m train.fit --data DIR

The frozen convolutions run once (train/features.py); the epochs train block5 and the head on
what they gave. Every epoch ends with a checkpoint, and everything random is drawn from the
seed and the epoch's number, so the same command resumes an interrupted training and ends with
the same weights.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import hashlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from filelock import FileLock

from serve.artifacts import KERAS_NAME, replacing, sha256, write_metrics
from train.calibration import fit_temperature
from train.command import add_training_arguments, one_line_errors, read_training_arguments
from train.dataset import PARTS, Scan, class_counts, find_scans
from train.features import FeatureCache
from train.model import (
    MODEL_VERSION,
    build_model,
    frozen_prefix,
    round_to_float16,
    save_float16,
    trainable_suffix,
)
from train.plots import plot_history
from train.recipes import Recipe
from train.split import split


@dataclass(frozen=True)
class Fit:
    """A finished training."""

    model: keras.Model  # the whole network, best weights, rounded to float16
    suffix: keras.Model  # its trained end, from block4_pool to logits
    features: FeatureCache
    history: list[dict[str, float]]  # an entry an epoch
    best: int  # the epoch whose weights were kept
    training: list[Scan]
    validation: list[Scan]


class DrawnViews(keras.utils.PyDataset):
    """The batches of one epoch: shuffled scans, one of its views drawn for each."""

    def __init__(
        self,
        features: np.ndarray,
        rows: np.ndarray,
        labels: np.ndarray,
        batch_size: int,
        draw: Sequence[int],
    ) -> None:
        super().__init__()
        rng = np.random.default_rng(draw)
        order = rng.permutation(len(rows))
        views = rng.integers(rows.shape[1], size=len(rows))
        self._features = features
        self._rows = rows[order, views[order]]
        self._labels = labels[order]
        self._batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self._rows) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        batch = slice(index * self._batch_size, (index + 1) * self._batch_size)
        return self._features[self._rows[batch]].astype(np.float32), self._labels[batch]


class Run:
    """What one training has on disk: a CSV log, and the last and the best epoch's checkpoint.

    An epoch has happened once its line is in the log; the checkpoint is written before it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.history = _read_log(folder / "history.csv")

    @property
    def best(self) -> int:
        """The epoch (from 1) of the highest validation accuracy, the lower loss at a tie."""
        return int(max(self.history, key=lambda e: (e["val_accuracy"], -e["val_loss"]))["epoch"])

    def finished(self, recipe: Recipe) -> bool:
        """Are all epochs done, or `patience` of them without a lower validation loss?"""
        losses = [entry["val_loss"] for entry in self.history]
        done = len(losses)
        return done >= recipe.epochs or (
            done > 0 and done - 1 - int(np.argmin(losses)) >= recipe.patience
        )

    def add(self, entry: dict[str, float], model: keras.Model) -> None:
        """Keep an epoch: its checkpoint first, then its line."""
        with replacing(self._checkpoint(len(self.history) + 1)) as temporary:
            model.save(temporary)
        self.history.append(entry)
        with replacing(self.folder / "history.csv") as temporary:
            write_log(self.history, temporary)
        keep = {self._checkpoint(len(self.history)), self._checkpoint(self.best)}
        for path in set(self.folder.glob("*.keras")) - keep:
            path.unlink()

    def restore(self, epoch: int, model: keras.Model) -> None:
        """Give `model` and its optimizer the state they had after `epoch`."""
        stored = keras.models.load_model(self._checkpoint(epoch))
        model.set_weights(stored.get_weights())
        model.optimizer.build(model.trainable_variables)
        for ours, theirs in zip(model.optimizer.variables, stored.optimizer.variables, strict=True):
            ours.assign(theirs)

    def _checkpoint(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch:02}.keras"


def fit(
    training: list[Scan],
    validation: list[Scan],
    recipe: Recipe,
    seed: int,
    base_weights: Path | None,
    cache: Path,
) -> Fit:
    """Train, or go on where the same training was interrupted.

    Args:
        training: what the weights are fitted to.
        validation: what the epoch is chosen on, see `train.split.split`.
        recipe: how.
        seed: of everything random.
        base_weights: a local copy of VGG16's ImageNet weights, or None to download them.
        cache: where features and checkpoints are kept.

    Raises:
        train.model.WeightsError: no base weights.
    """
    keras.utils.set_random_seed(seed)
    print(f"training    {len(training)}: {class_counts(training)}")
    print(f"validation  {len(validation)}: {class_counts(validation)}")

    model = build_model(recipe, base_weights)
    features = FeatureCache(cache, frozen_prefix(model), recipe, seed)
    rows = features.rows_of(training, recipe.views)
    validation_rows = features.rows_of(validation, 1)
    suffix = trainable_suffix(model)
    compile_suffix(suffix, recipe)
    run = Run(cache / _run_name(features, training, validation, recipe, seed))
    with FileLock(run.folder / "lock"):
        _train(run, suffix, features, (training, rows), (validation, validation_rows), recipe, seed)
    run.restore(run.best, suffix)
    round_to_float16(model)
    return Fit(model, suffix, features, run.history, run.best, training, validation)


def compile_suffix(suffix: keras.Model, recipe: Recipe) -> None:
    """Give the trained end its optimizer and its loss."""
    suffix.compile(
        optimizer=keras.optimizers.Adam(recipe.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )


def predict_logits(done: Fit, scans: Sequence[Scan]) -> np.ndarray:
    """Logits of the scans as they are, float32 (N, 4)."""
    suffix, features = done.suffix, done.features
    rows = features.rows_of(scans, 1)[:, 0]
    stored = features.rows()
    logits = [
        suffix.predict_on_batch(stored[rows[start : start + 64]].astype(np.float32))
        for start in range(0, len(rows), 64)
    ]
    return np.concatenate(logits)


def write_log(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """The training history as CSV, a line an epoch."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=history[0].keys())
        writer.writeheader()
        writer.writerows(history)


def _train(
    run: Run,
    suffix: keras.Model,
    features: FeatureCache,
    training: tuple[Sequence[Scan], np.ndarray],
    validation: tuple[Sequence[Scan], np.ndarray],
    recipe: Recipe,
    seed: int,
) -> None:
    if run.history:
        print(f"resuming after epoch {len(run.history)} of {recipe.epochs}")
        run.restore(len(run.history), suffix)
    stored = features.rows()
    batches = [
        (stored, rows, np.array([scan.label for scan in scans]), recipe.batch_size)
        for scans, rows in (training, validation)
    ]
    while not run.finished(recipe):
        epoch = len(run.history) + 1
        _reseed_dropout(suffix, seed, epoch)
        started = time.monotonic()
        result = suffix.fit(
            DrawnViews(*batches[0], draw=(seed, epoch)),
            validation_data=DrawnViews(*batches[1], draw=(seed, 0)),
            initial_epoch=epoch - 1,
            epochs=epoch,
            shuffle=False,
            verbose=1 if sys.stdout.isatty() else 2,
        )
        figures = {name: float(values[-1]) for name, values in result.history.items()}
        run.add({"epoch": epoch, **figures, "seconds": time.monotonic() - started}, suffix)
    print(f"best epoch: {run.best} of {len(run.history)}")


def _reseed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    for number, layer in enumerate(model.layers):
        if isinstance(layer, keras.layers.Dropout):
            rng = np.random.default_rng([seed, epoch, number])
            state = layer.seed_generator.state
            state.assign(rng.integers(2**31, size=state.shape))


def _run_name(
    features: FeatureCache,
    training: Sequence[Scan],
    validation: Sequence[Scan],
    recipe: Recipe,
    seed: int,
) -> str:
    key = {
        "features": features.folder.name,
        "training": [(scan.digest, scan.label) for scan in training],
        "validation": [(scan.digest, scan.label) for scan in validation],
        "recipe": dataclasses.asdict(recipe),
        "seed": seed,
    }
    return f"run-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]}"


def _read_log(path: Path) -> list[dict[str, float]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [
            {name: int(value) if name == "epoch" else float(value) for name, value in line.items()}
            for line in csv.DictReader(file)
        ]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.fit", description=__doc__.split("\n")[0])
    add_training_arguments(parser)
    parser.add_argument("--train-on", choices=PARTS, default="Training", help="default: Training")
    args = parser.parse_args(argv)
    recipe, slices = read_training_arguments(args)

    scans = find_scans(args.data, args.train_on)
    print(f"{args.train_on}: {class_counts(scans)}")
    sides = split(scans, slices, recipe.validation, args.seed)
    done = fit(*sides, recipe, args.seed, args.base_weights, args.cache)

    logits = predict_logits(done, done.validation)
    labels = np.array([scan.label for scan in done.validation])
    right = logits.argmax(1) == labels
    temperature = fit_temperature(logits, labels)
    print(f"validation accuracy of the rounded weights: {right.mean():.2%}")
    print(f"temperature: {temperature:.3f}")
    checkpoint = args.output / KERAS_NAME
    save_float16(done.model, checkpoint)
    with replacing(args.output / "report" / "training_history.csv") as temporary:
        write_log(done.history, temporary)
    plot_history(done.history, done.best, args.output / "report" / "training_history.png")
    write_metrics(
        args.output,
        "model",
        {
            "sha256": sha256(checkpoint),
            "version": MODEL_VERSION,
            "recipe": args.recipe,
            "seed": args.seed,
            "trained_on": f"{args.train_on}, {len(done.training)} images",
            "validation_accuracy": float(right.mean()),
            "epochs": len(done.history),
            "best_epoch": done.best,
        },
    )
    write_metrics(args.output, "calibration.temperature", temperature)
    print(f"wrote {checkpoint}")
    return 0


if __name__ == "__main__":
    sys.exit(one_line_errors(main))
