"""Samples are chosen by their place in the order, not by their looks."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.special import softmax

from train.data.dataset import Scan
from train.report.samples import choose_samples, plot_samples

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


def test_the_picture_has_the_apps_colours_the_outline_and_a_legend(scans, tmp_path):
    logits = np.eye(4)[ANSWERS] * 3
    maps = np.zeros((len(LABELS), 14, 14), np.float32)
    maps[:, 4:8, 4:8] = 1
    masks = np.zeros((len(LABELS), 224, 224), bool)
    masks[:, 60:140, 60:140] = True
    real = [Scan(scan, "Testing", 0, "") for scan in scans]
    samples = choose_samples(real, LABELS, masks, maps, logits)
    plot_samples(samples, tmp_path / "samples.png")
    pixels = np.asarray(Image.open(tmp_path / "samples.png").convert("RGB"), int)
    outline = np.abs(pixels - (0x5C, 0xF2, 0xFF)).max(axis=-1) < 40
    assert outline.sum() > 1000
    foot = pixels[-pixels.shape[0] // 6 :]  # the colour bar, from its darkest to its brightest
    for colour in ((0x0A, 0x07, 0x22), (0xFC, 0xFF, 0xA4)):
        assert (np.abs(foot - colour).max(axis=-1) < 6).sum() > 100
