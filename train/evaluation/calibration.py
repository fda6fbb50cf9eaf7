"""Does a confidence mean what it says? Temperature scaling and Brier score."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from serve.measures import calibration_error
from train.evaluation.predictions import Tested

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


def brier_score(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean squared distance of the probabilities from the truth, 0 to 2.

    Brier, "Verification of forecasts expressed in terms of probability", 1950.
    """
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


def scaling_figures(tested: Tested) -> dict[str, float]:
    """What temperature scaling does on the test side."""
    before, after = tested.probabilities, tested.calibrated
    return {
        "ece_before": calibration_error(before, tested.labels),
        "ece_after": calibration_error(after, tested.labels),
        "brier_before": brier_score(before, tested.labels),
        "brier_after": brier_score(after, tested.labels),
        "mean_temperature": float(tested.temperature.mean()),
    }
