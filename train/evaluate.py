"""Train one side, test the other: python -m train.evaluate --protocol seed --data DIR

    seed        train on Testing, test on Training: the original notebook's own way
    kaggle      the published split, also without the test images that have a copy in Training
    patient     five-fold cross-validation, no patient on two sides (train/data/folds.py)
    published   nothing is trained: the model in --output, on what `train.fit --train-on patient`
                left out (trained_on.csv)
    unseen      other hospitals' scans (--collections, --br35h), each hospital left out in turn
    hospitals   nothing is trained: the model in --output, on what was left out of each of them

The first two part their validation side by file, as those do who publish such figures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from serve.artifacts import KERAS_NAME, METRICS_NAME
from serve.command import RESUMES, UserError, run
from serve.metrics import of_checkpoint, read_metrics, write_metrics
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
from train.data.dataset import PARTS, Scan, Slice, class_counts, find_all_scans
from train.data.duplicates import find_pairs
from train.data.folds import FOLDS
from train.data.sides import folds_of, without_each
from train.evaluation.calibration import scaling_figures, temperature_of_others
from train.evaluation.hospitals import published_on_hospitals, unseen_hospitals
from train.evaluation.predictions import PROTOCOLS, Tested, write_predictions
from train.evaluation.protocols import (
    as_papers_count,
    by_patient,
    cross_validation,
    protocol_figures,
    published_checkpoint,
    published_split,
    together,
    without_copies,
)
from train.evaluation.provenance import of_data, of_recipe
from train.evaluation.scoring import table
from train.learning.training import Trainer, fit
from train.recipes import DEFAULT_RECIPE, BroadRecipe, section_of

OF_HOSPITALS = ("unseen", "hospitals")
OF_THE_FILE = ("published", "hospitals")  # nothing is trained


def main(argv: Sequence[str] | None = None) -> int:
    args = _parse(argv)
    slices, scans = read_slices_of(args), find_all_scans(args.data)
    collected = read_collected(args, scans)
    if args.protocol in OF_HOSPITALS:
        _evaluate_hospitals(args, scans, slices, collected)
        return 0
    tested = _tested(args, scans, slices, collected)
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
    if recipe == DEFAULT_RECIPE or args.protocol in OF_THE_FILE:
        write_predictions(tested, args.output / "predictions" / f"{args.protocol}.csv")
    of = _of(args, [*scans, *collected.scans])
    _write(args, f"protocols.{args.protocol}", figures, of)
    _write(args, f"calibration.{args.protocol}", scaling_figures(tested), of)
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train.evaluate", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument("--protocol", choices=(*PROTOCOLS, *OF_HOSPITALS), required=True)
    add_options(parser, *OF_A_TRAINING)
    parser.add_argument(
        "--fold",
        type=int,
        choices=range(FOLDS),
        help="of `patient`: train this one only, and leave it in the cache",
    )
    args = parser.parse_args(argv)
    named = args.collections or args.br35h
    if args.protocol in OF_HOSPITALS and not named:
        raise UserError("--collections DIR and --br35h DIR name what is tested on")
    if named and not (
        args.protocol in OF_HOSPITALS or (args.protocol == "patient" and _is_broad(args))
    ):
        raise UserError(
            "--collections and --br35h are of the protocols `unseen` and `hospitals`, and of "
            "`patient` with --recipe broad"
        )
    if args.protocol != "patient" and args.fold is not None:
        raise UserError("--fold is of the protocol `patient`")
    return args


def _trainer(
    args: argparse.Namespace,
    scans: Sequence[Scan],
    slices: Mapping[str, Slice],
    collected: Collected,
) -> Trainer:
    recipe = read_recipe(args)
    outlines = read_figshare_outlines(args, recipe, scans, slices)
    return partial(
        fit,
        recipe=recipe,
        seed=args.seed,
        base_weights=args.base_weights,
        cache=args.cache,
        outlines=outlines | collected.outlines,
        placed=place_all(collected),
    )


def _tested(
    args: argparse.Namespace,
    scans: Sequence[Scan],
    slices: Mapping[str, Slice],
    collected: Collected,
) -> Tested:
    if args.protocol == "published":
        return published_checkpoint(args.output, scans, args.cache)
    train = _trainer(args, scans, slices, collected)
    if args.protocol == "patient":
        folds = folds_of(scans, collected, _is_broad(args), read_recipe(args).left_out)
        return together(cross_validation(folds if args.fold is None else [folds[args.fold]], train))
    parts = PARTS if args.protocol == "kaggle" else reversed(PARTS)
    sides = ([scan for scan in scans if scan.part == part] for part in parts)
    return published_split(*sides, read_recipe(args).validation, args.seed, train)


def _evaluate_hospitals(
    args: argparse.Namespace,
    scans: Sequence[Scan],
    slices: Mapping[str, Slice],
    collected: Collected,
) -> None:
    """Measure and write `unseen` or `hospitals`."""
    of = _of(args, [*scans, *collected.scans])
    if args.protocol == "unseen":
        train, broad = _trainer(args, scans, slices, collected), _is_broad(args)
        temperature = temperature_of_others(args.output, args.recipe, of) if broad else None
        sides = without_each(scans, collected, broad, read_recipe(args).left_out)
        figures = unseen_hospitals(sides, collected, train, temperature, args.cache)
    else:
        figures, answers = published_on_hospitals(args.output, scans, collected, args.cache)
        write_predictions(answers, args.output / "predictions" / "hospitals.csv")
    for name, own in figures.items():
        print(name, {key: value for key, value in own.items() if isinstance(value, float)})
    _write(args, f"protocols.{args.protocol}", figures, of)


def _write(
    args: argparse.Namespace, name: str, figures: Mapping[str, Any], of: Mapping[str, str]
) -> None:
    section = name if args.protocol in OF_THE_FILE else section_of(args.recipe, name)
    write_metrics(args.output, section, figures, of)
    print(f"wrote {section} of {args.output / METRICS_NAME}")


def _is_broad(args: argparse.Namespace) -> bool:
    """Whether the recipe trains on other hospitals' scans."""
    return isinstance(read_recipe(args), BroadRecipe)


def _recipe_of(args: argparse.Namespace) -> str:
    """The name of the recipe that was tested."""
    if args.protocol in OF_THE_FILE:
        return read_metrics(args.output)["model"]["recipe"]
    return args.recipe


def _of(args: argparse.Namespace, scans: Sequence[Scan]) -> dict[str, str]:
    """What the protocol's figures are of."""
    if args.protocol in OF_THE_FILE:
        return of_checkpoint(args.output / KERAS_NAME) | of_data(scans)
    return of_recipe(read_recipe(args), args.seed) | of_data(scans)


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
