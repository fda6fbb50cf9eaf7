"""Fine-tune VGG16 on a folder of brain MRI scans: python -m train.fit --data DIR

--recipe names how: `seed` (train/learning/bare.py) or `robust` (train/learning/robust.py). Every
epoch ends with a checkpoint, and everything random is drawn from the seed and the epoch's
number, so the same command resumes an interrupted training and ends with the same weights.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from serve.artifacts import KERAS_NAME, read_metrics, replacing, sha256, write_metrics
from serve.command import RESUMES, UserError, run
from train.arguments import (
    add_training_arguments,
    read_figshare_outlines,
    read_training_arguments,
)
from train.data.br35h import read_br35h
from train.data.dataset import PARTS, Scan, class_counts, find_scans
from train.data.outlines import Outline, br35h_outlines
from train.data.split import split
from train.evaluation.calibration import fit_temperature
from train.folds import Sides, patient_sides
from train.learning.bare import train_seed
from train.learning.devices import all_gpus
from train.learning.epochs import write_log
from train.learning.features import FeatureCache
from train.learning.robust import train_robust
from train.network.vgg16 import (
    MODEL_VERSION,
    frozen_prefix,
    round_to_float16,
    save_float16,
    trainable_suffix,
)
from train.pictures.augment import AugmentedViews
from train.recipes import Recipe, RobustRecipe
from train.report.plots import plot_history

FOLD = 0  # of the `patient` protocol, whose test side --train-on patient leaves out


@dataclass(frozen=True)
class Fit:
    """A finished training."""

    model: keras.Model  # the whole network, best weights, rounded to float16
    suffix: keras.Model  # its trained end, from features to logits
    features: FeatureCache  # of its frozen beginning
    history: list[dict[str, float]]  # an entry an epoch
    best: int  # the epoch whose weights were kept
    training: list[Scan]
    validation: list[Scan]


def fit(
    training: list[Scan],
    validation: list[Scan],
    recipe: Recipe | RobustRecipe,
    seed: int,
    base_weights: Path | None,
    cache: Path,
    outlines: Mapping[str, Outline] | None = None,
) -> Fit:
    """Train, or go on where the same training was interrupted.

    Args:
        training: what the weights are fitted to.
        validation: what the epoch is chosen on, see `train.data.split.split`.
        recipe: how.
        seed: of everything random.
        base_weights: a local copy of VGG16's ImageNet weights, or None to download them.
        cache: where features and checkpoints are kept.
        outlines: of the tumours, by `Scan.name`; only the robust recipe looks at them.

    Raises:
        UserError: no base weights.
    """
    keras.utils.set_random_seed(seed)
    print(f"training    {len(training)}: {class_counts(training)}")
    print(f"validation  {len(validation)}: {class_counts(validation)}")
    with all_gpus():
        if isinstance(recipe, RobustRecipe):
            model, run = train_robust(
                training, validation, outlines or {}, recipe, seed, base_weights, cache
            )
        else:
            model, run = train_seed(training, validation, recipe, seed, base_weights, cache)
    round_to_float16(model)
    return Fit(
        model,
        trainable_suffix(model),
        FeatureCache(cache, frozen_prefix(model), AugmentedViews(Recipe(), seed)),
        run.history,
        run.best,
        training,
        validation,
    )


def load_fit(folder: Path, sides: Sides, cache: Path) -> Fit:
    """The training that `folder`/brain_tumor_vgg16.keras came from, as far as it is left.

    Raises:
        UserError: there is no such model, or it was not trained on the first fold's sides.
    """
    trained_on = read_metrics(folder).get("model", {}).get("trained_on", "")
    if not trained_on.startswith("patient"):
        raise UserError(f"{folder}: its model left no patients out (--train-on patient)")
    try:
        model = keras.models.load_model(folder / KERAS_NAME, compile=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / KERAS_NAME}: no model ({error})") from error
    features = FeatureCache(cache, frozen_prefix(model), AugmentedViews(Recipe(), seed=0))
    return Fit(model, trainable_suffix(model), features, [], 0, sides.training, sides.validation)


def predict_logits(done: Fit, scans: Sequence[Scan]) -> np.ndarray:
    """Logits of the scans as they are, float32 (N, 4)."""
    suffix, features = done.suffix, done.features
    rows = features.rows_of(scans, 1)[:, 0]
    stored = features.rows()
    logits = [
        suffix.predict_on_batch(stored[rows[start : start + 64]].astype(np.float32))
        for start in range(0, len(rows), 64)
    ]
    return np.concatenate(logits)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.fit", description=__doc__.split("\n")[0])
    add_training_arguments(parser)
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
        help="br35h_tumour: train on its tumours, too; the robust recipe only",
    )
    args = parser.parse_args(argv)
    recipe, slices = read_training_arguments(args)
    if args.br35h and not isinstance(recipe, RobustRecipe):
        raise UserError("--br35h: this recipe cannot learn from tumours of unknown type")

    parts = PARTS if args.br35h or args.train_on == "patient" else (args.train_on,)
    scans = [scan for part in parts for scan in find_scans(args.data, part)]
    if args.train_on == "patient":
        fold = patient_sides(scans)[FOLD]
        sides = fold.training, fold.validation
    else:
        own = [scan for scan in scans if scan.part == args.train_on]
        print(f"{args.train_on}: {class_counts(own)}")
        sides = split(own, slices, recipe.validation, args.seed)
    outlines = read_figshare_outlines(args, recipe, scans, slices)
    if args.br35h:
        tumours = read_br35h(args.br35h, scans).tumours
        sides = [*sides[0], *tumours], sides[1]
        outlines |= br35h_outlines(tumours, args.br35h / "masks")
    done = fit(*sides, recipe, args.seed, args.base_weights, args.cache, outlines)

    logits = predict_logits(done, done.validation)
    labels = np.array([scan.label for scan in done.validation])
    right = logits.argmax(1) == labels
    temperature = fit_temperature(logits, labels)
    print(f"validation accuracy of the rounded weights: {right.mean():.2%}")
    print(f"temperature: {temperature:.3f}")
    checkpoint = args.output / KERAS_NAME
    save_float16(done.model, checkpoint)
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
            "trained_on": f"{args.train_on}, {len(done.training)} images",
            "validation_accuracy": float(right.mean()),
            "epochs": len(done.history),
            "best_epoch": done.best,
        },
    )
    write_metrics(args.output, "calibration.temperature", temperature)
    print(f"wrote {checkpoint}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
