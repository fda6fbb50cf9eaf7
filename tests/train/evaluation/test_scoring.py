"""The figures of a report on cases that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from train.evaluation.scoring import accuracy_interval, score

BOUNDS = np.array([0.025, 0.975])


def test_figures_by_hand():
    labels = np.array([0, 0, 1, 2, 3])
    probabilities = np.array(
        [
            [0.95, 0.05, 0.0, 0.0],
            [0.3, 0.6, 0.1, 0.0],
            [0.0, 0.92, 0.0, 0.08],
            [0.0, 0.0, 0.7, 0.3],
            [0.0, 0.0, 0.2, 0.8],
        ]
    )
    figures = score(labels, probabilities)
    assert (figures["images"], figures["accuracy"]) == (5, 0.8)
    assert figures["per_class"]["glioma"]["recall"] == 0.5
    assert figures["per_class"]["meningioma"]["precision"] == 0.5
    assert figures["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 1 + 1) / 4)
    confidence = figures["confidence"]
    assert confidence["mean_right"] == pytest.approx((0.95 + 0.92 + 0.7 + 0.8) / 4)
    assert confidence["mean_wrong"] == pytest.approx(0.6)
    assert (confidence["share_above_90"], confidence["accuracy_above_90"]) == (0.4, 1.0)


def test_the_interval_of_independent_answers_is_the_binomial_one():
    right = np.arange(100) % 5 > 0  # 80 of 100
    found = accuracy_interval(right, np.arange(100))
    assert found == pytest.approx(binom.ppf(BOUNDS, 100, 0.8) / 100, abs=0.011)


def test_identical_answers_count_once():
    """Twenty-five groups of four, answered alike, say no more than twenty-five images."""
    right = np.repeat(np.arange(25) % 5 > 0, 4)
    groups = np.repeat(np.arange(25), 4)
    found = accuracy_interval(right, groups)
    assert found == pytest.approx(binom.ppf(BOUNDS, 25, 0.8) / 25, abs=0.041)
    low, high = accuracy_interval(right, np.arange(100))
    assert found[0] < low < 0.8 < high < found[1]


def test_groups_are_drawn_whole_and_weigh_by_their_size():
    """A right image and three wrong ones: of two groups drawn, accuracies 1, 1/4, 1/4 and 0."""
    right, groups = np.array([True, False, False, False]), np.array([7, 3, 3, 3])
    assert accuracy_interval(right, groups) == [0.0, 1.0]
    assert accuracy_interval(right, np.zeros(4, int)) == [0.25, 0.25]
