"""The area under the ROC curve is scikit-learn's; what else is measured is tested by hand in
tests/train/evaluation/test_hospitals.py."""

from __future__ import annotations

import numpy as np
import pytest

from serve.tumours import area


@pytest.mark.parametrize("levels", [3, 50, 10**9], ids=["ties", "some ties", "none"])
def test_the_area_is_that_under_the_roc_curve(levels):
    metrics = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn")
    rng = np.random.default_rng(levels)
    truth = rng.random(300) < 0.3
    scores = np.round((rng.random(300) + 0.3 * truth) * levels) / levels
    found = area(scores[truth], scores[~truth])
    assert found == pytest.approx(metrics.roc_auc_score(truth, scores), abs=1e-12)


def test_of_one_kind_alone_there_is_none():
    assert area(np.array([0.5]), np.array([])) is None
    assert area(np.array([]), np.array([0.5])) is None
