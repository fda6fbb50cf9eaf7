"""Calibration figures on cases that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from serve.command import UserError
from serve.metrics import write_metrics
from train.evaluation.calibration import brier_score, fit_temperature, temperature_of_others

OF = {"recipe": "a" * 64, "data": "b" * 64}


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


def test_the_temperature_of_the_other_folds_is_taken_up(tmp_path):
    figures = {"temperatures": [0.7, 0.8, 0.9, 1.0, 1.1]}
    write_metrics(tmp_path, "recipes.robust.calibration.patient", figures, OF)
    write_metrics(tmp_path, "calibration.patient", {"temperatures": [0.5]}, OF)
    assert temperature_of_others(tmp_path, "robust", OF) == 0.7
    assert temperature_of_others(tmp_path, "broad", OF) == 0.5  # the default stands apart


@pytest.mark.parametrize("of", [None, {"recipe": "c" * 64}, {"data": "c" * 64}])
def test_a_temperature_of_another_recipe_or_of_other_data_is_refused(of, tmp_path):
    if of:
        figures = {"temperatures": [0.7]}
        write_metrics(tmp_path, "calibration.patient", figures, OF | of)
    with pytest.raises(UserError, match="--protocol patient first"):
        temperature_of_others(tmp_path, "broad", OF)
