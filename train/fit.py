"""Fine-tune VGG16 on a folder of brain MRI scans: python -m train.fit --data DIR

--recipe names how: `seed` (train/learning/bare.py), or `robust`, `deep`, `broad` or `open`
(train/learning/robust.py).
The same command resumes an interrupted training and ends with the same weights.

What was trained on is written to models/trained_on.csv, and with --train-on patient also what was
left out to be tested on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serve.artifacts import KERAS_NAME, replacing
from serve.command import RESUMES, UserError, run
from serve.metrics import CHECKPOINT, of_checkpoint, write_metrics
from train.arguments import (
    OF_A_TRAINING,
    add_options,
    read_collected,
    read_figshare_outlines,
    read_persons,
    read_recipe,
    read_slices_of,
)
from train.data.collections import Collected, place_all
from train.data.dataset import PARTS, Scan, class_counts, find_all_scans, find_scans
from train.data.folds import Sides
from train.data.sides import published_sides
from train.data.split import split
from train.data.trained_on import record_sides
from train.evaluation.calibration import temperature_of_others
from train.evaluation.protocols import validation_temperature
from train.evaluation.provenance import of_data, of_recipe
from train.learning.epochs import write_log
from train.learning.training import fit, predict_logits
from train.network.vgg16 import MODEL_VERSION, save_float16
from train.recipes import BroadRecipe, Recipe
from train.report.plots import plot_history


def main(argv: Sequence[str] | None = None) -> int:
    args = _parse(argv)
    recipe, slices = read_recipe(args), read_slices_of(args)
    patient = args.train_on == "patient"
    scans = find_all_scans(args.data) if patient else find_scans(args.data, args.train_on)
    collected = read_collected(args, scans)
    sides = _sides(args, recipe, scans, collected, read_persons(args, scans, slices))
    outlines = read_figshare_outlines(args, recipe, scans, slices) | collected.outlines
    of_others = None
    if not sides.validation:
        of_folds = of_recipe(recipe, args.seed) | of_data([*scans, *collected.scans])
        of_others = temperature_of_others(args.output, args.recipe, of_folds)
    placed = place_all(collected)
    done = fit(
        sides.training,
        sides.validation,
        recipe,
        args.seed,
        args.base_weights,
        args.cache,
        outlines,
        placed,
    )
    figures: dict[str, Any] = {}
    if of_others is None:
        labels = np.array([scan.label for scan in done.validation])
        right = predict_logits(done, done.validation).argmax(1) == labels
        figures["validation_accuracy"] = float(right.mean())
        print(f"validation accuracy of the rounded weights: {right.mean():.2%}")
    temperature = validation_temperature(done) if of_others is None else of_others
    print(f"temperature: {temperature:.3f}")
    checkpoint = args.output / KERAS_NAME
    save_float16(done.model, checkpoint)
    record_sides(sides, placed, args.output)
    with replacing(args.output / "report" / "training_history.csv") as temporary:
        write_log(done.history, temporary)
    plot_history(done.history, done.best, args.output / "report" / "training_history.png")
    of = (
        of_checkpoint(checkpoint)
        | of_recipe(recipe, args.seed)
        | of_data([*sides.training, *sides.validation])
    )
    figures |= {
        "sha256": of[CHECKPOINT],
        "version": MODEL_VERSION,
        "recipe": args.recipe,
        "seed": args.seed,
        "trained_on": f"{args.train_on}, {len(sides.training)} images",
        "epochs": len(done.history),
        "best_epoch": done.best,
    }
    write_metrics(args.output, "model", figures, of)
    write_metrics(args.output, "calibration.temperature", temperature, of)
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
    args = parser.parse_args(argv)
    if (args.collections or args.br35h) and not isinstance(read_recipe(args), BroadRecipe):
        raise UserError("--collections and --br35h: only --recipe broad trains on other hospitals")
    if (args.collections or args.br35h) and args.train_on != "patient":
        raise UserError("--collections and --br35h: name --train-on patient, which parts them")
    return args


def _sides(
    args: argparse.Namespace,
    recipe: Recipe,
    scans: Sequence[Scan],
    collected: Collected,
    persons: Mapping[str, str],
) -> Sides:
    """Of a folder a training and a validation side; of a fold what it is tested on as well."""
    if args.train_on == "patient":
        return published_sides(scans, collected, isinstance(recipe, BroadRecipe), recipe.left_out)
    own = [scan for scan in scans if scan.part == args.train_on]
    print(f"{args.train_on}: {class_counts(own)}")
    return Sides(*split(own, persons, recipe.validation, args.seed), tested=[], labels=[])


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
