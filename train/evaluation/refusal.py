"""The out-of-distribution score is fitted to scans, and tested on scans and on other pictures.

The squared Mahalanobis distance of a picture's pooled block3_pool features from the nearest class
mean, with one covariance for all classes, per dimension (serve/detector.py). Lee et al., "A simple
unified framework for detecting out-of-distribution samples and adversarial attacks", NeurIPS 2018.
It is fitted to scans as they are, and photographed from a screen or of other brightness and
contrast (train/pictures/photograph.py): all of these are brain MRI. The covariance is shrunk:
Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal
of Multivariate Analysis 88, 2004.
Pooled are each channel's mean and standard deviation over the picture, as log(1 + x): the
channels are sparse, and on a linear scale the few scans that excite one hide everything else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score

from serve.command import UserError
from serve.detector import FAMILIAR, KEPT, Detector, fit_detector
from train.data.collections import by_collection, collection_of
from train.data.dataset import UNKNOWN_TUMOUR, Scan, read_scans
from train.data.folds import Sides
from train.learning.pooled import PooledCache

VIEWS = 2  # of every scan that the score is fitted to, the first as it is


def fit_to_sides(pooled: PooledCache, sides: Sides, views: int = VIEWS) -> Detector:
    """`fit_detector` on views of the training side and on the validation side."""
    cells = [f"{collection_of(scan)} {scan.label}" for scan in sides.training]
    return fit_detector(
        pooled.of(sides.training, views),
        np.repeat(cells, views),
        [pooled.of(own) for own in by_collection(sides.validation).values()],
        LedoitWolf(assume_centered=True),
    )


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
        scans: pooled features (N, 512) of test scans by collection.
        others: the same of other pictures by kind.
    """
    scores = {name: detector.score(pooled) for name, pooled in (scans | others).items()}
    refused = {name: float((one > detector.threshold).mean()) for name, one in scores.items()}
    warned = {
        name: float(((one > detector.warning) & (one <= detector.threshold)).mean())
        for name, one in scores.items()
    }
    inside = np.concatenate([scores[name] for name in scans])
    outside = np.concatenate([scores[name] for name in others])
    truth = np.repeat([0, 1], [len(inside), len(outside)])
    return {
        "auroc": float(roc_auc_score(truth, np.concatenate([inside, outside]))),
        "refused": float((outside > detector.threshold).mean()),
        "scans_refused": float((inside > detector.threshold).mean()),
        "by_kind": {name: refused[name] for name in others},
        "scans_by_collection": {name: refused[name] for name in scans},
        "warned_by_collection": {name: warned[name] for name in scans},
        "pictures": len(outside),
        "scans": len(inside),
        "threshold": detector.threshold,
        "kept": KEPT,
        "warning": detector.warning,
        "familiar": FAMILIAR,
    }
