"""Grey levels of any range give the answer of the same picture with 8 bits."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from serve import BrainTumorClassifier, InvalidImageError
from serve.formats.grey import looks_inverted, to_8_bit
from serve.formats.raster import load_pixels
from tests.conftest import SHARED

MAXIMA = (200, 255, 300, 1023, 4095, 6000, 32767, 65535)


@pytest.fixture(scope="module")
def classifier() -> BrainTumorClassifier:
    return BrainTumorClassifier("int8", "cpu")


def rescaled(grey: np.ndarray, brightest: int, hot: bool) -> np.ndarray:
    levels = np.rint(grey / grey.max() * brightest).astype(np.uint16)
    if hot:
        levels[grey.shape[0] // 2, grey.shape[1] // 3] = 65535
    return levels


@pytest.mark.parametrize("number", range(8))
def test_every_maximum_gets_the_answer_of_8_bits(number, scans, classifier):
    grey = np.asarray(Image.open(scans[number]).convert("L"))
    kinds = [rescaled(grey, one, hot) for one in MAXIMA for hot in (False, True)]
    expected, *found = classifier.predict([grey, *kinds])
    for answer in found:
        assert answer.label == expected.label
        assert answer.confidence == pytest.approx(expected.confidence, abs=0.02)


@pytest.fixture(scope="module")
def grey(scans) -> np.ndarray:
    return np.asarray(Image.open(scans[0]).convert("L"))


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.astype(np.int16) * 8 - 900,
        lambda a: a.astype(np.uint16) + 32768,
        lambda a: (a / 255 * 1.0000001).astype(np.float64),
        lambda a: (a / 255).astype(np.float16),
        lambda a: a.astype(np.float32) * 1e-9,
        lambda a: a.astype(np.float32) * 1e9 - 1e11,
        lambda a: a.astype(np.int64) << 30,
    ],
)
def test_no_offset_or_scale_matters(change, grey):
    found = to_8_bit(change(grey)).astype(int)
    assert np.abs(found - grey).max() <= 1


def test_a_hot_and_a_cold_pixel_change_nothing_else(grey):
    levels = grey.astype(np.int32) * 4
    levels[100, 100], levels[200, 200], levels[201, 200] = 60000, -30000, -20000
    found = to_8_bit(levels).astype(int)
    rest = np.ones(grey.shape, bool)
    rest[100, 100] = rest[200, 200] = rest[201, 200] = False
    assert np.abs(found - grey)[rest].max() <= 1


def test_bright_letters_do_not_darken_the_scan_away(grey):
    levels = grey.astype(np.uint16)
    levels[5:15, 5:40] = 65535
    assert np.percentile(to_8_bit(levels)[grey > 100], 50) > 40


def test_one_level_is_black_or_nothing():
    assert not to_8_bit(np.zeros((4, 4), np.uint16)).any()
    with pytest.raises(InvalidImageError, match="same grey level"):
        to_8_bit(np.full((4, 4), 7, np.uint16))


def test_a_negative_looks_inverted(scans):
    for scan in scans:
        image = Image.open(scan).convert("RGB")
        assert not looks_inverted(np.asarray(image))
    image = Image.open(scans[0]).convert("RGB")
    assert looks_inverted(np.asarray(ImageOps.invert(image)))


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared")
def test_a_scan_stored_with_few_levels_is_not_black():
    pixels = load_pixels(SHARED / "cases" / "files" / "scan16bit_lowrange.png", 224)
    assert pixels.mean() > 20
