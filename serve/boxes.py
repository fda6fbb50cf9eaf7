"""Boxes, masks and connected parts of a reduced copy of a picture."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from PIL import Image

Box: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom; the last two are outside


def reduced(pixels: np.ndarray, longest: int) -> tuple[np.ndarray, int]:
    """Average blocks of whole pixels: uint8 (h, w, 3), and how many pixels a side they have."""
    height, width = pixels.shape[:2]
    factor = min(-(-max(height, width) // longest), height, width)
    whole = pixels[: height // factor * factor, : width // factor * factor]
    return np.asarray(Image.fromarray(whole).reduce(factor)), factor


def components(mask: np.ndarray) -> list[tuple[Box, int, int]]:
    """The connected parts of a mask, bool (h, w): box, pixels, and pixels with each row filled.

    Runs of pixels in a row are joined to those that they touch in the row above (union-find).
    """
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    runs = list(zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True))
    parent = list(range(len(runs)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    above = 0
    for here, (row, start, end) in enumerate(runs):
        while runs[above][0] < row - 1 or (runs[above][0] == row - 1 and runs[above][2] <= start):
            above += 1
        other = above
        while runs[other][0] == row - 1 and runs[other][1] < end:
            parent[root(other)] = root(here)
            other += 1
    spans: dict[int, dict[int, list[int]]] = {}
    for here, (row, start, end) in enumerate(runs):
        span = spans.setdefault(root(here), {}).setdefault(row, [start, end, 0])
        span[1] = end
        span[2] += end - start
    found = []
    for part in spans.values():
        lines = list(part.values())
        box = (min(s[0] for s in lines), min(part), max(s[1] for s in lines), max(part) + 1)
        found.append((box, sum(s[2] for s in lines), sum(s[1] - s[0] for s in lines)))
    return found


def opened(mask: np.ndarray) -> np.ndarray:
    """The mask without what is thinner than three pixels: thin text, rulers and lines."""
    return _spread(~_spread(~mask))


def _spread(mask: np.ndarray) -> np.ndarray:
    wide = mask.copy()
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    high = wide.copy()
    high[1:] |= wide[:-1]
    high[:-1] |= wide[1:]
    return high


def ring(values: np.ndarray) -> np.ndarray:
    """The outermost values."""
    return np.concatenate([values[0], values[-1], values[1:-1, 0], values[1:-1, -1]])


def middle(values: np.ndarray) -> float:
    """The upper median."""
    return float(np.sort(values)[len(values) // 2])


def margins(outer: Box, inner: Box) -> tuple[float, float, float, float]:
    """What lies between two boxes, as shares of the outer one: left, top, right, bottom."""
    width, height = outer[2] - outer[0], outer[3] - outer[1]
    return (
        (inner[0] - outer[0]) / width,
        (inner[1] - outer[1]) / height,
        (outer[2] - inner[2]) / width,
        (outer[3] - inner[3]) / height,
    )


def overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def union(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
