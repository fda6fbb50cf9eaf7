"""Distortions of real scans: what they must keep, and that they are drawn, not random."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from serve.formats.raster import load_pixels
from train.pictures.distort import (
    biased,
    compressed,
    equalized,
    ghosted,
    levelled,
    matched,
    noisy,
    only_head,
    remapped,
    shade,
    stripped,
    toned,
    warp,
)
from train.pictures.skull import HEAD, grown, head_of, solid_head
from train.recipes import Distortion, WideDistortion

STEPS = "cropped erased matched toned equalized coarsened blurred noisy compressed"
ALWAYS = Distortion(**dict.fromkeys(STEPS.split(), 1.0))
WIDE_STEPS = "stripped levelled remapped biased ghosted"
NEVER_WIDE = WideDistortion(**dict.fromkeys(WIDE_STEPS.split(), 0.0))


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


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]


def test_stripping_leaves_the_head_without_its_rim(pictures):
    for pixels in pictures:
        head, rim = solid_head(pixels), 0.08
        width = round(rim * np.sqrt(head.sum()))
        found = stripped(pixels, rim)
        inside = ~grown(~head, width)
        assert np.array_equal(found[inside], pixels[inside])
        assert not found[~inside].any()
        assert 0.3 < inside.sum() / head.sum() < 0.9
        assert np.array_equal(stripped(pixels, 0), only_head(pixels))
    black = np.zeros_like(pictures[0])
    assert np.array_equal(stripped(black, 0.1), black)


def test_levelling_makes_the_brightest_white(pictures):
    for pixels in pictures:
        dark = pixels // 2
        found, head = levelled(dark), head_of(dark)
        white = np.percentile(dark[head], 99.5)
        assert white < 200
        assert (found[dark >= white] >= 254).all()
        assert (found[head] >= 254).mean() >= 0.005
        below = dark < white
        np.testing.assert_allclose(found[below], dark[below] * (255 / white), atol=1)
    black = np.zeros_like(pictures[0])
    assert np.array_equal(levelled(black), black)


def test_remapping_is_a_curve_that_now_and_then_falls(pictures):
    """One grey level for each: not monotone in about FALLING of the draws, the background kept."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 256, 3)
    curves = [remapped(ramp, np.random.default_rng(n))[0, :, 0].astype(int) for n in range(200)]
    assert all(np.array_equal(curve[: HEAD // 2], np.arange(HEAD // 2)) for curve in curves)
    falling = [np.diff(curve[2 * HEAD :]).min() < 0 for curve in curves]
    assert np.mean(falling) == pytest.approx(0.3, abs=0.1)
    for pixels in pictures:
        background = pixels.max(axis=2) <= HEAD // 2
        found = remapped(pixels, np.random.default_rng(1))
        assert np.array_equal(found[background], pixels[background])
        levels = {(old, new) for old, new in zip(pixels.ravel(), found.ravel(), strict=True)}
        assert len(levels) == len(np.unique(pixels))


def test_bias_is_a_smooth_field_of_the_given_strength(pictures):
    flat = np.full((224, 224, 3), 100, np.uint8)
    for number in range(5):
        field = np.log(biased(flat, 0.5, np.random.default_rng(number))[:, :, 0] / 100)
        assert np.abs(field).max() == pytest.approx(0.5, abs=0.02)
        assert np.abs(np.diff(field, axis=0)).max() < 0.05
    for number, pixels in enumerate(pictures):
        found = biased(pixels, 0.3, np.random.default_rng(number))
        assert correlation(found, pixels) > 0.9
        assert not found[pixels == 0].any()
        assert np.array_equal(biased(pixels, 0, np.random.default_rng(number)), pixels)


def test_a_ghost_is_a_fainter_copy_beside_the_head():
    pixels = np.zeros((224, 224, 3), np.uint8)
    pixels[50:60, 70:80] = 200
    for number in range(10):
        found = ghosted(pixels, 0.25, np.random.default_rng(number))[:, :, 0]
        assert set(np.unique(found)) == {0, 40, 160}
        shifts = np.argwhere(found == 40).min(axis=0) - np.argwhere(found == 160).min(axis=0)
        assert (shifts == 0).sum() == 1
        assert 22 <= np.abs(shifts).max() <= 112
        assert (found == 40).sum() == (found == 160).sum() == 100


@pytest.mark.parametrize(
    "step",
    [
        lambda p, rng: stripped(p, 0.1),
        lambda p, rng: levelled(p),
        remapped,
        lambda p, rng: biased(p, 0.6, rng),
        lambda p, rng: ghosted(p, 0.3, rng),
    ],
    ids=WIDE_STEPS.split(),
)
def test_a_step_keeps_shape_type_and_a_black_background(step, pictures):
    for number, pixels in enumerate(pictures):
        before = pixels.copy()
        found = step(pixels, np.random.default_rng(number))
        assert (found.shape, found.dtype) == (pixels.shape, np.uint8)
        assert np.array_equal(pixels, before), "the scan itself is changed"
        black = np.zeros_like(pixels)
        assert not step(black, np.random.default_rng(number)).any()


def test_wide_steps_are_drawn_as_often_as_the_recipe_says(pictures):
    """And come before those of every recipe, which only the wide one precedes."""
    pixels, other = pictures[:2]
    usual = Distortion(**dict.fromkeys(STEPS.split(), 0.0))
    for name in WIDE_STEPS.split():
        bounds = dataclasses.replace(
            NEVER_WIDE, **dict.fromkeys(STEPS.split()[1:], 0.0), **{name: 0.5}
        )
        changed = [
            not np.array_equal(shade(pixels, other, np.random.default_rng(n), bounds), pixels)
            for n in range(40)
        ]
        assert 0.25 < np.mean(changed) < 0.75, name
        same = shade(pixels, other, np.random.default_rng(0), usual)
        assert np.array_equal(same, pixels)


def test_a_wide_draw_is_still_the_same_head(pictures):
    """With all wide steps: something else, with the head where it was."""
    bounds = dataclasses.replace(
        NEVER_WIDE, **dict.fromkeys(["levelled", "remapped", "biased"], 1.0), erased=0.0
    )
    for number, pixels in enumerate(pictures):
        found = shade(pixels, pictures[0], np.random.default_rng(number), bounds)
        assert (found.shape, found.dtype) == (pixels.shape, np.uint8)
        assert not np.array_equal(found, pixels)
        background = pixels.max(axis=2) == 0
        assert found[background].mean() < HEAD
