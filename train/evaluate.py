"""Train one side, test the other: python -m train.evaluate --protocol seed --data DIR

    seed        train on Testing, test on Training: the original notebook's own way
    kaggle      the published split, also without the test images that have a copy in Training
    patient     five-fold cross-validation, no patient on two sides (train/folds.py)
    published   nothing is trained: the model in --output, on the fold that `train.fit --train-on
                patient` left out
    collection  tumours of a collection never trained on (--br35h), and the tumour-free scans of
                one of the folds

The first two part their validation side by file, as those do who publish such figures.

A test side is looked at once, after everything was chosen on the validation side.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from serve.artifacts import METRICS_NAME, read_metrics, replacing, write_metrics
from serve.command import RESUMES, UserError, run
from serve.measures import calibration_error
from serve.names import LABELS, NOTUMOR
from train.arguments import (
    add_training_arguments,
    read_figshare_outlines,
    read_training_arguments,
    section_of,
)
from train.data.br35h import Unseen, read_br35h, score_collection
from train.data.dataset import PARTS, Scan, class_counts, find_scans
from train.data.duplicates import Pairs, find_pairs, related_groups
from train.data.split import split
from train.evaluation.calibration import brier_score, fit_temperature
from train.evaluation.scoring import accuracy_interval, score
from train.fit import FOLD, Fit, fit, load_fit, predict_logits
from train.folds import FOLDS, patient_sides
from train.recipes import DEFAULT_RECIPE

Trainer = Callable[[list[Scan], list[Scan]], Fit]  # training and validation side -> Fit


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


def published_split(
    trained: Sequence[Scan], tested: Sequence[Scan], validation: float, seed: int, train: Trainer
) -> Tested:
    """Train on one folder of the published dataset, test on the other."""
    done = train(*split(trained, {}, validation, seed))
    return _test(done, tested, [scan.label for scan in tested])


def _together(folds: Sequence[Tested]) -> Tested:
    return Tested(
        [scan for one in folds for scan in one.scans],
        np.concatenate([one.labels for one in folds]),
        np.concatenate([one.logits for one in folds]),
        np.concatenate([one.temperature for one in folds]),
    )


def _test(done: Fit, scans: Sequence[Scan], labels: Sequence[int]) -> Tested:
    validation = np.array([scan.label for scan in done.validation])
    temperature = fit_temperature(predict_logits(done, done.validation), validation)
    logits = predict_logits(done, scans)
    return Tested(
        list(scans), np.array(labels), logits, np.full((len(logits), 1), temperature, np.float32)
    )


def unseen_collection(scans: Sequence[Scan], unseen: Unseen, train: Trainer) -> dict[str, Any]:
    """Train on the first fold's training side less the copies of `unseen`, test on both."""
    sides = patient_sides(scans)[0]
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


def calibration(tested: Tested) -> dict[str, float]:
    """What temperature scaling does on the test side."""
    before, after = tested.probabilities, tested.calibrated
    return {
        "ece_before": calibration_error(before, tested.labels),
        "ece_after": calibration_error(after, tested.labels),
        "brier_before": brier_score(before, tested.labels),
        "brier_after": brier_score(after, tested.labels),
        "mean_temperature": float(tested.temperature.mean()),
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


def write_predictions(tested: Tested, path: Path) -> None:
    """A line a test image: its name, its true class, the temperature of the model that answered,
    the four calibrated probabilities (to four digits, however small)."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "label", "temperature", *LABELS))
        for scan, label, temperature, row in zip(
            tested.scans, tested.labels, tested.temperature[:, 0], tested.calibrated, strict=True
        ):
            writer.writerow(
                (scan.name, LABELS[label], f"{temperature:.4f}", *(f"{p:.4g}" for p in row))
            )


def table(figures: dict[str, Any]) -> str:
    """The figures of `train.evaluation.scoring.score` as text."""
    low, high = figures["accuracy_ci"]
    lines = [
        f"accuracy {figures['accuracy']:.2%} ({low:.1%} to {high:.1%}), "
        f"macro F1 {figures['macro_f1']:.3f}",
        f"{'':12}{'precision':>10}{'recall':>10}{'F1':>8}{'AUC':>8}",
    ]
    for name in LABELS:
        row = figures["per_class"][name]
        lines.append(
            f"{name:12}{row['precision']:>10.1%}{row['recall']:>10.1%}"
            f"{row['f1']:>8.3f}{row['auc']:>8.3f}"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.evaluate", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument(
        "--protocol",
        choices=("seed", "kaggle", "patient", "published", "collection"),
        required=True,
    )
    add_training_arguments(parser)
    parser.add_argument("--br35h", type=Path, metavar="DIR", help="br35h_tumour, for `collection`")
    parser.add_argument(
        "--fold",
        type=int,
        choices=range(FOLDS),
        help="of `patient`: train this one only, and leave it in the cache",
    )
    args = parser.parse_args(argv)
    recipe, slices = read_training_arguments(args)
    recipe_name = args.recipe
    training, testing = (find_scans(args.data, part) for part in PARTS)
    scans = training + testing

    outlines = read_figshare_outlines(args, recipe, scans, slices)

    def train(training: list[Scan], validation: list[Scan]) -> Fit:
        return fit(training, validation, recipe, args.seed, args.base_weights, args.cache, outlines)

    if args.protocol == "collection":
        if not args.br35h:
            raise UserError("--br35h DIR names the collection that is tested on")
        figures = unseen_collection(scans, read_br35h(args.br35h, scans), train)
        print("\n".join(f"{name} {value:.4g}" for name, value in figures.items()))
        write_metrics(args.output, section_of(args.recipe, "protocols.collection"), figures)
        return 0
    if args.protocol == "patient":
        folds = patient_sides(scans)
        chosen = folds if args.fold is None else [folds[args.fold]]
        tested = _together(
            [
                _test(train(sides.training, sides.validation), sides.tested, sides.labels)
                for sides in chosen
            ]
        )
        if args.fold is not None:
            print(f"fold {args.fold} is in {args.cache}; the protocol needs all {FOLDS}")
            return 0
    elif args.protocol == "published":
        recipe_name = read_metrics(args.output).get("model", {}).get("recipe")
        sides = patient_sides(scans)[FOLD]
        tested = _test(load_fit(args.output, sides, args.cache), sides.tested, sides.labels)
    else:
        sides = (testing, training) if args.protocol == "seed" else (training, testing)
        tested = published_split(*sides, recipe.validation, args.seed, train)
    print(f"tested on {len(tested.scans)}: {class_counts(tested.scans)}")

    figures = score(tested.labels, tested.calibrated)
    pairs = find_pairs(scans)
    groups_of_all = related_groups(scans, pairs, slices)
    group_of = {scan.name: group for scan, group in zip(scans, groups_of_all, strict=True)}
    groups = np.array([group_of[scan.name] for scan in tested.scans])
    right = tested.probabilities.argmax(1) == tested.labels
    figures |= {"accuracy_ci": accuracy_interval(right, groups), "recipe": recipe_name}
    if args.protocol == "kaggle":
        figures |= without_copies(tested, scans, pairs)
    print(table(figures))
    if recipe_name == DEFAULT_RECIPE:
        write_predictions(tested, args.output / "predictions" / f"{args.protocol}.csv")
    section = section_of(recipe_name, f"protocols.{args.protocol}")
    write_metrics(args.output, section, figures)
    scaling = section_of(recipe_name, f"calibration.{args.protocol}")
    write_metrics(args.output, scaling, calibration(tested))
    print(f"wrote {section} of {args.output / METRICS_NAME}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
