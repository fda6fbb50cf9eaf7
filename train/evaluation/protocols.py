"""What is trained on and what is tested, in every way that `train.evaluate` names.

A test side is looked at once, after everything was chosen on the validation side.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import log_softmax
from sklearn.metrics import precision_recall_fscore_support

from serve.metrics import read_metrics
from serve.names import LABELS, TUMOURS
from train.data.dataset import Scan, Slice
from train.data.duplicates import Pairs, related_groups
from train.data.folds import Sides
from train.data.split import split
from train.evaluation.calibration import fit_temperature
from train.evaluation.predictions import Tested
from train.evaluation.scoring import accuracy_interval, score
from train.learning.training import Fit, Trainer, load_fit, predict_logits


def published_split(
    trained: Sequence[Scan], tested: Sequence[Scan], validation: float, seed: int, train: Trainer
) -> Tested:
    """Train on one folder of the published dataset, test on the other.

    The validation side is parted by file, as those do who publish such figures.
    """
    done = train(*split(trained, {}, validation, seed))
    return answered(done, tested, [scan.label for scan in tested])


def cross_validation(folds: Sequence[Sides], train: Trainer) -> list[Tested]:
    """Train and test each of the folds.

    Where there is no validation side, the temperature of a fold is the one of all the others'
    answers.
    """
    tested = [
        answered(train(sides.training, sides.validation), sides.tested, sides.labels)
        for sides in folds
    ]
    return tested if folds[0].validation else [calibrated_by_others(tested, one) for one in tested]


def calibrated_by_others(tested: Sequence[Tested], own: Tested) -> Tested:
    """With the temperature that fits the answers of all other folds; as it is, if it is alone."""
    others = [one for one in tested if one is not own]
    if not others:
        return own
    logits, labels = (
        np.concatenate([getattr(one, name) for one in others]) for name in ("logits", "labels")
    )
    return with_temperature(own, fit_temperature(logits, labels))


def with_temperature(tested: Tested, temperature: float) -> Tested:
    """The same answers, calibrated so."""
    filled = np.full((len(tested.logits), 1), temperature, np.float32)
    return dataclasses.replace(tested, temperature=filled)


def together(tested: Sequence[Tested]) -> Tested:
    """The test sides of several trainings as one."""
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
    answers = answered(done, sides.tested, sides.labels)
    return with_temperature(answers, published_temperature(models))


def published_temperature(models: Path) -> float:
    """That of the checkpoint in `models`, 1 if none was fitted."""
    return read_metrics(models).get("calibration", {}).get("temperature", 1.0)


def answered(done: Fit, scans: Sequence[Scan], labels: Sequence[int]) -> Tested:
    """The answers to the test side, calibrated by the validation side, if there is one."""
    logits = predict_logits(done, scans)
    answers = Tested(list(scans), np.array(labels), logits, np.ones((len(logits), 1), np.float32))
    return with_temperature(answers, validation_temperature(done)) if done.validation else answers


def validation_temperature(done: Fit) -> float:
    """The temperature that fits the answers to the validation side of a training."""
    labels = np.array([scan.label for scan in done.validation])
    return fit_temperature(predict_logits(done, done.validation), labels)


def protocol_figures(
    tested: Tested, scans: Sequence[Scan], pairs: Pairs, persons: Mapping[str, str]
) -> dict[str, Any]:
    """`train.evaluation.scoring.score` of the calibrated answers, and the accuracy's interval.

    Args:
        tested: the answers.
        scans: the whole dataset.
        pairs: the near-duplicates in it.
        persons: who is on a scan, by `Scan.name`; one person is one group of the interval.
    """
    groups = dict(zip((s.name for s in scans), related_groups(scans, pairs, persons), strict=True))
    right = tested.probabilities.argmax(1) == tested.labels
    interval = accuracy_interval(right, np.array([groups[scan.name] for scan in tested.scans]))
    return score(tested.labels, tested.calibrated) | {"accuracy_ci": interval}


def by_patient(tested: Tested, persons: Mapping[str, str]) -> dict[str, Any]:
    """Accuracy by patient: the class of the largest mean of the log probabilities over a person's
    images.

    Returns:
        accuracy and patients, the number of persons.
    """
    images: dict[str, list[int]] = defaultdict(list)
    for i, scan in enumerate(tested.scans):
        if person := persons.get(scan.name):
            images[person].append(i)
    log_probabilities = log_softmax(tested.logits / tested.temperature, axis=1)
    right = [
        log_probabilities[own].mean(axis=0).argmax() == tested.labels[own[0]]
        for own in images.values()
    ]
    return {"accuracy": float(np.mean(right)), "patients": len(right)}


def as_papers_count(
    tested: Tested, slices: Mapping[str, Slice], persons: Mapping[str, str]
) -> dict[str, Any]:
    """The figures that papers on the collection's own folds report: three classes, and each slice
    once (as its unmirrored image where there is one).

    Returns:
        accuracy, accuracy_ci (over persons), images, and per_class.CLASS.{precision, recall, f1}.
    """
    chosen: dict[int, int] = {}
    for i, scan in enumerate(tested.scans):
        known = slices.get(scan.name)
        if known and (known.index not in chosen or not known.mirrored):
            chosen[known.index] = i
    images = list(chosen.values())
    answers = np.array(TUMOURS)[tested.logits[images][:, TUMOURS].argmax(axis=1)]
    labels = tested.labels[images]
    groups = np.array([persons[tested.scans[i].name] for i in images])
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, answers, labels=TUMOURS, zero_division=0
    )
    return {
        "images": len(images),
        "accuracy": float((answers == labels).mean()),
        "accuracy_ci": accuracy_interval(answers == labels, groups),
        "per_class": {
            LABELS[label]: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
            }
            for i, label in enumerate(TUMOURS)
        },
    }


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
