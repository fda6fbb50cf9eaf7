"""The score tells scans from other pictures, and its threshold keeps what it says."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from sklearn.covariance import LedoitWolf

from serve.detector import FAMILIAR, KEPT, Detector, fit_detector, read_detector
from train.data.dataset import find_scans
from train.evaluation.refusal import read_others, refusal
from train.learning.pooled import PooledCache
from train.network.vgg16 import build_model
from train.pictures.augment import AugmentedViews
from train.recipes import RECIPES


@pytest.fixture(scope="module")
def gaussian() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 2000)
    mixing = rng.normal(size=(8, 8))
    return rng.normal(size=(8000, 8)) @ mixing + 5 * labels[:, None], labels


def test_score_is_the_mahalanobis_distance_per_dimension(gaussian):
    pooled, labels = gaussian
    detector = fit_detector(
        pooled[::2], labels[::2], [pooled[1::2]], LedoitWolf(assume_centered=True)
    )
    scores = detector.score(pooled[1::2])
    assert scores.mean() == pytest.approx(1, rel=0.1)
    assert (scores <= detector.threshold).mean() == pytest.approx(KEPT, abs=0.002)
    assert (scores <= detector.warning).mean() == pytest.approx(FAMILIAR, abs=0.002)
    assert detector.score(pooled[:1] + 1000)[0] > 100 * detector.threshold


def test_refusal_by_hand():
    detector = Detector(np.zeros((1, 2), np.float32), np.eye(2, dtype=np.float32), 1.0, 0.5)
    inside = np.array([[0, 0], [0.05, 0.05], [0.8, 0.8]])
    outside = np.array([[0.1, 0.1], [5, 5], [6, 6], [7, 7]])
    figures = refusal(detector, {"scans": inside}, {"cats": outside})
    assert figures["auroc"] == pytest.approx(11 / 12)
    assert figures["refused"] == figures["by_kind"]["cats"] == 0.75
    assert figures["scans_refused"] == 0
    assert figures["warned_by_collection"] == {"scans": pytest.approx(1 / 3)}


@pytest.mark.parametrize("warning", [0.5, np.inf])
def test_the_thresholds_come_back_from_the_file(warning, tmp_path):
    written = Detector(np.zeros((1, 2), np.float32), np.eye(2, dtype=np.float32), 1.0, warning)
    written.save(tmp_path / "ood.npz")
    found = read_detector(tmp_path / "ood.npz")
    assert (found.threshold, found.warning) == (1.0, warning)


@pytest.mark.slow
def test_noise_is_less_like_the_scans_than_a_scan(small_dataset, base_weights, tmp_path):
    recipe = RECIPES["seed"]
    model = build_model(recipe.network, base_weights)
    pooled = PooledCache(tmp_path / "cache", model, AugmentedViews(recipe, 0))
    scans = find_scans(small_dataset, "Training")
    labels = np.array([scan.label for scan in scans])
    testing = pooled.of(find_scans(small_dataset, "Testing"))
    detector = fit_detector(pooled.of(scans), labels, [testing], LedoitWolf(assume_centered=True))
    (tmp_path / "others" / "noise").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(4):
        noise = Image.fromarray(rng.integers(0, 256, (224, 224, 3), np.uint8))
        noise.save(tmp_path / "others" / "noise" / f"{number}.png")
    noise = pooled.of(read_others(tmp_path / "others")["noise"])
    assert detector.score(noise).min() > detector.score(testing).max()
