"""A sheet of many slices: the panels of a film, a viewer's tiles, a figure of a paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from .boxes import Box, opened, reduced
from .formats.errors import InvalidImageError
from .formats.slices import Series, Slice

LONGEST = 768  # pixels, a side of the reduced copy at most
INK = 24  # grey levels from the gutters' from which a pixel belongs to a panel
QUIET = 0.03  # share of a line that is ink at most where it runs in a gutter
LEAST = 0.06  # of the picture's side, a panel's head
ALIKE = 0.55  # of the median panel's, the smallest head's width or height
EVEN = 0.25  # of the distance between neighbours, how far it may be from the median one
FULL = 0.12  # share of a panel that its head fills at least
SHAPES = (0.45, 2.2)  # width / height of a panel


def find_panels(pixels: np.ndarray) -> list[Box]:
    """Find the panels of a sheet of slices, row by row.

    Gutters are lines right across with next to nothing on them. Panels are alike in size and
    evenly spaced, as no single scan's parts are. The last row may have fewer.

    Args:
        pixels: uint8 (H, W, 3), RGB.

    Returns:
        each panel's left, top, right and bottom in pixels, the last two outside; empty where the
        picture is no sheet.
    """
    copy, factor = reduced(pixels, LONGEST)
    levels = copy.max(axis=2).astype(np.int32)
    ink = _ink(levels)
    rows = _bands(ink, 1)
    if not rows:
        return []
    kept = np.concatenate([ink[top:bottom] for top, bottom in rows])
    columns = _bands(kept, 0)
    if len(rows) * len(columns) < 2:
        return []
    across, down = _cells(columns, ink.shape[1]), _cells(rows, ink.shape[0])
    shapes = [(x[1] - x[0]) / (y[1] - y[0]) for x in across for y in down]
    if not all(SHAPES[0] < shape < SHAPES[1] for shape in shapes):
        return []
    cells = [(x, y) for y in down for x in across]
    full = [bool(ink[y[0] : y[1], x[0] : x[1]].mean() >= FULL) for x, y in cells]
    if not all(full[: sum(full)]) or sum(full) <= len(full) - len(columns) or sum(full) < 2:
        return []
    height, width = pixels.shape[:2]
    return [
        (
            x[0] * factor,
            y[0] * factor,
            min(x[1] * factor, width),
            min(y[1] * factor, height),
        )
        for (x, y), one in zip(cells, full, strict=True)
        if one
    ]


def unfolded(series: Series) -> Series:
    """The series, or the panels where it is a single picture that is a sheet.

    Raises:
        InvalidImageError: a single picture cannot be read.
    """
    if len(series) != 1:
        return series
    return sheet_of(series, series.only()) or series


def sheet_of(series: Series, picture: Slice) -> Series | None:
    """A picture's panels as a series; None where the picture is no sheet.

    Args:
        series: the picture's, which is decoded once more for each iteration.
        picture: its only slice, as `Series.only` gives it.
    """
    panels = len(find_panels(picture.pixels))
    if not panels:
        return None

    def read(_: Counter[str]) -> Iterator[Slice | InvalidImageError]:
        for part in series:
            if isinstance(part, InvalidImageError):
                yield part
            else:
                yield from panels_of(replace(part, name=series.name))

    return Series(series.name, "sheet", panels, read, picture.warnings)


def panels_of(picture: Slice) -> list[Slice]:
    """The panels of a picture; none where it is no sheet."""
    return [
        Slice(
            picture.pixels[box[1] : box[3], box[0] : box[2]],
            index,
            f"{picture.name}[{index}]",
            box=box,
            scale=picture.scale,
        )
        for index, box in enumerate(find_panels(picture.pixels))
    ]


def _ink(levels: np.ndarray) -> np.ndarray:
    """What differs from the gutters, without lines and thin text, bool (h, w)."""
    ring = np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])
    return opened(np.abs(levels - np.bincount(ring).argmax()) > INK)


def _bands(ink: np.ndarray, axis: int) -> list[tuple[int, int]]:
    """The rows (axis 1) or columns (axis 0) of panels; none where they are uneven."""
    busy = ink.mean(axis=axis) > QUIET
    edges = np.diff(np.pad(busy, 1).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    large = ends - starts >= LEAST * len(busy)
    starts, ends = starts[large], ends[large]
    if not len(starts):
        return []
    sizes = ends - starts
    if sizes.min() < ALIKE * np.median(sizes):
        return []
    pitches = np.diff(starts + ends) / 2
    if len(pitches) and np.abs(pitches - np.median(pitches)).max() > EVEN * np.median(pitches):
        return []
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _cells(bands: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """The bands grown to the middle of the gutters between them, and as much outside."""
    middles = [(one[1] + two[0]) // 2 for one, two in pairwise(bands)]
    gutter = max((two[0] - one[1] for one, two in pairwise(bands)), default=0)
    first = max(0, bands[0][0] - gutter // 2)
    last = min(length, bands[-1][1] + gutter // 2)
    if len(bands) == 1:
        first, last = 0, length
    edges = [first, *middles, last]
    return list(pairwise(edges))
