"""Is it a brain MRI at all? python -m train.ood --data DIR --br35h DIR --others DIR

Fits a score for how unlike the training scans a picture is (train/evaluation/refusal.py) to
features of the published model, models/brain_tumor_vgg16.keras.

The first fold of the `patient` protocol parts the scans: its training side to fit, its
validation side for the threshold, its test side to test. OTHERS/KIND/* are pictures that are no
brain MRI (python -m train.other_pictures); they are only tested on. What was tested is written to
models/brain_tumor_vgg16.ood.npz, from where export/ puts it into the ONNX files.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from serve.artifacts import KERAS_NAME, METRICS_NAME, OOD_NAME
from serve.command import RESUMES, run
from serve.metrics import of_checkpoint, write_metrics
from train.arguments import add_options
from train.data.br35h import read_br35h
from train.data.dataset import find_all_scans
from train.data.folds import FOLD, patient_sides
from train.evaluation.provenance import of_data
from train.evaluation.refusal import fit_to_sides, pooled_features, read_others, refusal
from train.learning.features import FeatureCache
from train.network.vgg16 import load_checkpoint, until_block4
from train.pictures.augment import AugmentedViews
from train.recipes import BareRecipe


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.ood", description=__doc__.split("?")[0] + "?"
    )
    add_options(parser, "--data", "--output", "--cache", "--seed")
    parser.add_argument("--br35h", type=Path, required=True, metavar="DIR", help="br35h_tumour")
    parser.add_argument("--others", type=Path, required=True, metavar="DIR", help="KIND/*")
    args = parser.parse_args(argv)
    others = read_others(args.others)
    scans = find_all_scans(args.data)
    tumours = read_br35h(args.br35h, scans).tumours
    sides = patient_sides(scans)[FOLD]

    prefix = until_block4(load_checkpoint(args.output / KERAS_NAME))
    features = FeatureCache(args.cache, prefix, AugmentedViews(BareRecipe(), args.seed))
    detector = fit_to_sides(features, sides)
    figures = refusal(
        detector,
        {
            "kaggle": pooled_features(features, sides.tested),
            "br35h": pooled_features(features, tumours),
        },
        {kind: pooled_features(features, pictures) for kind, pictures in others.items()},
    )
    for name, value in figures.items():
        print(name, value)
    detector.save(args.output / OOD_NAME)
    of = of_checkpoint(args.output / KERAS_NAME) | of_data([*scans, *tumours])
    write_metrics(args.output, "ood", figures, of)
    print(f"wrote ood of {args.output / METRICS_NAME}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
