"""What is trained on and what is tested, in every way that `train.evaluate` names.

A test side is looked at once, after everything was chosen on the validation side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from serve.names import NOTUMOR
from train.data.br35h import Unseen
from train.data.dataset import Scan, Slice
from train.data.duplicates import Pairs, related_groups
from train.data.folds import FOLD, Sides, patient_sides
from train.data.split import split
from train.evaluation.calibration import fit_temperature
from train.evaluation.predictions import Tested
from train.evaluation.scoring import accuracy_interval, score, score_collection
from train.learning.training import Fit, Trainer, load_fit, predict_logits


def published_split(
    trained: Sequence[Scan], tested: Sequence[Scan], validation: float, seed: int, train: Trainer
) -> Tested:
    """Train on one folder of the published dataset, test on the other.

    The validation side is parted by file, as those do who publish such figures.
    """
    done = train(*split(trained, {}, validation, seed))
    return answered(done, tested, [scan.label for scan in tested])


def cross_validation(folds: Sequence[Sides], train: Trainer) -> Tested:
    """Train and test each of the folds, and put their test sides together."""
    tested = [
        answered(train(sides.training, sides.validation), sides.tested, sides.labels)
        for sides in folds
    ]
    return Tested(
        [scan for one in tested for scan in one.scans],
        *(
            np.concatenate([getattr(one, name) for one in tested])
            for name in ("labels", "logits", "temperature")
        ),
    )


def published_checkpoint(models: Path, scans: Sequence[Scan], cache: Path) -> Tested:
    """Test the checkpoint in `models` on what its training left out; nothing is trained.

    Raises:
        UserError: see `train.learning.training.load_fit`.
    """
    done, sides = load_fit(models, scans, cache)
    return answered(done, sides.tested, sides.labels)


def answered(done: Fit, scans: Sequence[Scan], labels: Sequence[int]) -> Tested:
    """Fit the temperature on the validation side of a training, then answer the test side."""
    validation = np.array([scan.label for scan in done.validation])
    temperature = fit_temperature(predict_logits(done, done.validation), validation)
    logits = predict_logits(done, scans)
    return Tested(
        list(scans), np.array(labels), logits, np.full((len(logits), 1), temperature, np.float32)
    )


def unseen_collection(scans: Sequence[Scan], unseen: Unseen, train: Trainer) -> dict[str, Any]:
    """Train on the first fold's training side less the copies of `unseen`, test on both.

    Returns:
        See `train.evaluation.scoring.score_collection`; the healthy scans are those of the first
        fold's test side.
    """
    sides = patient_sides(scans)[FOLD]
    done = train(
        *(
            [scan for scan in side if scan.name not in unseen.copies]
            for side in (sides.training, sides.validation)
        )
    )
    healthy = [s for s, label in zip(sides.tested, sides.labels, strict=True) if label == NOTUMOR]
    tumour, healthy = (
        softmax(predict_logits(done, side), axis=1) for side in (unseen.tumours, healthy)
    )
    return score_collection(tumour, healthy)


def protocol_figures(
    tested: Tested, scans: Sequence[Scan], pairs: Pairs, slices: Mapping[str, Slice]
) -> dict[str, Any]:
    """`train.evaluation.scoring.score` of the calibrated answers, and the accuracy's interval.

    Args:
        tested: the answers.
        scans: the whole dataset.
        pairs: the near-duplicates in it.
        slices: by `Scan.name`; what may be of one patient is one group of the interval.
    """
    groups = dict(zip((s.name for s in scans), related_groups(scans, pairs, slices), strict=True))
    right = tested.probabilities.argmax(1) == tested.labels
    interval = accuracy_interval(right, np.array([groups[scan.name] for scan in tested.scans]))
    return score(tested.labels, tested.calibrated) | {"accuracy_ci": interval}


def without_copies(tested: Tested, scans: Sequence[Scan], pairs: Pairs) -> dict[str, Any]:
    """Accuracy on the test images of which no copy was trained on."""
    names = {scan.name for scan in tested.scans}
    outside = np.array([scan.name not in names for scan in scans])
    copied = {
        scans[one].name
        for first, second in zip(pairs.first, pairs.second, strict=True)
        for one, other in ((first, second), (second, first))
        if outside[other] and not outside[one]
    }
    fresh = np.array([scan.name not in copied for scan in tested.scans])
    right = tested.probabilities.argmax(1) == tested.labels
    return {
        "accuracy_without_duplicates": float(right[fresh].mean()) if fresh.any() else None,
        "images_without_duplicates": int(fresh.sum()),
    }
