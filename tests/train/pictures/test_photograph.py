"""Photographs of a screen: drawn from the seed, recognizably the scan, and most of the views."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import SCANS
from train.data.dataset import Scan, read_scans
from train.pictures.augment import AugmentedViews, augmented_view
from train.pictures.photograph import PHOTOGRAPHED, PhotographedViews, photographed
from train.recipes import BareRecipe


@pytest.fixture(scope="module")
def scans() -> list[Scan]:
    return read_scans([(path, 0) for path in sorted(SCANS.glob("*.jpg"))], part="here")


def views_of(scans: list[Scan], view: int, seed: int = 0) -> np.ndarray:
    drawn = PhotographedViews(BareRecipe(), seed).pixels([(scan, view) for scan in scans])
    return np.stack(list(drawn))


def coarse(pixels: np.ndarray) -> np.ndarray:
    """Means over blocks of 28 pixels, so that a slant counts for little."""
    return pixels.reshape(8, 28, 8, 28, 3).mean(axis=(1, 3, 4))


def test_a_photograph_shows_the_scan_tinted_and_never_twice_the_same(scans):
    rng = np.random.default_rng(3)
    seen = [photographed(scan.pixels(), rng) for scan in scans]
    for scan, one in zip(scans, seen, strict=True):
        assert (one.shape, one.dtype) == (scan.pixels().shape, np.uint8)
        pair = [coarse(pixels)[1:-1, 1:-1].ravel() for pixels in (scan.pixels(), one)]
        assert 0.5 < np.corrcoef(*pair)[0, 1] < 0.999
    assert max((np.ptp(one, axis=2) > 0).mean() for one in seen) > 0.5  # the scans are grey
    assert (photographed(scans[0].pixels(), rng) != seen[0]).any()


def test_the_first_view_is_the_scan_itself(scans):
    assert (views_of(scans, 0) == np.stack([scan.pixels() for scan in scans])).all()


def test_the_others_are_photographs_or_of_other_brightness(scans):
    plain = [
        np.array_equal(
            views_of([scan], view)[0],
            augmented_view(scan.pixels(), scan.digest, view, BareRecipe(), 0),
        )
        for scan in scans
        for view in range(1, 9)
    ]
    assert np.mean(plain) == pytest.approx(1 - PHOTOGRAPHED, abs=0.2)


def test_views_follow_from_the_seed_alone(scans):
    assert (views_of(scans, 1) == views_of(scans, 1)).all()
    assert (views_of(scans, 1) != views_of(scans, 1, seed=1)).any()


def test_a_views_source_is_its_own(scans):
    ours, theirs = PhotographedViews(BareRecipe(), 0), AugmentedViews(BareRecipe(), 0)
    other = PhotographedViews(BareRecipe(), 1)
    assert ours.source(scans[0], 0) == theirs.source(scans[0], 0) == scans[0].digest
    assert len({made.source(scans[0], 1) for made in (ours, theirs, other)}) == 3
