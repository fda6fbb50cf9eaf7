"""Slices as a source stores them -> the slices that a model reads."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .budget import DEEP, factor, room
from .errors import InvalidImageError
from .grey import to_8_bit, windowed
from .raster import errors_of
from .slices import Slice

NO_BRAIN = "without enough brain"
SAMPLED = (0.3, 0.4, 0.5, 0.6, 0.7)  # of the way through a series: where the head is largest
DARK = 0.15  # of the head's brightness: what is darker is air
LEAST = 0.3  # of the largest head's area: less is the crown, or no head at all
COARSE = 64  # pixels a side, over which noise averages out
SQUARE = 0.01  # sides of a pixel that differ by less are equal
MAX_PIXELS = 2**24  # of a slice; scanners give no more than 2**20
NARROWEST = 32  # times as long as wide: the most that a pixel is stretched


def check_pixels(rows: int, columns: int) -> None:
    """See to it that a slice may be decoded. Raises InvalidImageError: it is too large."""
    if rows * columns > MAX_PIXELS:
        raise InvalidImageError(
            "", f"a slice of {columns}x{rows} is over the limit of {MAX_PIXELS:,} pixels"
        )


@dataclass(frozen=True, slots=True)
class Plane:
    """One slice's levels, upright."""

    levels: np.ndarray  # (H, W) or (H, W, 3), of any range
    window: tuple[float, float] | None = None  # levels of black and white; None: the slice's own
    spacing: tuple[float, float] = (1, 1)  # from row to row, from column to column; any unit
    negative: bool = False  # the lowest level is white
    scale: tuple[float, float] = (1, 1)  # the file's pixels to one of these, across and down

    def pixels(self) -> np.ndarray:
        """uint8 (H, W, 3), RGB, of square pixels; a large slice brought down by a whole factor.

        Raises:
            InvalidImageError: its levels are none.
        """
        levels = _brought_down(self.levels)
        with room(0 if levels.dtype == np.uint8 else DEEP * levels.size):
            return self._pixels(levels)

    def _pixels(self, levels: np.ndarray) -> np.ndarray:
        if self.window:
            grey = windowed(levels, *self.window)
        else:
            grey = levels if levels.dtype == np.uint8 else to_8_bit(levels)
        image = Image.fromarray(255 - grey if self.negative else grey).convert("RGB")
        size = square_size(image.size, self.spacing)
        return np.asarray(image.resize(size, Image.Resampling.BILINEAR))

    def pixel_scale(self) -> tuple[float, float]:
        """The file's pixels to one of `pixels`, across and down, but for their being square."""
        by = factor((self.levels.shape[1], self.levels.shape[0]))
        return self.scale[0] * by, self.scale[1] * by

    def head(self) -> np.ndarray:
        """Its brightness, coarsely: float32, the same number of pixels whatever its size."""
        grey = self.levels.astype(np.float32)
        grey = grey.mean(axis=2) if grey.ndim == 3 else grey
        grey = -grey if self.negative else grey
        small = Image.fromarray(grey).resize((COARSE, COARSE), Image.Resampling.BOX)
        return np.asarray(small)


ReadPlane = Callable[[int], Plane]


def slices_of(
    names: Sequence[str], read: ReadPlane, skipped: Counter[str]
) -> Iterator[Slice | InvalidImageError]:
    """The slices that show enough of a head; of one slice, that slice.

    Args:
        names: of every slice.
        read: gives a slice's plane; what it raises is the slice's error.
        skipped: counts what is left out.
    """
    enough = _enough(names, read) if len(names) > 1 else None
    for index, name in enumerate(names):
        try:
            with errors_of(name):
                plane = read(index)
                if enough and not enough(plane):
                    skipped[NO_BRAIN] += 1
                    continue
                pixels = plane.pixels()
        except InvalidImageError as error:
            yield error
        else:
            yield Slice(pixels, index, name, scale=plane.pixel_scale())


def _enough(names: Sequence[str], read: ReadPlane) -> Callable[[Plane], bool]:
    """Whether a slice shows enough of the head, beside the slices in the middle."""
    heads = []
    for index in sorted({int(at * len(names)) for at in SAMPLED}):
        try:
            with errors_of(names[index]):
                heads.append(read(index).head())
        except InvalidImageError:
            continue  # it is told when its turn comes
    if not heads:
        return lambda plane: True
    air = min(float(np.percentile(head, 1)) for head in heads)
    bright = max(float(np.percentile(head, 99)) for head in heads)
    dark = air + DARK * (bright - air)
    largest = max(float((head > dark).mean()) for head in heads)
    return lambda plane: float((plane.head() > dark).mean()) > LEAST * largest


@np.errstate(all="ignore")  # a damaged file may hold any number
def _brought_down(levels: np.ndarray) -> np.ndarray:
    """Means of squares of pixels, so that no more than `budget.LARGE` remain."""
    by = factor((levels.shape[1], levels.shape[0]))
    if by == 1:
        return levels
    rows, columns = levels.shape[0] // by, levels.shape[1] // by
    squares = levels[: rows * by, : columns * by].reshape(rows, by, columns, by, *levels.shape[2:])
    means = squares.mean(axis=(1, 3))
    return means if levels.dtype.kind == "f" else np.rint(means).astype(levels.dtype)


def square_size(size: tuple[int, int], spacing: tuple[float, float]) -> tuple[int, int]:
    """Width and height once pixels are square: the finer side keeps its pixels, unless that
    takes too many."""
    down, across = spacing
    ratio = down / across if across else 0
    if not np.isfinite(ratio) or ratio <= 0 or abs(ratio - 1) < SQUARE:
        return size
    ratio = min(max(ratio, 1 / NARROWEST), NARROWEST)
    width, height = size
    larger = (width, round(height * ratio)) if ratio > 1 else (round(width / ratio), height)
    smaller = (round(width / ratio), height) if ratio > 1 else (width, round(height * ratio))
    return larger if math.prod(larger) <= MAX_PIXELS else (max(1, smaller[0]), max(1, smaller[1]))
