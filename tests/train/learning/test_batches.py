"""What is in the batches of an epoch, and how often."""

from __future__ import annotations

import numpy as np
import pytest

from train.learning.batches import DrawnViews

SCANS, VIEWS = 20, 3
ROWS = np.arange(SCANS * VIEWS).reshape(SCANS, VIEWS)
FEATURES = np.arange(SCANS * VIEWS, dtype=np.float16)[:, None]
WEIGHTS = np.repeat([0.0, 0.02, 0.08], [5, 5, 10]) / 0.9


def drawn(draw=(0, 1), **options) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """The rows that were drawn, their targets, and the size of each batch."""
    batches = DrawnViews(FEATURES, ROWS, {"row": ROWS}, 8, draw, **options)
    parts = [batches[i] for i in range(len(batches))]
    features, targets = (np.concatenate(part) for part in zip(*tidy(parts), strict=True))
    return features, targets, [len(part[0]) for part in parts]


def tidy(parts):
    for features, targets in parts:
        assert features.dtype == np.float32
        yield features[:, 0].astype(int), targets["row"]


def test_every_scan_once_with_its_own_target():
    features, targets, sizes = drawn()
    assert sorted(features // VIEWS) == list(range(SCANS))
    assert np.array_equal(features, targets)
    assert sizes == [8, 8, 4]


def test_the_draw_decides():
    assert np.array_equal(drawn()[0], drawn()[0])
    assert not np.array_equal(drawn()[0], drawn((0, 2))[0])
    weighted = drawn(weights=WEIGHTS, size=50)[0]
    assert np.array_equal(weighted, drawn(weights=WEIGHTS, size=50)[0])
    assert not np.array_equal(weighted, drawn((1, 1), weights=WEIGHTS, size=50)[0])


def test_scans_are_drawn_by_their_weight():
    features, targets, sizes = drawn(weights=WEIGHTS, size=9000)
    assert np.array_equal(features, targets)
    assert sum(sizes) == 9000
    found = np.bincount(features // VIEWS, minlength=SCANS) / 9000
    assert not found[WEIGHTS == 0].any()
    assert found == pytest.approx(WEIGHTS, abs=0.015)


@pytest.mark.parametrize("options", [{}, {"weights": WEIGHTS, "size": 6000}], ids=["once", "drawn"])
@pytest.mark.parametrize(("plain", "share"), [(None, 1 / VIEWS), (0.75, 0.75), (1, 1)])
def test_the_first_view_is_drawn_so_often(plain, share, options):
    views = np.concatenate([drawn((0, n), plain=plain, **options)[0] % VIEWS for n in range(50)])
    assert (views == 0).mean() == pytest.approx(share, abs=0.05)
    if share < 1:
        assert (views == 1).mean() == pytest.approx((views == 2).mean(), abs=0.05)


def test_one_view_is_the_scan_as_it_is():
    batches = DrawnViews(FEATURES, ROWS[:, :1], ROWS[:, :1], 32, (0,), plain=0.5)
    assert set(batches[0][1] % VIEWS) == {0}
