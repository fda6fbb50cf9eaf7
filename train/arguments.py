"""What the training commands' lines have in common."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from serve.artifacts import MODELS
from serve.command import UserError
from train.data.collections import Collected, read_br35h_collection, read_collections
from train.data.dataset import Scan, Slice, read_slices
from train.data.outlines import Outline, figshare_outlines
from train.data.patients import persons_on, read_patients
from train.recipes import DEFAULT_RECIPE, RECIPES, Recipe

LARGEST_SEED = 2**32 - 1  # of NumPy and Keras


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1")
    return int(text)


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= LARGEST_SEED):
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to {LARGEST_SEED}")
    return int(text)


def _folder(text: str) -> Path:
    """A folder that can be written, which is found out before anything is computed."""
    path = Path(text)
    try:
        there = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
        TemporaryFile(dir=there).close()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot write to {path}: {error.strerror}") from None
    return path


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
    "--collections": {
        "type": Path,
        "metavar": "DIR",
        "help": "other hospitals' scans, DIR/collections.csv: the broad recipe trains on them, "
        "`unseen` and `hospitals` test on them",
    },
    "--br35h": {
        "type": Path,
        "metavar": "DIR",
        "help": "br35h_tumour: tumours of a kind that is not known, one more collection",
    },
    "--base-weights": {
        "type": Path,
        "metavar": "FILE",
        "help": "local copy of VGG16's ImageNet no-top .weights.h5 (default: Keras downloads it)",
    },
    "--output": {
        "type": _folder,
        "default": str(MODELS),
        "metavar": "DIR",
        "help": "default: models",
    },
    "--cache": {
        "type": _folder,
        "default": str(MODELS.parent / "cache"),
        "metavar": "DIR",
        "help": "features and checkpoints, 200 KB a view (default: cache)",
    },
    "--recipe": {
        "choices": RECIPES,
        "default": DEFAULT_RECIPE,
        "help": f"default: {DEFAULT_RECIPE}",
    },
    "--epochs": {"type": _positive, "metavar": "N", "help": "default: the recipe's"},
    "--seed": {"type": _seed, "default": 0, "metavar": "N", "help": "default: 0"},
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
    """The figshare slices that --slices names, by `Scan.name`; none without it.

    Raises:
        UserError: it names none, or see `train.data.dataset.read_slices`.
    """
    if not args.slices:
        return {}
    slices = read_slices(args.slices)
    if not slices:
        raise UserError(f"{args.slices}: names no slice")
    return slices


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


def read_collected(args: argparse.Namespace, scans: Sequence[Scan]) -> Collected:
    """The other hospitals' scans that --collections and --br35h name; none without them.

    Raises:
        UserError: see `train.data.collections`.
    """
    collected = read_collections(args.collections) if args.collections else Collected()
    if args.br35h:
        collected |= read_br35h_collection(args.br35h, scans)
    return collected
