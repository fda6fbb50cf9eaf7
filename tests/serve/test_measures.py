"""Measures on cases that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from serve.measures import calibration_error, confidence_bins, covered, pointed
from serve.names import CELL


def test_calibration_error():
    probabilities = np.array([[0.95, 0.05, 0, 0]] * 4 + [[0.5, 0.3, 0.2, 0]] * 4)
    labels = np.array([0, 0, 0, 1, 0, 0, 1, 2])
    # bins: confidence 0.95, right 3 of 4; confidence 0.5, right 2 of 4
    assert confidence_bins(probabilities, labels) == [
        (0.5, 0.5, pytest.approx(0.5)),
        (0.5, 0.75, pytest.approx(0.95)),
    ]
    assert calibration_error(probabilities, labels) == pytest.approx(0.5 * 0.2 + 0.5 * 0)


def test_the_tumours_share_of_a_cell():
    mask = np.zeros((224, 224), bool)
    mask[CELL : CELL + CELL // 2, 2 * CELL : 3 * CELL] = True
    share = covered(mask)
    assert share[1, 2] == 0.5
    assert share.sum() == 0.5


def test_pointing_game():
    mask = np.zeros((224, 224), bool)
    mask[32:40, 64:70] = True  # the cell in row 2, column 4
    maps = np.zeros((3, 14, 14), np.float32)
    maps[0, 2, 4] = maps[1, 4, 2] = 1  # on it, beside it, and an empty map
    assert pointed(maps, np.stack([mask] * 3)).tolist() == [True, False, False]
