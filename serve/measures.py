"""How good answers are, in NumPy alone, and how a share of them is written."""

from __future__ import annotations

import math

import numpy as np

from .names import CELL, MAP_CELLS

BINS = 15  # of the calibration error


def confidence_bins(
    probabilities: np.ndarray, labels: np.ndarray
) -> list[tuple[float, float, float]]:
    """(share of the images, accuracy, mean confidence) of every bin that is not empty.

    Args:
        probabilities: float (N, classes).
        labels: int (N,), the true classes.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    members = [bins == number for number in np.unique(bins)]
    return [
        (float(own.mean()), float(right[own].mean()), float(confidence[own].mean()))
        for own in members
    ]


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error: |accuracy - confidence| over 15 equal bins, by their share.

    Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
    """
    bins = confidence_bins(probabilities, labels)
    return float(sum(share * abs(right - confidence) for share, right, confidence in bins))


def covered(masks: np.ndarray) -> np.ndarray:
    """The tumour's share of every map cell, float (..., 14, 14), of bool (..., 224, 224)."""
    cells = masks.reshape(*masks.shape[:-2], MAP_CELLS, CELL, MAP_CELLS, CELL)
    return cells.mean(axis=(-3, -1))


def pointed(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The pointing game: does a map's maximum lie in a cell that the outline touches? bool (N,).

    Zhang et al., "Top-down neural attention by excitation backprop", ECCV 2016. An empty map
    points nowhere.

    Args:
        maps: float (N, 14, 14), not negative.
        masks: bool (N, 224, 224).
    """
    flat = maps.reshape(len(maps), -1)
    share = covered(masks).reshape(len(maps), -1)
    peak = flat.argmax(axis=1)
    return (share[np.arange(len(flat)), peak] > 0) & (flat.max(axis=1, initial=0) > 0)


def percent(share: float, digits: int = 1) -> str:
    """A share as the project's texts write it, 89.4 %; never 0 or 100 where it is not that."""
    least = 10**-digits
    if 0 < share < least / 200:
        return f"under {least:.{digits}f}\u00a0%"
    if 1 - least / 200 <= share < 1:
        return f"over {100 - least:.{digits}f}\u00a0%"
    return f"{share * 100:.{digits}f}\u00a0%"


def in_100(share: float) -> str:
    """A share as a whole number of a hundred; never 100 or 0 where it is not all or none."""
    if not 0 < share < 1:
        return f"{share * 100:.0f}"
    return str(min(max(math.floor(share * 100 + 0.5), 1), 99))
