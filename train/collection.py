"""Tumours of a collection that was never trained on: Br35H (A. Hamada, Kaggle), type unknown."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from serve.artifacts import LABELS
from train.dataset import UNKNOWN_TUMOUR, DatasetError, Scan, read_scans
from train.duplicates import find_pairs
from train.fit import Fit, predict_logits

NOTUMOR = LABELS.index("notumor")
SPECIFICITY = 0.9


def read_br35h(folder: Path) -> list[Scan]:
    """The tumour scans of `folder`/images that are not known to be in the Kaggle dataset.

    Raises:
        DatasetError: br35h_tumour.csv or the images are not there.
    """
    table = folder / "br35h_tumour.csv"
    try:
        with table.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if not row["kaggle_duplicate"]]
    except (OSError, KeyError) as error:
        raise DatasetError(f"{table}: {error}") from error
    return read_scans(
        [(folder / "images" / row["file"], UNKNOWN_TUMOUR) for row in rows], part="Br35H"
    )


def without_known(unknown: Sequence[Scan], known: Sequence[Scan]) -> list[Scan]:
    """Those scans of `unknown` that are no near-duplicate of one in `known`."""
    pairs = find_pairs([*known, *unknown])
    across = (pairs.first < len(known)) & (pairs.second >= len(known))
    copies = set(pairs.second[across].tolist())
    return [scan for i, scan in enumerate(unknown, len(known)) if i not in copies]


def score_collection(
    folds: Iterable[tuple[Fit, list[Scan], list[int]]], tumours: Sequence[Scan]
) -> dict[str, Any]:
    """Sensitivity to `tumours` against the tumour-free scans that each fold's training left out.

    Returns:
        sensitivity (any tumour class is an answer), specificity, auc of 1 - P(notumor),
        sensitivity_at_specificity_90; every fold's model answers for every tumour, all answers
        are pooled.
    """
    sides: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for done, scans, labels in folds:
        healthy = [scan for scan, label in zip(scans, labels, strict=True) if label == NOTUMOR]
        for side, chosen in zip(sides, (tumours, healthy), strict=True):
            side.append(softmax(predict_logits(done, chosen), axis=1))
    tumour, healthy = (np.concatenate(side) for side in sides)
    scores = [1 - side[:, NOTUMOR] for side in (tumour, healthy)]
    truth = np.repeat([1, 0], [len(tumour), len(healthy)])
    return {
        "tumours": len(tumours),
        "healthy": len(healthy),
        "sensitivity": float((tumour.argmax(axis=1) != NOTUMOR).mean()),
        "specificity": float((healthy.argmax(axis=1) == NOTUMOR).mean()),
        "auc": float(roc_auc_score(truth, np.concatenate(scores))),
        "sensitivity_at_specificity_90": float(
            (scores[0] > np.quantile(scores[1], SPECIFICITY)).mean()
        ),
    }
