"""Grey levels of any range -> 8 bits, as the same picture saved with 8 bits would have them."""

from __future__ import annotations

import numpy as np

from .errors import InvalidImageError

BACKGROUND = 0.05  # of the range: what is darker is air
BRIGHT = 99.5  # percentile of what is not background
HEADROOM = 2.5  # times as bright are letters; of 351 scans the brightest pixel reached 2.2
NEAR = 0.1  # of the range: a single pixel that stands out by less is no outlier
PALE, DIFFERENT = 160, 20  # grey levels of a negative's background, and how much darker its head
HUGE = 1e30  # of larger floats, differences and means may overflow
FEW = 1e-3  # of the pixels: more than these at the top are no hot pixels


def to_8_bit(values: np.ndarray) -> np.ndarray:
    """Stretch grey levels from their own darkest to their own brightest.

    No scale is taken for granted: 12 bits are stored in 16 with any maximum, offset or sign, and
    floats have any range. The ends are the darkest and the brightest levels, but for single hot
    or cold pixels, and for letters far brighter than the scan. The training pictures were made
    from 16-bit slices in the same way; a cut at the 99.5th percentile would saturate them.

    Args:
        values: (H, W) or (H, W, 3), integers or floats.

    Returns:
        uint8 array of the same shape.

    Raises:
        InvalidImageError: they are no numbers, or not finite, or all the same and not 0.
    """
    if values.dtype.kind not in "iuf":
        raise InvalidImageError("", f"pixels of type {values.dtype} are not grey levels")
    if not np.isfinite(values).all():
        raise InvalidImageError("", "it has pixels that are not finite numbers")
    if values.dtype.kind == "f" and float(most := np.abs(values).max()) > HUGE:
        values = values / most  # lest their differences are no numbers
    low, high = grey_range(values)
    if low == high == 0:
        return np.zeros(values.shape, np.uint8)  # black on every scale
    if low == high:
        raise InvalidImageError("", "all its pixels have the same grey level")
    return windowed(values, low, high)


def windowed(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Levels from `low` to `high` -> uint8 from 0 to 255; what lies outside is cut off, what is
    no number is 0."""
    wide = np.dtype(np.float64 if values.dtype.itemsize > 2 else np.float32)
    with np.errstate(all="ignore"):
        scaled = np.subtract(values, low, dtype=wide) * wide.type(255 / (high - low))
    np.rint(np.clip(scaled, 0, 255, out=scaled), out=scaled)
    if values.dtype.kind == "f":
        np.nan_to_num(scaled, copy=False)
    return scaled.astype(np.uint8)


def grey_range(values: np.ndarray) -> tuple[float, float]:
    """The darkest and the brightest level that are not single outliers.

    Args:
        values: finite, (H, W) or (H, W, C).
    """
    flat = values.astype(np.float64)
    darkest = flat if flat.ndim == 2 else flat.min(axis=2)
    brightest = flat if flat.ndim == 2 else flat.max(axis=2)
    low, high = -_peak(-darkest), _peak(brightest)
    reach = NEAR * (high - low)
    low = float(darkest[darkest >= low - reach].min())
    high = float(brightest[brightest <= high + reach].max())
    usual = float(np.percentile(brightest, BRIGHT))
    scan = brightest[brightest > low + BACKGROUND * (usual - low)]
    if usual > low:
        high = min(high, low + HEADROOM * (float(np.percentile(scan, BRIGHT)) - low))
    return low, high


def looks_inverted(pixels: np.ndarray) -> bool:
    """Whether the background is bright and the head dark, as on a negative.

    Args:
        pixels: uint8 (H, W, 3) or (H, W).
    """
    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
    rim = max(1, min(grey.shape) // 20)
    border = np.concatenate(
        [part.ravel() for part in (grey[:rim], grey[-rim:], grey[:, :rim], grey[:, -rim:])]
    )
    quarter = [slice(side // 4, side - side // 4) for side in grey.shape]
    surround, middle = np.median(border), np.median(grey[quarter[0], quarter[1]])
    return bool(surround > PALE and middle < surround - DIFFERENT)


def _peak(levels: np.ndarray) -> float:
    """The maximum of (H, W), were every single pixel no brighter than its neighbours."""
    few = max(2, round(FEW * levels.size))
    at = max(0, levels.size - few)
    common = float(np.partition(levels, at, axis=None)[at])
    rows, columns = np.nonzero(levels > common)
    if not rows.size:
        return common
    around = np.pad(levels, 1, mode="edge")
    steps = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    neighbours = np.sort([around[rows + y, columns + x] for y, x in steps], axis=0)
    settled = np.minimum(levels[rows, columns], neighbours[-2])
    return max(common, float(settled.max()))
