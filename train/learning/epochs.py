"""Epochs with a checkpoint each: killed at any time, the same training ends the same."""

from __future__ import annotations

import csv
import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from filelock import FileLock

from serve.artifacts import replacing
from serve.command import UserError, one_line
from train import learning, pictures

# how Keras names the figures of a network with several outputs, and how they are named here
PLAINER = (
    ("logits_accuracy", "accuracy"),
    ("maps_pointed", "pointed"),
    ("logits_loss", "class_loss"),
    ("maps_loss", "attention"),
)


class AveragingAdam(keras.optimizers.Adam):
    """Adam that keeps a moving average of the weights, and the weights themselves.

    Keras's own puts the average in the weights' place at the end of every `fit`, which here is
    the end of every epoch. Polyak and Juditsky, "Acceleration of stochastic approximation by
    averaging", 1992.
    """

    def finalize_variable_values(self, var_list: Sequence[keras.Variable]) -> None:
        pass

    def average(self, variables: Sequence[keras.Variable]) -> None:
        """Put the averages in the weights' place."""
        super().finalize_variable_values(variables)


class Run:
    """What one training has on disk: a CSV log, and the last and the best epoch's checkpoint.

    An epoch has happened once its line is in the log; the checkpoint is written before it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.lock = FileLock(folder / "lock")  # of who trains
        self.history: list[dict[str, float]] = []
        self.read()

    def read(self) -> None:
        """Take up the epochs that have happened, in other processes, too."""
        with self.lock:
            self.history = _read_log(self.folder / "history.csv")

    @property
    def best(self) -> int:
        """The epoch (from 1) of the highest validation accuracy, the lower loss at a tie.

        Where it was measured, the share of tumours pointed at counts as much as the accuracy.
        Without a validation side it is the last.
        """
        if "val_accuracy" not in self.history[-1]:
            return len(self.history)

        def merit(entry: Mapping[str, float]) -> tuple[float, float]:
            return entry["val_accuracy"] + entry.get("val_pointed", 0), -entry["val_loss"]

        return int(max(self.history, key=merit)["epoch"])

    def finished(self, epochs: int, patience: int) -> bool:
        """Are all epochs done, or `patience` of them without a lower validation loss?"""
        losses = [entry.get("val_loss", -entry["epoch"]) for entry in self.history]
        done = len(losses)
        return done >= epochs or (done > 0 and done - 1 - int(np.argmin(losses)) >= patience)

    def add(self, entry: dict[str, float], model: keras.Model) -> None:
        """Keep an epoch: its checkpoint, optimizer included, first, then its line."""
        path = self._checkpoint(len(self.history) + 1)
        with replacing(path) as temporary:
            model.save_weights(temporary)
        self.history.append(entry)
        with replacing(self.folder / "history.csv") as temporary:
            write_log(self.history, temporary)
        keep = {self._checkpoint(len(self.history)), self._checkpoint(self.best)}
        for path in set(self.folder.glob("*.weights.h5")) - keep:
            path.unlink()

    def restore(self, epoch: int, model: keras.Model) -> None:
        """Give a compiled `model` and its optimizer the state they had after `epoch`.

        Raises:
            UserError: the checkpoint cannot be read.
        """
        path = self._checkpoint(epoch)
        model.optimizer.build(model.trainable_variables)
        try:
            model.load_weights(path)
        except Exception as error:  # h5py's, Keras's and the system's own types
            raise UserError(
                f"{path}: the checkpoint is damaged ({one_line(error)}); delete the folder "
                f"{self.folder}, and the same command trains from the start"
            ) from None

    def restore_best(self, model: keras.Model) -> None:
        """Give `model` the best epoch's weights, averaged if they were averaged."""
        self.restore(self.best, model)
        if isinstance(model.optimizer, AveragingAdam):
            model.optimizer.average(model.trainable_variables)

    def _checkpoint(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch:02}.weights.h5"


def train_epochs(
    run: Run,
    network: keras.Model,
    batches: Callable[[int], keras.utils.PyDataset],
    validation: keras.utils.PyDataset | None,
    epochs: int,
    patience: int,
    seed: int,
) -> None:
    """Train the epochs that `run` still lacks, and give `network` the best one's weights.

    Args:
        run: where they are kept.
        network: compiled.
        batches: of an epoch, by its number from 1.
        validation: the same batches after every epoch, if there are any.
        epochs, patience: see `Run.finished`.
        seed: of dropout, with the epoch's number.
    """
    with run.lock:
        run.read()  # another process may have been at it meanwhile
        averaged = isinstance(network.optimizer, AveragingAdam)
        if run.history:
            print(f"resuming after epoch {len(run.history)} of {epochs}")
            run.restore(len(run.history), network)
        while not run.finished(epochs, patience):
            epoch = len(run.history) + 1
            _reseed_dropout(network, seed, epoch)
            started = time.monotonic()
            result = network.fit(
                batches(epoch),
                validation_data=validation,
                initial_epoch=epoch - 1,
                epochs=epoch,
                shuffle=False,
                callbacks=[keras.callbacks.SwapEMAWeights()] if averaged else [],
                verbose=1 if sys.stdout.isatty() else 2,
            )
            figures = {_plain(name): float(v[-1]) for name, v in result.history.items()}
            run.add({"epoch": epoch, **figures, "seconds": time.monotonic() - started}, network)
        print(f"best epoch: {run.best} of {len(run.history)}")
        run.restore_best(network)


def run_folder(cache: Path, key: Mapping[str, Any]) -> Path:
    """Where the training that `key` describes, and today's code carries out, is kept."""
    if (versions := (pictures.VERSION, learning.VERSION)) != (1, 1):  # without: as it began
        key = {**key, "versions": versions}
    return cache / f"run-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]}"


def write_log(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """The training history as CSV, a line an epoch."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=history[0].keys())
        writer.writeheader()
        writer.writerows(history)


def _read_log(path: Path) -> list[dict[str, float]]:
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [
                {name: int(v) if name == "epoch" else float(v) for name, v in line.items()}
                for line in csv.DictReader(file, strict=True)
            ]
    except (ValueError, TypeError, csv.Error) as error:
        raise UserError(
            f"{path}: the log is damaged ({one_line(error)}); delete the folder {path.parent}, and "
            "the same command trains from the start"
        ) from None


def _reseed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    for number, layer in enumerate(model.layers):
        if isinstance(layer, keras.layers.Dropout):
            rng = np.random.default_rng([seed, epoch, number])
            state = layer.seed_generator.state
            state.assign(rng.integers(2**31, size=state.shape))


def _plain(name: str) -> str:
    for long, short in PLAINER:
        name = name.replace(long, short)
    return name
