"""Train one side, test the other: python -m train.evaluate --protocol seed --data DIR

    seed        train on Testing, test on Training: the original notebook's own way
    kaggle      the published split, also without the test images that have a copy in Training
    patient     five-fold cross-validation, no patient on two sides (train/data/folds.py)
    published   nothing is trained: the model in --output, on what `train.fit --train-on patient`
                left out (trained_on.csv)
    collection  tumours of a collection never trained on (--br35h), and the tumour-free scans of
                one of the folds

The first two part their validation side by file, as those do who publish such figures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from serve.artifacts import METRICS_NAME, read_metrics, write_metrics
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
from train.data.dataset import PARTS, Scan, Slice, class_counts, find_all_scans
from train.data.duplicates import find_pairs
from train.data.folds import FOLDS, patient_sides
from train.evaluation.calibration import scaling_figures
from train.evaluation.predictions import PROTOCOLS, Tested, write_predictions
from train.evaluation.protocols import (
    as_papers_count,
    by_patient,
    cross_validation,
    protocol_figures,
    published_checkpoint,
    published_split,
    unseen_collection,
    without_copies,
)
from train.evaluation.scoring import table
from train.learning.training import Trainer, fit
from train.recipes import DEFAULT_RECIPE, section_of


def main(argv: Sequence[str] | None = None) -> int:
    args = _parse(argv)
    slices, scans = read_slices_of(args), find_all_scans(args.data)
    if args.protocol == "collection":
        figures = unseen_collection(
            scans, read_br35h(args.br35h, scans), _trainer(args, scans, slices)
        )
        print("\n".join(f"{name} {value:.4g}" for name, value in figures.items()))
        write_metrics(args.output, section_of(args.recipe, "protocols.collection"), figures)
        return 0
    tested = _tested(args, scans, slices)
    if args.fold is not None:
        print(f"fold {args.fold} is in {args.cache}; the protocol needs all {FOLDS}")
        return 0
    print(f"tested on {len(tested.scans)}: {class_counts(tested.scans)}")

    recipe, pairs, persons = _recipe_of(args), find_pairs(scans), read_persons(args, scans, slices)
    figures = protocol_figures(tested, scans, pairs, persons) | {"recipe": recipe}
    if args.protocol == "kaggle":
        figures |= without_copies(tested, scans, pairs)
    if args.protocol == "patient" and persons:
        figures["by_patient"] = by_patient(tested, persons)
        figures["papers"] = as_papers_count(tested, slices, persons)
    print(table(figures))
    if recipe == DEFAULT_RECIPE:
        write_predictions(tested, args.output / "predictions" / f"{args.protocol}.csv")
    section = section_of(recipe, f"protocols.{args.protocol}")
    write_metrics(args.output, section, figures)
    scaling = section_of(recipe, f"calibration.{args.protocol}")
    write_metrics(args.output, scaling, scaling_figures(tested))
    print(f"wrote {section} of {args.output / METRICS_NAME}")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train.evaluate", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument("--protocol", choices=(*PROTOCOLS, "collection"), required=True)
    add_options(parser, *OF_A_TRAINING)
    parser.add_argument("--br35h", type=Path, metavar="DIR", help="br35h_tumour, for `collection`")
    parser.add_argument(
        "--fold",
        type=int,
        choices=range(FOLDS),
        help="of `patient`: train this one only, and leave it in the cache",
    )
    args = parser.parse_args(argv)
    if args.protocol == "collection" and not args.br35h:
        raise UserError("--br35h DIR names the collection that is tested on")
    if args.protocol != "patient" and args.fold is not None:
        raise UserError("--fold is of the protocol `patient`")
    return args


def _trainer(
    args: argparse.Namespace, scans: Sequence[Scan], slices: Mapping[str, Slice]
) -> Trainer:
    recipe = read_recipe(args)
    outlines = read_figshare_outlines(args, recipe, scans, slices)
    return partial(
        fit,
        recipe=recipe,
        seed=args.seed,
        base_weights=args.base_weights,
        cache=args.cache,
        outlines=outlines,
    )


def _tested(args: argparse.Namespace, scans: Sequence[Scan], slices: Mapping[str, Slice]) -> Tested:
    if args.protocol == "published":
        return published_checkpoint(args.output, scans, args.cache)
    train = _trainer(args, scans, slices)
    if args.protocol == "patient":
        folds = patient_sides(scans)
        return cross_validation(folds if args.fold is None else [folds[args.fold]], train)
    parts = PARTS if args.protocol == "kaggle" else reversed(PARTS)
    sides = ([scan for scan in scans if scan.part == part] for part in parts)
    return published_split(*sides, read_recipe(args).validation, args.seed, train)


def _recipe_of(args: argparse.Namespace) -> str:
    """The name of the recipe that was tested."""
    if args.protocol == "published":
        return read_metrics(args.output)["model"]["recipe"]
    return args.recipe


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
