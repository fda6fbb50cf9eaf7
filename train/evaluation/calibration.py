"""Does a confidence mean what it says? Temperature scaling and Brier score."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from serve.command import UserError
from serve.measures import calibration_error
from serve.metrics import OF, read_metrics
from train.data.folds import FOLD
from train.evaluation.predictions import Tested
from train.recipes import section_of

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


def temperature_of_others(models: Path, recipe: str, of: Mapping[str, str]) -> float:
    """The temperature that fits the answers of the other folds' models to their test sides.

    Args:
        models: the folder of the metrics.json that holds it.
        recipe: the name of the recipe of all folds.
        of: what its figures are of (train/evaluation/provenance.py), recipe and data.

    Raises:
        UserError: it was not measured, or with another recipe, or on other data.
    """
    section: Any = read_metrics(models)
    for key in section_of(recipe, "calibration.patient").split("."):
        section = section.get(key, {})
    if section.get(OF) != of:
        raise UserError(
            f"the temperature of the recipe {recipe} comes from the other folds' models, which "
            "must be of the same values and data: python -m train.evaluate --protocol patient first"
        )
    return section["temperatures"][FOLD]


def brier_score(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean squared distance of the probabilities from the truth, 0 to 2.

    Brier, "Verification of forecasts expressed in terms of probability", 1950.
    """
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


def scaling_figures(tested: Tested) -> dict[str, Any]:
    """What temperature scaling does on the test side; temperatures: of each training, in order."""
    before, after = tested.probabilities, tested.calibrated
    return {
        "ece_before": calibration_error(before, tested.labels),
        "ece_after": calibration_error(after, tested.labels),
        "brier_before": brier_score(before, tested.labels),
        "brier_after": brier_score(after, tested.labels),
        "mean_temperature": float(tested.temperature.mean()),
        "temperatures": [float(one) for one in dict.fromkeys(tested.temperature[:, 0].tolist())],
    }
