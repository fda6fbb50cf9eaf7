"""A scan that lies on its side, as slices of a NIfTI volume often do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SUSPECT = 0.9  # out-of-distribution score up to which few scans lay on their side
MUCH = 0.9  # share of the score that a turned view's may be at most


def turned_views(pixels: np.ndarray) -> list[np.ndarray]:
    """The picture turned by 90 degrees to the left and to the right; uint8 (H, W, 3)."""
    return [np.ascontiguousarray(np.rot90(pixels, turns)) for turns in (1, -1)]


def may_be_turned(score: float) -> bool:
    """Whether a picture is so unlike the training scans that its turned views are worth a look.

    Args:
        score: the model's `ood_score` of the picture.
    """
    return score > SUSPECT


def looks_turned(score: float, turned: Sequence[float], threshold: float) -> bool:
    """Whether a picture is far more like a brain scan once it is turned by 90 degrees.

    Args:
        score: the model's `ood_score` of the picture.
        turned: the same of its `turned_views`.
        threshold: the model's `ood_threshold`; what is no scan either way is not turned.
    """
    return may_be_turned(score) and min(turned) <= min(threshold, MUCH * score)
