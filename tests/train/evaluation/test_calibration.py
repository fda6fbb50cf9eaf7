"""Calibration figures on cases that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from train.evaluation.calibration import brier_score, fit_temperature


def test_the_temperature_that_made_the_labels_is_found():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4)) * 2
    draws = rng.random((len(logits), 1))
    labels = (softmax(logits, axis=1).cumsum(axis=1) < draws).sum(axis=1)
    assert fit_temperature(logits * 3, labels) == pytest.approx(3, rel=0.05)


def test_brier_score_by_hand():
    probabilities = np.array([[1.0, 0, 0, 0], [0, 0.5, 0.5, 0]])
    assert brier_score(probabilities, np.array([0, 1])) == pytest.approx(0.25)
    assert brier_score(probabilities, np.array([1, 1])) == pytest.approx((2 + 0.5) / 2)
