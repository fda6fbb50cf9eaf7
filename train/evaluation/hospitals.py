"""How good a model is on scans of other hospitals, with intervals over groups of scans.

    unseen     each hospital in turn is left out of the training and tested
    hospitals  the published file, on what its training left out of each

A collection without tumour-free scans of its own is held against those of the dataset's test side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from serve.artifacts import OOD_NAME
from serve.command import UserError
from serve.detector import Detector, read_detector
from serve.measures import calibration_error, pointed
from serve.names import NOTUMOR
from train.data.collections import Collected, collection_of, place_all
from train.data.dataset import UNKNOWN_TUMOUR, Scan
from train.data.folds import Sides
from train.data.sides import held_back, without_each
from train.evaluation.protocols import published_temperature, validation_temperature
from train.evaluation.refusal import fit_to_sides
from train.learning.pooled import PooledCache
from train.learning.training import Fit, Trainer, load_fit, predict
from train.network.class_maps import explained_suffix, maps_of_classes
from train.pictures.augment import AugmentedViews
from train.recipes import BareRecipe

SPECIFICITY = 0.9
CONFIDENT = 0.9
RESAMPLES = 500
SEQUENCE = re.compile(r"_(T1C\+|T1|T2)_")  # in feltrin44's file names


@dataclass(frozen=True)
class Answers:
    """What a model said of the scans of one collection; arrays of N."""

    labels: np.ndarray  # int, indices into LABELS, or UNKNOWN_TUMOUR
    probabilities: np.ndarray  # float (N, 4), calibrated
    refused: np.ndarray  # bool, not taken for a brain MRI
    pointed: np.ndarray  # float, the pointing game, 0 or 1; NaN where there is no outline
    groups: np.ndarray  # who or what the scans share

    def part(self, chosen: np.ndarray) -> Answers:
        """The chosen ones, by index (as often as drawn) or bool (N,)."""
        return Answers(*(getattr(self, name.name)[chosen] for name in fields(self)))

    @property
    def tumour(self) -> np.ndarray:
        """bool (N,), there is one."""
        return self.labels != NOTUMOR

    @property
    def said_tumour(self) -> np.ndarray:
        """bool (N,), the answer is a tumour of any kind."""
        return self.probabilities.argmax(axis=1) != NOTUMOR

    @property
    def right(self) -> np.ndarray:
        """bool (N,): the class is the answer, or any tumour where its kind is not known."""
        unknown = self.labels == UNKNOWN_TUMOUR
        return np.where(unknown, self.said_tumour, self.probabilities.argmax(axis=1) == self.labels)

    @property
    def score(self) -> np.ndarray:
        """How probable any tumour is, float (N,)."""
        return 1 - self.probabilities[:, NOTUMOR]

    @property
    def confident(self) -> np.ndarray:
        """bool (N,)."""
        return self.probabilities.max(axis=1) > CONFIDENT


def unseen_hospitals(
    scans: Sequence[Scan],
    collected: Collected,
    broad: bool,
    train: Trainer,
    temperature: float | None,
    cache: Path,
) -> dict[str, Any]:
    """Leave each hospital out, train on the rest, test on it: `score_hospital` by collection.

    The score of what is no brain MRI is fitted without it, too.

    Args:
        scans: of both parts of the dataset.
        collected: of the hospitals.
        broad: whether the recipe trains on other hospitals at all.
        temperature: of a recipe without a validation side.
        cache: where features are kept.
    """
    figures: dict[str, Any] = {}
    for sides, tested in without_each(scans, collected, broad):
        done = train(sides.training, sides.validation)
        own = temperature or validation_temperature(done)
        pooled = plain_pooled(cache, done)
        detector = fit_to_sides(pooled, held_back(sides, collected), views=1)
        answer = partial(
            answer_hospital,
            done,
            collected=collected,
            temperature=own,
            pooled=pooled,
            detector=detector,
        )
        figures |= score_hospitals(tested, healthy_of(sides), answer)
    return figures


def published_on_hospitals(
    models: Path, scans: Sequence[Scan], collected: Collected, cache: Path
) -> dict[str, Any]:
    """Test the file in `models` on what its training left out of each collection.

    Raises:
        UserError: see `train.learning.training.load_fit`, or it was trained on no collection.
    """
    done, sides = load_fit(models, [*scans, *collected.scans], cache)
    tested = [scan for scan in sides.tested if collection_of(scan)]
    if not tested:
        raise UserError(f"{models}: its training left out no scan of these collections")
    answer = partial(
        answer_hospital,
        done,
        collected=collected,
        temperature=published_temperature(models),
        pooled=plain_pooled(cache, done),
        detector=read_detector(models / OOD_NAME),
    )
    return score_hospitals(tested, healthy_of(sides), answer)


def healthy_of(sides: Sides) -> list[Scan]:
    """The tumour-free scans of the dataset that are tested on."""
    return [
        scan
        for scan, label in zip(sides.tested, sides.labels, strict=True)
        if label == NOTUMOR and not collection_of(scan)
    ]


def plain_pooled(cache: Path, done: Fit) -> PooledCache:
    """The pooled features of a trained network."""
    return PooledCache(cache, done.model, AugmentedViews(BareRecipe(), seed=0))


def answer_hospital(
    done: Fit,
    scans: Sequence[Scan],
    collected: Collected,
    temperature: float,
    pooled: PooledCache,
    detector: Detector,
) -> Answers:
    """What a trained model says of scans, of the dataset or collected."""
    labels = np.array([scan.label for scan in scans])
    found = predict(explained_suffix(done.suffix), done.features, scans)
    maps = maps_of_classes(found["maps"], labels)
    outlines = [collected.outlines.get(scan.name) for scan in scans]
    hits = np.full(len(scans), np.nan)
    for i, outline in enumerate(outlines):
        if outline and labels[i] != NOTUMOR and (mask := outline.mask()).any():
            hits[i] = pointed(maps[i][None], mask[None])[0]
    persons = {name: at.person for name, at in place_all(collected).items()}
    return Answers(
        labels,
        softmax(found["logits"] / temperature, axis=1),
        detector.score(pooled.of(scans)) > detector.threshold,
        hits,
        np.array([persons.get(scan.name) or scan.digest for scan in scans]),
    )


def score_hospitals(
    tested: Sequence[Scan], healthy: Sequence[Scan], answer: Callable[[Sequence[Scan]], Answers]
) -> dict[str, Any]:
    """`score_hospital` of each collection among the scans, and of its sequences.

    Args:
        tested: scans of collections.
        healthy: tumour-free scans of the dataset that were not trained on.
        answer: asks the model.
    """
    figures: dict[str, Any] = {}
    for name in dict.fromkeys(collection_of(scan) for scan in tested):
        own = [scan for scan in tested if collection_of(scan) == name]
        if not any(scan.label == NOTUMOR for scan in own):
            own += healthy
        answers = answer(own)
        figures[name] = score_hospital(answers)
        if sequences := by_sequence(answers, own):
            figures[name]["by_sequence"] = sequences
    return figures


def score_hospital(answers: Answers) -> dict[str, Any]:
    """The figures of one collection, each with NAME_ci, its 95 % interval.

    The interval is the bootstrap's over groups (see
    `train.evaluation.scoring.accuracy_interval`); None where a figure cannot be had.

    Returns:
        auc of 1 - P(notumor); sensitivity and specificity as it is (any tumour class is an answer);
        sensitivity_at_specificity_90; named, the share of the tumours of a known kind whose kind is
        the answer; accuracy_above_90, of answers above 90 % confidence, and share_above_90; ece;
        refused; pointing_game.
    """
    members = _members(answers.groups)
    rng = np.random.default_rng(0)
    drawn = [
        np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        for _ in range(RESAMPLES)
    ]
    resampled = Parallel(n_jobs=-1)(delayed(_measured)(answers.part(index)) for index in drawn)
    figures: dict[str, Any] = {"images": len(answers.labels), "groups": len(members)}
    for name, measure in MEASURES.items():
        figures[name] = measure(answers)
        known = [found[name] for found in resampled if found[name] is not None]
        figures[f"{name}_ci"] = (
            [float(bound) for bound in np.quantile(known, (0.025, 0.975))] if known else None
        )
    return figures


def by_sequence(answers: Answers, scans: Sequence[Scan]) -> dict[str, dict[str, Any]]:
    """`score_hospital` of each sequence that the scans' file names tell, T1, T1C+ or T2."""
    found = [SEQUENCE.search(scan.path.name) for scan in scans]
    names = np.array([match[1] if match else "" for match in found])
    return {name: score_hospital(answers.part(names == name)) for name in sorted(set(names) - {""})}


