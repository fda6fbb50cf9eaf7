"""Predictions -> the figures of a report."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

from serve.names import LABELS

CONFIDENT = 0.9
RESAMPLES = 2000


def score(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    """The figures of a protocol, fractions from 0 to 1.

    Args:
        labels: int (N,), indices into LABELS; every class occurs.
        probabilities: float (N, 4).

    Returns:
        accuracy, macro_f1, images; per_class.CLASS.{precision, recall, f1, auc} (the area
        under the one-vs-rest ROC curve); confidence.{mean_right, mean_wrong, share_above_90,
        accuracy_above_90}, None where there is no such prediction.
    """
    predicted = probabilities.argmax(1)
    right = predicted == labels
    confidence = probabilities.max(1)
    confident = confidence > CONFIDENT
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predicted, labels=range(len(LABELS)), zero_division=0
    )
    return {
        "images": len(labels),
        "accuracy": float(right.mean()),
        "macro_f1": float(f1.mean()),
        "per_class": {
            name: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "auc": float(roc_auc_score(labels == i, probabilities[:, i])),
            }
            for i, name in enumerate(LABELS)
        },
        "confidence": {
            "mean_right": _mean(confidence[right]),
            "mean_wrong": _mean(confidence[~right]),
            "share_above_90": float(confident.mean()),
            "accuracy_above_90": _mean(right[confident]),
        },
    }


def accuracy_interval(right: np.ndarray, groups: np.ndarray) -> list[float]:
    """95 % confidence interval of the accuracy, by the bootstrap over groups.

    Whole groups are drawn with replacement, since images of one group (copies, slices of
    one person) are not independent. Efron and Tibshirani, "An introduction to the bootstrap", 1993;
    percentile interval.

    Args:
        right: bool (N,).
        groups: (N,), of anything that can be told apart, see
            `train.data.duplicates.related_groups`.
    """
    _, group = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group)
    hits = np.bincount(group, weights=right)
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(sizes), size=(RESAMPLES, len(sizes)))
    accuracies = hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return [float(bound) for bound in np.quantile(accuracies, (0.025, 0.975))]


def table(figures: dict[str, Any]) -> str:
    """The figures of `score` as text."""
    low, high = figures["accuracy_ci"]
    lines = [
        f"accuracy {figures['accuracy']:.2%} ({low:.1%} to {high:.1%}), "
        f"macro F1 {figures['macro_f1']:.3f}",
        f"{'':12}{'precision':>10}{'recall':>10}{'F1':>8}{'AUC':>8}",
    ]
    for name in LABELS:
        row = figures["per_class"][name]
        lines.append(
            f"{name:12}{row['precision']:>10.1%}{row['recall']:>10.1%}"
            f"{row['f1']:>8.3f}{row['auc']:>8.3f}"
        )
    return "\n".join(lines)


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
