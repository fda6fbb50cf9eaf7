"""Is it a brain MRI at all? python -m train.ood --data DIR --br35h DIR --others DIR

A score for how unlike the training scans a picture is: the squared Mahalanobis distance of its
pooled block4_pool features (of the published model, models/brain_tumor_vgg16.keras) from the
nearest class mean, with one covariance for all classes, per dimension. Lee et al., "A simple
unified framework for detecting out-of-distribution samples and adversarial attacks", NeurIPS 2018.
Pooled are each channel's mean and standard deviation over the picture, as log(1 + x): the
channels are sparse, and on a linear scale the few scans that excite one hide everything else.

The first fold of the `patient` protocol parts the scans: its training side to fit, its
validation side for the threshold, its test side to test. OTHERS/KIND/* are pictures that are no
brain MRI (train/other_pictures/gather.py); they are only tested on. What was tested is written to
models/brain_tumor_vgg16.ood.npz, from where export/ puts it into the ONNX files.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score

from serve.artifacts import KERAS_NAME, METRICS_NAME, OOD_NAME, write_metrics
from serve.command import RESUMES, UserError, run
from serve.detector import Detector, pool
from serve.names import LABELS
from train.arguments import add_training_arguments
from train.data.br35h import read_br35h
from train.data.dataset import PARTS, UNKNOWN_TUMOUR, Scan, find_scans, read_scans
from train.folds import patient_sides
from train.learning.features import FeatureCache
from train.network.vgg16 import until_block4
from train.pictures.augment import AugmentedViews
from train.recipes import Recipe

VIEWS = 4  # of every scan that the score is fitted to, of other brightness and contrast
KEPT = 0.995  # share of the threshold side's scans that the threshold lets pass


def fit_detector(pooled: np.ndarray, labels: np.ndarray, held_out: np.ndarray) -> Detector:
    """Fit means and covariance, then set the threshold on `held_out`.

    Args:
        pooled: float32 (N, 1024), of training scans.
        labels: int (N,).
        held_out: float32 (M, 1024), of scans of other patients.
    """
    means = np.stack([pooled[labels == label].mean(axis=0) for label in range(len(LABELS))])
    precision = LedoitWolf(assume_centered=True).fit(pooled - means[labels]).precision_
    whitening = np.linalg.cholesky(precision)
    bare = Detector(*(a.astype(np.float16).astype(np.float32) for a in (means, whitening)), np.inf)
    threshold = float(np.quantile(bare.score(held_out), KEPT))
    return Detector(bare.means, bare.whitening, threshold)


def pooled_features(features: FeatureCache, scans: Sequence[Scan], views: int = 1) -> np.ndarray:
    """Pooled features of each view, float32 (scans * views, 1024)."""
    rows = features.rows_of(scans, views).ravel()
    stored = features.rows()
    return np.concatenate([pool(stored[row][None]) for row in rows])


def read_others(folder: Path) -> dict[str, list[Scan]]:
    """The pictures that are no brain MRI, by kind.

    Raises:
        UserError: there are none.
    """
    found = {
        kind.name: read_scans(
            [(path, UNKNOWN_TUMOUR) for path in sorted(kind.iterdir())], part=kind.name
        )
        for kind in sorted(folder.glob("*/"))
    }
    kinds = {name: pictures for name, pictures in found.items() if pictures}
    if not kinds:
        raise UserError(f"{folder}: no pictures, python -m train.other_pictures gathers them")
    return kinds


def refusal(
    detector: Detector, scans: dict[str, np.ndarray], others: dict[str, np.ndarray]
) -> dict[str, Any]:
    """What the threshold does to test scans and to other pictures.

    Args:
        scans: pooled features (N, 1024) of test scans by collection.
        others: the same of other pictures by kind.
    """
    scores = {name: detector.score(pooled) for name, pooled in (scans | others).items()}
    refused = {name: float((one > detector.threshold).mean()) for name, one in scores.items()}
    inside = np.concatenate([scores[name] for name in scans])
    outside = np.concatenate([scores[name] for name in others])
    truth = np.repeat([0, 1], [len(inside), len(outside)])
    return {
        "auroc": float(roc_auc_score(truth, np.concatenate([inside, outside]))),
        "refused": float((outside > detector.threshold).mean()),
        "scans_refused": float((inside > detector.threshold).mean()),
        "by_kind": {name: refused[name] for name in others},
        "scans_by_collection": {name: refused[name] for name in scans},
        "pictures": len(outside),
        "scans": len(inside),
        "threshold": detector.threshold,
    }


def _published(path: Path) -> keras.Model:
    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no model ({error})") from error


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.ood", description=__doc__.split("?")[0] + "?"
    )
    add_training_arguments(parser)
    parser.add_argument("--br35h", type=Path, required=True, metavar="DIR", help="br35h_tumour")
    parser.add_argument("--others", type=Path, required=True, metavar="DIR", help="KIND/*")
    args = parser.parse_args(argv)
    others = read_others(args.others)
    scans = [scan for part in PARTS for scan in find_scans(args.data, part)]
    tumours = read_br35h(args.br35h, scans).tumours
    sides = patient_sides(scans)[0]

    prefix = until_block4(_published(args.output / KERAS_NAME))
    features = FeatureCache(args.cache, prefix, AugmentedViews(Recipe(), args.seed))
    labels = np.repeat([scan.label for scan in sides.training], VIEWS)
    detector = fit_detector(
        pooled_features(features, sides.training, VIEWS),
        labels,
        pooled_features(features, sides.validation),
    )
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
    write_metrics(args.output, "ood", figures)
    print(f"wrote ood of {args.output / METRICS_NAME}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
