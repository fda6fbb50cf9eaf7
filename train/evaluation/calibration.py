"""Does a confidence mean what it says? Temperature scaling, calibration error, Brier score."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

BINS = 15
BOUNDS = (0.05, 20.0)  # of a temperature


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature T that makes softmax(logits / T) the likeliest for the labels.

    Guo et al., "On calibration of modern neural networks", ICML 2017.

    Args:
        logits: float (N, classes), of images that the weights were not fitted to.
        labels: int (N,).
    """
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -scaled[rows, labels].mean()

    found = minimize_scalar(loss, bounds=np.log(BOUNDS), method="bounded")
    return float(np.exp(found.x))


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error: |accuracy - confidence| over 15 equal bins, by their share.

    Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
    """
    bins = bins_of(probabilities, labels)
    return float(sum(share * abs(right - confidence) for share, right, confidence in bins))


def bins_of(probabilities: np.ndarray, labels: np.ndarray) -> list[tuple[float, float, float]]:
    """(share of the images, accuracy, mean confidence) of every bin that is not empty."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    members = [bins == number for number in np.unique(bins)]
    return [
        (float(own.mean()), float(right[own].mean()), float(confidence[own].mean()))
        for own in members
    ]


def brier_score(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean squared distance of the probabilities from the truth, 0 to 2.

    Brier, "Verification of forecasts expressed in terms of probability", 1950.
    """
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())
