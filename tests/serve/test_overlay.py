"""The pictures that people look at, of real scans and their real maps."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from serve import BrainTumorClassifier
from serve.formats.raster import load_image
from serve.overlay import SMALLEST_BAR, colour_bar, heat_layer, overlay, with_colour_bar


@pytest.fixture(scope="module")
def explained(scans) -> list[tuple[Image.Image, np.ndarray]]:
    """Every example and the map of its class."""
    classifier = BrainTumorClassifier()
    found = map(classifier.explain, scans)
    return [
        (load_image(scan), one.maps[one.prediction.label])
        for scan, one in zip(scans, found, strict=True)
    ]


@pytest.fixture
def one_hot_cell() -> np.ndarray:
    cam = np.zeros((14, 14), np.float32)
    cam[3, 10] = 1
    return cam


def difference(one: Image.Image, other: Image.Image) -> np.ndarray:
    return np.abs(np.asarray(one).astype(int) - np.asarray(other)).max(axis=2)


def test_the_picture_keeps_its_size_and_shows_through_where_it_is_cold(explained):
    for scan, cam in explained:
        shown = overlay(scan, cam)
        heat = np.asarray(heat_layer(cam, scan.size).getchannel("A"))
        assert (shown.mode, shown.size) == ("RGB", scan.size)
        assert difference(shown, scan)[heat == 0].max() == 0
        assert difference(shown, scan)[heat < 13].max() <= 10
        assert difference(shown, scan)[heat > 240].mean() > 30


def test_the_heat_lies_where_the_map_says(one_hot_cell):
    layer = heat_layer(one_hot_cell, (280, 140))
    alpha = np.asarray(layer.getchannel("A"))
    assert (layer.mode, layer.size) == ("RGBA", (280, 140))
    y, x = np.unravel_index(alpha.argmax(), alpha.shape)
    assert (y // 10, x // 20) == (3, 10)
    assert not alpha[60:].any()
    assert not alpha[:, :160].any()


def test_the_heat_rises_smoothly(one_hot_cell):
    alpha = np.asarray(heat_layer(one_hot_cell, (448, 448)).getchannel("A")).astype(int)
    assert np.abs(np.diff(alpha[112])).max() < 20


def test_a_map_without_evidence_leaves_the_picture_alone(explained):
    scan = explained[0][0]
    assert not difference(overlay(scan, np.zeros((14, 14), np.float32)), scan).any()


def test_opacity(explained):
    scan, cam = explained[0]
    changes = [difference(overlay(scan, cam, opacity), scan).sum() for opacity in (0, 0.3, 0.6, 1)]
    assert changes[0] == 0
    assert changes == sorted(set(changes))


def test_the_colours_are_inferno():
    matplotlib = pytest.importorskip("matplotlib")
    ramp = np.linspace(0, 1, 256, dtype=np.float32)[None]
    found = np.asarray(heat_layer(ramp, (256, 1)))[0]
    expected = matplotlib.colormaps["inferno"](np.arange(256), bytes=True)
    assert np.abs(found[:, :3].astype(int) - expected[:, :3]).max() <= 6
    assert (found[:, 3] == np.arange(256)).all()


@pytest.mark.parametrize("height", [SMALLEST_BAR, 512, 3000])
def test_the_colour_bar_goes_from_high_to_low(height):
    bar = colour_bar(height)
    assert bar.height == height
    grey = np.asarray(bar.convert("L")).astype(int)
    coloured = int(np.ptp(np.asarray(bar)[height // 2], axis=1).argmax())
    column = grey[height // 6 : -height // 6, coloured]
    assert np.diff(column).max() <= 1
    assert column[0] - column[-1] > 80
    words = grey[:, coloured + bar.width // 3 :] > 150
    assert words[: height // 5].any()
    assert words[-height // 5 :].any()
    assert not words[height // 3 : -height // 3].any()


@pytest.mark.parametrize("size", [(512, 400), (1, 1), (900, 7), (30, 40)])
def test_the_bar_stands_at_the_right_of_the_picture(size, explained):
    image = explained[0][0].resize(size)
    shown = with_colour_bar(image)
    top = (shown.height - image.height) // 2
    assert shown.height == max(image.height, SMALLEST_BAR)
    assert not difference(shown.crop((0, top, image.width, top + image.height)), image).any()
    bar = shown.crop((image.width, 0, *shown.size))
    assert not difference(bar, colour_bar(shown.height)).any()
