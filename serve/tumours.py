"""How well tumours are found and named where their kind may not be known, in NumPy alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .measures import calibration_error
from .names import NOTUMOR, UNKNOWN_TUMOUR

SPECIFICITY = 0.9
CONFIDENT = 0.9


@dataclass(frozen=True)
class Answers:
    """What a model said of N scans."""

    labels: np.ndarray  # int (N,), indices into LABELS, or UNKNOWN_TUMOUR
    probabilities: np.ndarray  # float (N, 4)

    @property
    def tumour(self) -> np.ndarray:
        """bool (N,), there is one."""
        return self.labels != NOTUMOR

    @property
    def said_tumour(self) -> np.ndarray:
        """bool (N,), the answer is a tumour of any kind."""
        return self.probabilities.argmax(axis=1) != NOTUMOR

    @property
    def right(self) -> np.ndarray:
        """bool (N,): the class is the answer, or any tumour where its kind is not known."""
        unknown = self.labels == UNKNOWN_TUMOUR
        return np.where(unknown, self.said_tumour, self.probabilities.argmax(axis=1) == self.labels)

    @property
    def score(self) -> np.ndarray:
        """How probable any tumour is, float (N,)."""
        return 1 - self.probabilities[:, NOTUMOR]

    @property
    def confident(self) -> np.ndarray:
        """bool (N,)."""
        return self.probabilities.max(axis=1) > CONFIDENT


def mean(values: np.ndarray) -> float | None:
    """None of nothing."""
    return float(values.mean()) if len(values) else None


def area(positive: np.ndarray, negative: np.ndarray) -> float | None:
    """The area under the ROC curve: how often a positive scores above a negative, ties half.

    Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic
    (ROC) curve", Radiology 1982.

    Args:
        positive: scores, float (N,).
        negative: scores, float (M,).

    Returns:
        0 to 1; None where either is empty.
    """
    if not len(positive) or not len(negative):
        return None
    ordered = np.sort(negative)
    below, up_to = (np.searchsorted(ordered, positive, side) for side in ("left", "right"))
    return float((below + up_to).mean() / 2 / len(ordered))


def _at_specificity(a: Answers) -> float | None:
    if not 0 < a.tumour.mean() < 1:
        return None
    threshold = np.quantile(a.score[~a.tumour], SPECIFICITY)
    return float((a.score[a.tumour] > threshold).mean())


def _ece(a: Answers) -> float:
    """Of the answers; a tumour of unknown kind is scored by the most probable tumour."""
    labels = np.where(a.right, a.probabilities.argmax(axis=1), UNKNOWN_TUMOUR)
    return calibration_error(a.probabilities, labels)


# auc of 1 - P(notumor); sensitivity and specificity as it is (any tumour class is an answer);
# named, the share of the tumours of a known kind whose kind is the answer.
MEASURES: dict[str, Callable[[Answers], float | None]] = {
    "auc": lambda a: area(a.score[a.tumour], a.score[~a.tumour]),
    "sensitivity": lambda a: mean(a.said_tumour[a.tumour]),
    "specificity": lambda a: mean(~a.said_tumour[~a.tumour]),
    "sensitivity_at_specificity_90": _at_specificity,
    "named": lambda a: mean(a.right[a.tumour & (a.labels != UNKNOWN_TUMOUR)]),
    "share_above_90": lambda a: mean(a.confident),
    "accuracy_above_90": lambda a: mean(a.right[a.confident]),
    "ece": _ece,
}
