"""How good a model is on scans of other hospitals, with intervals over groups of scans.

    unseen     each hospital in turn is left out of the training and tested
    hospitals  the published file, on what its training left out of each

A collection without tumour-free scans of its own is held against those of the dataset's test side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from scipy.special import softmax

from serve import tumours
from serve.artifacts import OOD_NAME
from serve.command import UserError
from serve.detector import Detector, read_detector
from serve.measures import pointed
from serve.names import NOTUMOR
from serve.tumours import mean
from train.data.collections import Collected, collection_of, place_all
from train.data.dataset import Scan
from train.data.folds import Sides
from train.data.sides import held_back
from train.evaluation.predictions import Tested
from train.evaluation.protocols import published_temperature, validation_temperature
from train.evaluation.refusal import fit_to_sides
from train.evaluation.runs import healthy_runs
from train.learning.pooled import PooledCache
from train.learning.training import Fit, Trainer, load_fit, predict
from train.network.class_maps import explained_suffix, maps_of_classes
from train.pictures.augment import AugmentedViews
from train.recipes import BareRecipe

RESAMPLES = 500
SEQUENCE = re.compile(r"_(T1C\+|T1|T2)_")  # in feltrin44's file names


@dataclass(frozen=True)
class Answers(tumours.Answers):
    """What a model said of the scans of one collection, calibrated; arrays of N."""

    refused: np.ndarray  # bool, not taken for a brain MRI
    pointed: np.ndarray  # float, the pointing game, 0 or 1; NaN where there is no outline
    groups: np.ndarray  # who or what the scans share

    def part(self, chosen: np.ndarray) -> Answers:
        """The chosen ones, by index (as often as drawn) or bool (N,)."""
        return Answers(*(getattr(self, name.name)[chosen] for name in fields(self)))


def unseen_hospitals(
    parted: Iterable[tuple[Sides, list[Scan]]],
    collected: Collected,
    train: Trainer,
    temperature: float | None,
    cache: Path,
) -> dict[str, Any]:
    """Leave each hospital out, train on the rest, test on it: `score_hospital` by collection.

    The score of what is no brain MRI is fitted without it, too.

    Args:
        parted: what `train.data.sides.without_each` gives.
        collected: of the hospitals.
        temperature: of a recipe without a validation side.
        cache: where features are kept.
    """
    figures: dict[str, Any] = {}
    for sides, tested in parted:
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
        figures |= score_hospitals(answer_hospitals(tested, healthy_of(sides), answer))
    return figures


def published_on_hospitals(
    models: Path, scans: Sequence[Scan], collected: Collected, cache: Path
) -> tuple[dict[str, Any], Tested]:
    """Test the file in `models` on what its training left out of each collection.

    Returns:
        the figures, and the answers to the collections' scans.

    Raises:
        UserError: see `train.learning.training.load_fit`, or it was trained on no collection.
    """
    done, sides = load_fit(models, [*scans, *collected.scans], cache)
    tested = [scan for scan in sides.tested if collection_of(scan)]
    if not tested:
        raise UserError(f"{models}: its training left out no scan of these collections")
    temperature = published_temperature(models)
    answer = partial(
        answer_hospital,
        done,
        collected=collected,
        temperature=temperature,
        pooled=plain_pooled(cache, done),
        detector=read_detector(models / OOD_NAME),
    )
    found = answer_hospitals(tested, healthy_of(sides), answer)
    return score_hospitals(found), _as_tested(found, temperature)


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


Answered = dict[str, tuple[list[Scan], Answers]]  # by collection


def answer_hospitals(
    tested: Sequence[Scan], healthy: Sequence[Scan], answer: Callable[[Sequence[Scan]], Answers]
) -> Answered:
    """What the model says of each collection among the scans.

    Args:
        tested: scans of collections.
        healthy: tumour-free scans of the dataset that were not trained on, for a collection that
            has none.
        answer: asks the model.
    """
    found: Answered = {}
    for name in dict.fromkeys(collection_of(scan) for scan in tested):
        own = [scan for scan in tested if collection_of(scan) == name]
        if not any(scan.label == NOTUMOR for scan in own):
            own += healthy
        found[name] = own, answer(own)
    return found


def _as_tested(found: Answered, temperature: float) -> Tested:
    """The answers to the collections' own scans."""
    scans = [scan for own, _ in found.values() for scan in own]
    probabilities = np.concatenate([answers.probabilities for _, answers in found.values()])
    labels = np.concatenate([answers.labels for _, answers in found.values()])
    chosen = np.array([bool(collection_of(scan)) for scan in scans])
    logits = temperature * np.log(probabilities[chosen])
    filled = np.full((len(logits), 1), temperature, np.float32)
    return Tested([s for s in scans if collection_of(s)], labels[chosen], logits, filled)


def score_hospitals(found: Answered) -> dict[str, Any]:
    """`score_hospital` of each collection, and of its sequences; and its `healthy_runs`."""
    figures: dict[str, Any] = {}
    for name, (own, answers) in found.items():
        figures[name] = score_hospital(answers)
        if sequences := by_sequence(answers, own):
            figures[name]["by_sequence"] = sequences
        if runs := healthy_runs(own, answers):
            figures[name]["healthy_runs"] = runs
    return figures


def score_hospital(answers: Answers) -> dict[str, Any]:
    """The figures of one collection, each with NAME_ci, its 95 % interval.

    The interval is the bootstrap's over groups (see
    `train.evaluation.scoring.accuracy_interval`); None where a figure cannot be had.

    Returns:
        those of MEASURES: serve/tumours.py's, refused and pointing_game.
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


MEASURES: dict[str, Callable[[Any], float | None]] = tumours.MEASURES | {
    "refused": lambda a: mean(a.refused),
    "pointing_game": lambda a: mean(a.pointed[~np.isnan(a.pointed)]),
}


def _measured(answers: Answers) -> dict[str, float | None]:
    return {name: measure(answers) for name, measure in MEASURES.items()}


def _members(groups: np.ndarray) -> list[np.ndarray]:
    _, group = np.unique(groups, return_inverse=True)
    order = np.argsort(group, kind="stable")
    return np.split(order, np.cumsum(np.bincount(group))[:-1])
