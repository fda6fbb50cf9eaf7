"""Is it a brain MRI at all? python -m train.ood --data DIR --br35h DIR --others DIR

Fits a score for how unlike the training scans a picture is (train/evaluation/refusal.py) to
features of the published model, models/brain_tumor_vgg16.keras.

The first fold of the `patient` protocol parts the scans: its training side to fit, its
validation side (or, with --collections, the second fold of its training side) for the threshold,
its test side to test. OTHERS/KIND/* are pictures that are no brain MRI (python -m
train.other_pictures); they are only tested on. What was tested is written to
models/brain_tumor_vgg16.ood.npz, from where export/ puts it into the ONNX files.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from serve.artifacts import KERAS_NAME, METRICS_NAME, OOD_NAME
from serve.command import RESUMES, UserError, run
from serve.metrics import of_checkpoint, read_metrics, write_metrics
from train.arguments import add_options, read_collected
from train.data.collections import by_collection
from train.data.dataset import find_all_scans
from train.data.sides import held_back, published_sides
from train.evaluation.provenance import of_data
from train.evaluation.refusal import fit_to_sides, read_others, refusal
from train.learning.pooled import PooledCache
from train.network.vgg16 import load_checkpoint
from train.pictures.photograph import PhotographedViews
from train.recipes import RECIPES, BareRecipe


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.ood", description=__doc__.split("?")[0] + "?"
    )
    needed = ("--data", "--br35h")
    add_options(parser, *needed, "--collections", "--output", "--cache", "--seed", required=needed)
    parser.add_argument("--others", type=Path, required=True, metavar="DIR", help="KIND/*")
    args = parser.parse_args(argv)
    others = read_others(args.others)
    scans = find_all_scans(args.data)
    collected = read_collected(args, scans)
    left_out = RECIPES[_recipe_of(args.output)].left_out
    sides = published_sides(scans, collected, bool(args.collections), left_out)
    tested = by_collection(sides.tested if args.collections else [*sides.tested, *collected.scans])

    model = load_checkpoint(args.output / KERAS_NAME)
    pooled = PooledCache(args.cache, model, PhotographedViews(BareRecipe(), args.seed))
    detector = fit_to_sides(pooled, held_back(sides, collected))
    figures = refusal(
        detector,
        {name: pooled.of(own) for name, own in tested.items()},
        {kind: pooled.of(pictures) for kind, pictures in others.items()},
    )
    for name, value in figures.items():
        print(name, value)
    detector.save(args.output / OOD_NAME)
    of = of_checkpoint(args.output / KERAS_NAME) | of_data([*scans, *collected.scans])
    write_metrics(args.output, "ood", figures, of)
    print(f"wrote ood of {args.output / METRICS_NAME}")
    return 0


def _recipe_of(models: Path) -> str:
    """The name of the recipe that the checkpoint was trained by.

    Raises:
        UserError: metrics.json does not say it.
    """
    name = read_metrics(models).get("model", {}).get("recipe")
    if name not in RECIPES:
        raise UserError(
            f"{models / METRICS_NAME}: does not say by which recipe the checkpoint was trained"
        )
    return name


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
