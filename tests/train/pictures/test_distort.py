"""Distortions of real scans: what they must keep, and that they are drawn, not random."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from serve.formats.raster import load_pixels
from train.pictures.distort import (
    compressed,
    equalized,
    matched,
    noisy,
    only_head,
    shade,
    toned,
    warp,
)
from train.pictures.skull import head_of, solid_head
from train.recipes import Distortion

STEPS = "cropped erased matched toned equalized coarsened blurred noisy compressed"
ALWAYS = Distortion(**dict.fromkeys(STEPS.split(), 1.0))


@pytest.fixture(scope="module")
def pictures(scans) -> list[np.ndarray]:
    return [load_pixels(scan, 224) for scan in scans]


def square(*corners: int) -> np.ndarray:
    mask = np.zeros((224, 224), bool)
    top, bottom, left, right = corners
    mask[top:bottom, left:right] = True
    return mask


def test_mask_and_picture_move_together(pictures):
    mask = square(100, 130, 80, 110)
    for number, pixels in enumerate(pictures):
        marked = pixels // 4
        marked[mask] = 255
        moved, outline = warp(marked, mask, np.random.default_rng(number), ALWAYS)
        bright = moved[:, :, 0] > 160
        assert (bright & outline).sum() / (bright | outline).sum() > 0.9


def test_a_tumour_is_never_cut_off(pictures):
    mask = square(0, 30, 100, 130)
    wild = dataclasses.replace(Distortion(), shift=0.4)
    for number in range(20):
        _, outline = warp(pictures[0], mask, np.random.default_rng(number), wild)
        assert outline.sum() > 0.6 * mask.sum()


def test_warp_without_a_mask(pictures):
    moved, outline = warp(pictures[0], None, np.random.default_rng(0), Distortion())
    assert outline is None
    assert (moved.shape, moved.dtype) == (pictures[0].shape, np.uint8)


@pytest.mark.parametrize("bounds", [Distortion(), ALWAYS], ids=["usual", "all of it"])
def test_shade_keeps_the_anatomy(pictures, bounds):
    """Grey levels change, yet the picture stays one of the same head."""
    for number, pixels in enumerate(pictures):
        other = pictures[(number + 3) % len(pictures)]
        shaded = shade(pixels, other, np.random.default_rng(number), bounds)
        assert (shaded.shape, shaded.dtype) == (pixels.shape, np.uint8)
        assert np.corrcoef(shaded.ravel(), pixels.ravel())[0, 1] > 0.8


def test_the_same_draw_gives_the_same_picture(pictures):
    def draw(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        moved, _ = warp(pictures[0], None, rng, ALWAYS)
        return shade(moved, pictures[1], rng, ALWAYS)

    assert np.array_equal(draw(1), draw(1))
    assert not np.array_equal(draw(1), draw(2))


def test_matched_has_the_other_heads_grey_levels(pictures):
    dark, bright = pictures[0] // 3, pictures[1]
    found = matched(dark, bright)
    levels = [np.quantile(p.max(axis=2)[head_of(p)], (0.25, 0.5, 0.75)) for p in (found, bright)]
    np.testing.assert_allclose(*levels, atol=12)
    assert np.array_equal(matched(np.zeros_like(dark), bright), np.zeros_like(dark))


def test_toning_nothing_changes_nothing(pictures):
    assert np.array_equal(toned(pictures[0], 1, 1, 1), pictures[0])
    assert toned(pictures[0], 1, 1.2, 1)[~head_of(pictures[0])].max() < 30


def test_only_head_erases_what_is_written_beside_it(pictures):
    pixels = pictures[0].copy()
    head = solid_head(pixels)
    assert not head[2:8, 2:20].any()
    pixels[2:8, 2:20] = 255
    cleaned = only_head(pixels)
    assert not cleaned[2:8, 2:20].any()
    assert np.array_equal(cleaned[head], pixels[head])


def test_small_steps_stay_small(pictures):
    pixels = pictures[0]
    rng = np.random.default_rng(0)
    assert np.abs(noisy(pixels, 2, rng).astype(int) - pixels).mean() < 3
    assert np.abs(compressed(pixels, 90).astype(int) - pixels).mean() < 3
    assert equalized(pixels, 2).std() != pixels.std()