Measure = Callable[[Answers], float | None]


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _auc(a: Answers) -> float | None:
    return float(roc_auc_score(a.tumour, a.score)) if 0 < a.tumour.mean() < 1 else None


def _at_specificity(a: Answers) -> float | None:
    if not 0 < a.tumour.mean() < 1:
        return None
    threshold = np.quantile(a.score[~a.tumour], SPECIFICITY)
    return float((a.score[a.tumour] > threshold).mean())


def _named(a: Answers) -> float | None:
    return _mean(a.right[a.tumour & (a.labels != UNKNOWN_TUMOUR)])


def _ece(a: Answers) -> float:
    """Of the answers; a tumour of unknown kind is scored by the most probable tumour."""
    labels = np.where(a.right, a.probabilities.argmax(axis=1), UNKNOWN_TUMOUR)
    return calibration_error(a.probabilities, labels)


MEASURES: dict[str, Measure] = {
    "auc": _auc,
    "sensitivity": lambda a: _mean(a.said_tumour[a.tumour]),
    "specificity": lambda a: _mean(~a.said_tumour[~a.tumour]),
    "sensitivity_at_specificity_90": _at_specificity,
    "named": _named,
    "share_above_90": lambda a: _mean(a.confident),
    "accuracy_above_90": lambda a: _mean(a.right[a.confident]),
    "ece": _ece,
    "refused": lambda a: _mean(a.refused),
    "pointing_game": lambda a: _mean(a.pointed[~np.isnan(a.pointed)]),
}


def _measured(answers: Answers) -> dict[str, float | None]:
    return {name: measure(answers) for name, measure in MEASURES.items()}


def _members(groups: np.ndarray) -> list[np.ndarray]:
    _, group = np.unique(groups, return_inverse=True)
    order = np.argsort(group, kind="stable")
    return np.split(order, np.cumsum(np.bincount(group))[:-1])
