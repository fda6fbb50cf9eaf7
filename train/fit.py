"""Fine-tune VGG16 on a folder of brain MRI scans: python -m train.fit --data DIR

--recipe names how: `seed` (train/learning/bare.py), `robust` or `deep` (train/learning/robust.py).
The same command resumes an interrupted training and ends with the same weights.

What was trained on is written to models/trained_on.csv, and with --train-on patient also what was
left out to be tested on.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from serve.artifacts import KERAS_NAME, replacing, sha256, write_metrics
from serve.command import RESUMES, UserError, run
from train.arguments import (
    OF_A_TRAINING,
    add_options,
    read_figshare_outlines,
    read_persons,
    read_recipe,
    read_slices_of,
)
from train.data.br35h import read_br35h
from train.data.dataset import PARTS, Scan, class_counts, find_all_scans, find_scans
from train.data.folds import FOLD, Sides, patient_sides
from train.data.outlines import br35h_outlines
from train.data.split import split
from train.data.trained_on import record_sides
from train.evaluation.calibration import fit_temperature
from train.learning.epochs import write_log
from train.learning.training import fit, predict_logits
from train.network.vgg16 import MODEL_VERSION, save_float16
from train.recipes import Recipe
from train.report.plots import plot_history


def main(argv: Sequence[str] | None = None) -> int:
    args = _parse(argv)
    recipe, slices = read_recipe(args), read_slices_of(args)
    if args.br35h and not recipe.shown_tumours:
        raise UserError("--br35h: this recipe cannot learn from tumours of unknown type")
    both = args.br35h or args.train_on == "patient"
    scans = find_all_scans(args.data) if both else find_scans(args.data, args.train_on)
    sides = _sides(args, recipe, scans, read_persons(args, scans, slices))
    outlines = read_figshare_outlines(args, recipe, scans, slices)
    if args.br35h:
        tumours = read_br35h(args.br35h, scans).tumours
        sides = dataclasses.replace(sides, training=[*sides.training, *tumours])
        outlines |= br35h_outlines(tumours, args.br35h / "masks")
    done = fit(
        sides.training, sides.validation, recipe, args.seed, args.base_weights, args.cache, outlines
    )

    logits = predict_logits(done, done.validation)
    labels = np.array([scan.label for scan in done.validation])
    right = logits.argmax(1) == labels
    temperature = fit_temperature(logits, labels)
    print(f"validation accuracy of the rounded weights: {right.mean():.2%}")
    print(f"temperature: {temperature:.3f}")
    checkpoint = args.output / KERAS_NAME
    save_float16(done.model, checkpoint)
    record_sides(sides, args.output)
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
            "trained_on": f"{args.train_on}, {len(sides.training)} images",
            "validation_accuracy": float(right.mean()),
            "epochs": len(done.history),
            "best_epoch": done.best,
        },
    )
    write_metrics(args.output, "calibration.temperature", temperature)
    print(f"wrote {checkpoint}")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m train.fit", description=__doc__.split("\n")[0])
    add_options(parser, *OF_A_TRAINING)
    parser.add_argument(
        "--train-on",
        choices=(*PARTS, "patient"),
        default="Training",
        help="a folder, or `patient`: the first fold of that protocol (default: Training)",
    )
    parser.add_argument(
        "--br35h",
        type=Path,
        metavar="DIR",
        help="br35h_tumour: train on its tumours, too; not with --recipe seed",
    )
    return parser.parse_args(argv)


def _sides(
    args: argparse.Namespace, recipe: Recipe, scans: Sequence[Scan], persons: Mapping[str, str]
) -> Sides:
    """Of a folder a training and a validation side; of a fold what it is tested on as well."""
    if args.train_on == "patient":
        return patient_sides(scans)[FOLD]
    own = [scan for scan in scans if scan.part == args.train_on]
    print(f"{args.train_on}: {class_counts(own)}")
    return Sides(*split(own, persons, recipe.validation, args.seed), tested=[], labels=[])


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
