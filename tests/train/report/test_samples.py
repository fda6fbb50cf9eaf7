"""Samples are chosen by their place in the order, not by their looks."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from train.report.samples import choose_samples

LABELS = np.array([0, 0, 0, 0, 0, 1, 1, 3])
ANSWERS = np.array([0, 1, 0, 0, 2, 1, 1, 0])


def test_the_middle_of_the_right_and_of_the_wrong_answers_of_each_class(placed_scans):
    scans = placed_scans[: len(LABELS)]
    logits = np.eye(4)[ANSWERS] * 3
    maps = np.arange(len(LABELS))[:, None, None] * np.ones((1, 14, 14))
    masks = np.zeros((len(LABELS), 224, 224), bool)
    masks[2, 5, 5] = True
    samples = choose_samples(scans, LABELS, masks, maps, logits)
    # right glioma 0, 2, 3 and wrong 1, 4; right meningioma 5, 6; wrong pituitary 7
    chosen = [2, 4, 6, 7]
    assert [sample.scan for sample in samples] == [scans[i] for i in chosen]
    assert [sample.label for sample in samples] == [0, 0, 1, 3]
    assert [sample.right for sample in samples] == [True, False, True, False]
    assert [sample.heat[0, 0] for sample in samples] == chosen
    assert samples[0].mask[5, 5] and not samples[1].mask.any()
    np.testing.assert_allclose(samples[3].probabilities, softmax(logits[7]))
