"""What the training commands' lines have in common."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from serve.artifacts import MODELS
from serve.command import UserError
from train.data.dataset import Scan, Slice, read_slices
from train.data.outlines import Outline, figshare_outlines
from train.data.patients import persons_on, read_patients
from train.recipes import DEFAULT_RECIPE, RECIPES, Recipe


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not positive")
    return value


OPTIONS: dict[str, dict[str, Any]] = {
    "--data": {
        "type": Path,
        "metavar": "DIR",
        "help": "the dataset: DIR/{Training,Testing}/{glioma,meningioma,notumor,pituitary}",
    },
    "--slices": {
        "type": Path,
        "metavar": "FILE",
        "help": "figshare_slices.csv: which scan is which slice",
    },
    "--patients": {
        "type": Path,
        "metavar": "FILE",
        "help": "figshare_patients.csv: whose slices they are, with --slices",
    },
    "--masks": {
        "type": Path,
        "metavar": "DIR",
        "help": "figshare_masks: the tumours' outlines, INDEX.png, with --slices",
    },
    "--base-weights": {
        "type": Path,
        "metavar": "FILE",
        "help": "local copy of VGG16's ImageNet no-top .weights.h5 (default: Keras downloads it)",
    },
    "--output": {"type": Path, "default": MODELS, "metavar": "DIR", "help": "default: models"},
    "--cache": {
        "type": Path,
        "default": MODELS.parent / "cache",
        "metavar": "DIR",
        "help": "features and checkpoints, 200 KB a view (default: cache)",
    },
    "--recipe": {
        "choices": RECIPES,
        "default": DEFAULT_RECIPE,
        "help": f"default: {DEFAULT_RECIPE}",
    },
    "--epochs": {"type": _positive, "metavar": "N", "help": "default: the recipe's"},
    "--seed": {"type": int, "default": 0, "metavar": "N", "help": "default: 0"},
}
OF_A_TRAINING = tuple(OPTIONS)


def add_options(
    parser: argparse.ArgumentParser, *names: str, required: Sequence[str] = ("--data",)
) -> None:
    """Let a command take these of OPTIONS."""
    for name in names:
        parser.add_argument(name, required=name in required, **OPTIONS[name])


def read_recipe(args: argparse.Namespace) -> Recipe:
    """The recipe that --recipe and --epochs name."""
    recipe = RECIPES[args.recipe]
    return recipe.with_epochs(args.epochs) if args.epochs else recipe


def read_slices_of(args: argparse.Namespace) -> dict[str, Slice]:
    """The figshare slices that --slices names, by `Scan.name`; none without it."""
    return read_slices(args.slices) if args.slices else {}


def read_persons(
    args: argparse.Namespace, scans: Sequence[Scan], slices: Mapping[str, Slice]
) -> dict[str, str]:
    """Who is on each scan that is a figshare slice, by `Scan.name`; nobody is known without slices.

    Raises:
        UserError: --patients, which tells whose slices they are, is missing, or see
            `train.data.patients`.
    """
    if not slices:
        return {}
    if not args.patients:
        raise UserError("--patients figshare_patients.csv tells whose slices they are: name it")
    return persons_on(scans, slices, read_patients(args.patients))


def read_figshare_outlines(
    args: argparse.Namespace,
    recipe: Recipe,
    scans: Sequence[Scan],
    slices: Mapping[str, Slice],
) -> dict[str, Outline]:
    """The outlines that a training by `recipe` looks at, by `Scan.name`.

    Raises:
        UserError: an outline is missing, or --slices, which tells whose it is.
    """
    if not recipe.shown_tumours:
        return {}
    if not args.masks:
        print("no --masks: no tumour is shown to the model, and none moved between scans")
        return {}
    if not slices:
        raise UserError("--slices figshare_slices.csv tells which mask is whose: name it")
    return figshare_outlines(scans, slices, args.masks)
