"""A sheet of many slices: the panels of a film, a viewer's tiles, a figure of a paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from .boxes import Box, opened, reduced, ring
from .formats.errors import InvalidImageError
from .formats.slices import Series, Slice
from .surround import strips

LONGEST = 768  # pixels, a side of the reduced copy at most
INK = 24  # grey levels from the gutters' from which a pixel belongs to a panel
QUIET = 0.03  # share of a line that is ink at most where it runs in a gutter
LEAST = 0.06  # of the picture's side, a panel's head
ALIKE = 0.55  # of the median panel's, the smallest head's width or height
EVEN = 0.25  # of the distance between neighbours, how far it may be from the median one
GAP = 0.03  # of the side, between the parts of one head at most
ENOUGH = 0.6  # of the picture, what is left of it without tool bars and side panels
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
    height, width = pixels.shape[:2]
    whole = (0, 0, levels.shape[1], levels.shape[0])
    for left, top, right, bottom in dict.fromkeys((whole, strips(levels, whole))):
        part = levels[top:bottom, left:right]
        if part.size < ENOUGH * levels.size:
            continue
        for ground in dict.fromkeys((int(np.bincount(ring(part)).argmax()), 0)):
            # Without lines and thin text.
            if found := _grid(opened(np.abs(part - ground) > INK)):
                boxes = [(x + left, y + top, x2 + left, y2 + top) for x, y, x2, y2 in found]
                return [_in_pixels(box, factor, width, height) for box in boxes]
    return []


def _in_pixels(box: Box, factor: int, width: int, height: int) -> Box:
    left, top, right, bottom = (edge * factor for edge in box)
    return left, top, min(right, width), min(bottom, height)


def _grid(ink: np.ndarray) -> list[Box]:
    """The panels in a reduced copy; `ink` is what differs from the gutters, bool (h, w)."""
    rows = _bands(ink, 1)
    if not rows:
        return []
    columns = _bands(np.concatenate([ink[top:bottom] for top, bottom in rows]), 0)
    if len(rows) * len(columns) < 2:
        return []
    across, down = _cells(columns, ink.shape[1]), _cells(rows, ink.shape[0])
    shapes = [(x[1] - x[0]) / (y[1] - y[0]) for x in across for y in down]
    if not all(SHAPES[0] < shape < SHAPES[1] for shape in shapes):
        return []
    cells = [(x[0], y[0], x[1], y[1]) for y in down for x in across]
    full = [bool(ink[y:bottom, x:right].mean() >= FULL) for x, y, right, bottom in cells]
    if not all(full[: sum(full)]) or sum(full) <= len(full) - len(columns) or sum(full) < 2:
        return []
    return cells[: sum(full)]


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


def _bands(ink: np.ndarray, axis: int) -> list[tuple[int, int]]:
    """The rows (axis 1) or columns (axis 0) of panels; none where they are uneven.

    A head may fall into parts, and a tool bar or a side panel may come first or last.
    """
    busy = ink.mean(axis=axis) > QUIET
    edges = np.diff(np.pad(busy, 1).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    wholes = []
    for gap in (0.0, GAP):
        apart = starts[1:] - ends[:-1] >= gap * len(busy)
        first, last = np.append(True, apart), np.append(apart, True)
        found = np.stack([starts[first[: len(starts)]], ends[last[: len(ends)]]], axis=1)
        wholes.append(found[found[:, 1] - found[:, 0] >= LEAST * len(busy)])
    for part in (slice(None), slice(1, None), slice(-1), slice(1, -1)):
        for bands in (whole[part] for whole in wholes):
            if len(bands) and _even(bands):
                return [(int(start), int(end)) for start, end in bands]
    return []


def _even(bands: np.ndarray) -> bool:
    """Whether bands are alike in size and evenly spaced."""
    sizes = bands[:, 1] - bands[:, 0]
    if sizes.min() < ALIKE * np.median(sizes):
        return False
    pitches = np.diff(bands.sum(axis=1)) / 2
    return not len(pitches) or bool(
        np.abs(pitches - np.median(pitches)).max() <= EVEN * np.median(pitches)
    )


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
