"""The answers to a test side: as they are given, saved and read, models/predictions/PROTOCOL.csv,
and tables of them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.metrics import confusion_matrix, roc_auc_score, roc_curve

from serve.artifacts import MODELS, replacing
from serve.command import UserError
from serve.measures import confidence_bins
from serve.names import LABELS, UNKNOWN_TUMOUR
from train.data.dataset import Scan

PREDICTIONS = MODELS / "predictions"
PROTOCOLS = {
    "seed": "the notebook's split",
    "kaggle": "the published split",
    "patient": "no patient on two sides",
    "published": "this very model, patients left out",
}
CURVE_POINTS = 200
CONFIDENCE_EDGES = np.linspace(1 / len(LABELS), 1, 16)  # the most probable of 4 has 1/4 or more


@dataclass(frozen=True)
class Tested:
    """A protocol's test side, and what was predicted for it."""

    scans: list[Scan]
    labels: np.ndarray  # int (N,)
    logits: np.ndarray  # float32 (N, 4)
    temperature: np.ndarray  # float32 (N, 1), fitted on the validation side of its training

    @property
    def probabilities(self) -> np.ndarray:
        """Uncalibrated, float32 (N, 4)."""
        return softmax(self.logits, axis=1)

    @property
    def calibrated(self) -> np.ndarray:
        """Temperature-scaled probabilities, float32 (N, 4)."""
        return softmax(self.logits / self.temperature, axis=1)


@dataclass(frozen=True)
class Predictions:
    """The saved answers for N test images."""

    labels: np.ndarray  # int (N,), the true classes, indices into LABELS
    calibrated: np.ndarray  # float (N, 4), probabilities after temperature scaling
    uncalibrated: np.ndarray  # float (N, 4), before it

    @property
    def predicted(self) -> np.ndarray:
        """int (N,), indices into LABELS."""
        return self.calibrated.argmax(axis=1)

    @property
    def right(self) -> np.ndarray:
        """bool (N,)."""
        return self.predicted == self.labels

    @property
    def confidence(self) -> np.ndarray:
        """Calibrated, float (N,) from 0.25 to 1."""
        return self.calibrated.max(axis=1)


@dataclass(frozen=True)
class Curve:
    """A one-vs-rest ROC curve of at most CURVE_POINTS points."""

    false_positive_rate: np.ndarray  # float (M,), rising from 0 to 1
    true_positive_rate: np.ndarray  # float (M,), rising from 0 to 1
    area: float  # under the curve of all points


def write_predictions(tested: Tested, path: Path) -> None:
    """A line a test image: its name, its true class, the temperature of the model that answered,
    the four calibrated probabilities (to four digits, however small)."""
    name_of = {UNKNOWN_TUMOUR: "other_tumour"} | dict(enumerate(LABELS))
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "label", "temperature", *LABELS))
        for scan, label, temperature, row in zip(
            tested.scans, tested.labels, tested.temperature[:, 0], tested.calibrated, strict=True
        ):
            writer.writerow(
                (scan.name, name_of[label], f"{temperature:.4f}", *(f"{p:.4g}" for p in row))
            )


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises:
        UserError: the file is not such a table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        labels = np.array([LABELS.index(row["label"]) for row in rows])
        calibrated = np.array([[float(row[name]) for name in LABELS] for row in rows])
        temperature = np.array([[float(row["temperature"])] for row in rows])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: no table of predictions: {error!r}") from error
    if not rows:
        raise UserError(f"{path}: holds no prediction")
    sharpened = calibrated**temperature  # softmax(temperature * log p), but for the sum
    return Predictions(labels, calibrated, sharpened / sharpened.sum(axis=1, keepdims=True))


def read_protocols(folder: Path) -> dict[str, Predictions]:
    """The predictions of every protocol that has a file in `folder`."""
    paths = {name: folder / f"{name}.csv" for name in PROTOCOLS}
    return {name: read_predictions(path) for name, path in paths.items() if path.exists()}


def confusion(tested: Predictions) -> np.ndarray:
    """Counts of images, int (4, 4): a row a true class, a column a predicted one."""
    return confusion_matrix(tested.labels, tested.predicted, labels=range(len(LABELS)))


def roc(tested: Predictions) -> dict[str, Curve]:
    """The curve of every class against the others."""
    return {name: _curve(tested, i) for i, name in enumerate(LABELS)}


def _curve(tested: Predictions, label: int) -> Curve:
    truth, scores = tested.labels == label, tested.calibrated[:, label]
    false, true, _ = roc_curve(truth, scores)
    kept = np.unique(np.linspace(0, len(false) - 1, CURVE_POINTS).round().astype(int))
    return Curve(false[kept], true[kept], float(roc_auc_score(truth, scores)))


def confidences(tested: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Counts of right and of wrong answers between CONFIDENCE_EDGES, int (15,) each."""
    right, confidence = tested.right, tested.confidence
    return tuple(np.histogram(confidence[own], CONFIDENCE_EDGES)[0] for own in (right, ~right))


def _confusion_rows(tested: Predictions) -> Iterator[dict[str, Any]]:
    for true, counts in zip(LABELS, confusion(tested), strict=True):
        for predicted, images in zip(LABELS, counts, strict=True):
            yield {"true": true, "predicted": predicted, "images": images}


def _roc_rows(tested: Predictions) -> Iterator[dict[str, Any]]:
    for name, curve in roc(tested).items():
        for false, true in zip(curve.false_positive_rate, curve.true_positive_rate, strict=True):
            yield {"class": name, "false_positive_rate": false, "true_positive_rate": true}


def _reliability_rows(tested: Predictions) -> Iterator[dict[str, Any]]:
    for scaling, own in (("before", tested.uncalibrated), ("after", tested.calibrated)):
        for share, accuracy, confidence in confidence_bins(own, tested.labels):
            yield {
                "scaling": scaling,
                "share": share,
                "accuracy": accuracy,
                "mean_confidence": confidence,
            }


def _confidence_rows(tested: Predictions) -> Iterator[dict[str, Any]]:
    edges = pairwise(CONFIDENCE_EDGES)
    for (low, high), right, wrong in zip(edges, *confidences(tested), strict=True):
        yield {"from": low, "to": high, "right": right, "wrong": wrong}


TABLES: dict[str, Callable[[Predictions], Iterator[dict[str, Any]]]] = {
    "confusion": _confusion_rows,
    "roc": _roc_rows,
    "reliability": _reliability_rows,
    "confidence": _confidence_rows,
}
