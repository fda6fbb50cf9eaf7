"""What the training commands' lines have in common."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from serve.artifacts import MODELS
from serve.command import UserError
from train.data.dataset import Scan, Slice, read_slices
from train.data.outlines import Outline, figshare_outlines
from train.recipes import DEFAULT_RECIPE, RECIPES, Recipe, RobustRecipe


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="the dataset: DIR/{Training,Testing}/{glioma,meningioma,notumor,pituitary}",
    )
    parser.add_argument(
        "--slices",
        type=Path,
        metavar="FILE",
        help="figshare_slices.csv: keeps neighbouring slices on one side of the validation split",
    )
    parser.add_argument(
        "--base-weights",
        type=Path,
        metavar="FILE",
        help="local copy of VGG16's ImageNet no-top .weights.h5 (default: Keras downloads it)",
    )
    parser.add_argument(
        "--output", type=Path, default=MODELS, metavar="DIR", help="default: models"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=MODELS.parent / "cache",
        metavar="DIR",
        help="features and checkpoints, 200 KB a view (default: cache)",
    )
    parser.add_argument(
        "--masks",
        type=Path,
        metavar="DIR",
        help="figshare_masks: the tumours' outlines, INDEX.png, with --slices",
    )
    parser.add_argument(
        "--recipe", choices=RECIPES, default=DEFAULT_RECIPE, help=f"default: {DEFAULT_RECIPE}"
    )
    parser.add_argument("--epochs", type=_positive, metavar="N", help="default: the recipe's")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")


def read_training_arguments(
    args: argparse.Namespace,
) -> tuple[Recipe | RobustRecipe, dict[str, Slice]]:
    """The recipe and the figshare slices that the arguments name."""
    recipe = RECIPES[args.recipe]
    if args.epochs:
        recipe = recipe.with_epochs(args.epochs)
    return recipe, read_slices(args.slices) if args.slices else {}


def read_figshare_outlines(
    args: argparse.Namespace,
    recipe: Recipe | RobustRecipe,
    scans: Sequence[Scan],
    slices: Mapping[str, Slice],
) -> dict[str, Outline]:
    """The outlines that a training by `recipe` looks at, by `Scan.name`.

    Raises:
        UserError: an outline is missing, or --slices, which tells whose it is.
    """
    if not isinstance(recipe, RobustRecipe):
        return {}
    if not args.masks:
        print("no --masks: no tumour is shown to the model, and none moved between scans")
        return {}
    if not slices:
        raise UserError("--slices figshare_slices.csv tells which mask is whose: name it")
    return figshare_outlines(scans, slices, args.masks)


def section_of(recipe: str, name: str) -> str:
    """Where a recipe's figures `name` stand in metrics.json: apart, unless it is the default."""
    return name if recipe == DEFAULT_RECIPE else f"recipes.{recipe}.{name}"


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not positive")
    return value
