"""Where in a picture the head is, and places in it."""

from __future__ import annotations

import cv2
import numpy as np

HEAD = 20  # grey level from which a pixel belongs to the head


def head_of(pixels: np.ndarray) -> np.ndarray:
    """Which pixels are not background, bool (H, W)."""
    red, green, blue = cv2.split(pixels)
    return cv2.max(cv2.max(red, green), blue) >= HEAD


def solid_head(pixels: np.ndarray) -> np.ndarray:
    """The largest connected part that is not background, its holes filled, bool (H, W).

    Text, frames and arrows beside the head are not in it.
    """
    bright = cv2.morphologyEx(
        head_of(pixels).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)
    )
    count, parts, statistics, _ = cv2.connectedComponentsWithStats(bright)
    if count < 2:
        return bright.astype(bool)
    largest = 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())
    return _filled(parts == largest)


def _filled(mask: np.ndarray) -> np.ndarray:
    """The mask with all that the outside does not reach."""
    outside = np.pad(mask.astype(np.uint8), 1)
    cv2.floodFill(outside, None, (0, 0), 2)
    return outside[1:-1, 1:-1] != 2


def box_of(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The corner and the size of a mask's box, float (2,) each: x, y and width, height."""
    rows, columns = np.nonzero(mask)
    corner = np.array([columns.min(), rows.min()], float)
    return corner, np.array([columns.max(), rows.max()]) + 1.0 - corner


def grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    """The mask and what lies within that many pixels of it, bool (H, W)."""
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return cv2.dilate(mask.astype(np.uint8), disk).astype(bool)


def moved_mask(mask: np.ndarray, head: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """The mask moved within the head, off itself; None if no place of fifty drawn fits."""
    rows, columns = np.nonzero(mask)
    for _ in range(50):
        down = rng.integers(-rows.min(), len(mask) - rows.max())
        right = rng.integers(-columns.min(), len(mask) - columns.max())
        moved = np.zeros_like(mask)
        moved[rows + down, columns + right] = True
        if not (moved & mask).any() and head[moved].mean() > 0.9:
            return moved
    return None
