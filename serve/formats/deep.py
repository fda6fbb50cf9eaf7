"""Colour pictures of 16 bits a channel, of which Pillow keeps the upper 8."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFile

# Pillow's names for the order of a channel's two bytes, and the order in which the other byte
# would be the upper one.
SWAPPED = {"16L": "16B", "16B": "16L", "16N": "16B" if sys.byteorder == "little" else "16L"}
COLOURS = ("RGB", "RGBA", "RGBX")
GREY_AND_ALPHA = "LA;16B"


def deep_pixels(image: Image.Image, again: Callable[[], Image.Image]) -> np.ndarray | None:
    """All 16 bits of a PNG or TIFF picture that Pillow would read with 8.

    Pillow unpacks either byte of each channel, so the file is read twice.

    Args:
        image: opened and not yet loaded.
        again: opens the same file once more.

    Returns:
        uint16 (H, W, 3) or (H, W, 4); None where the picture has no such channels.
    """
    raw = _raw_mode(image)
    mode, _, order = raw.partition(";")
    if raw == GREY_AND_ALPHA and image.mode == "RGBA":
        # Its four bytes a pixel, read as if they were four channels.
        grey, low_grey, alpha, low_alpha = np.moveaxis(_loaded(again(), "RGBA"), 2, 0)
        channels = [_joined(grey, low_grey)] * 3 + [_joined(alpha, low_alpha)]
        return np.stack(channels, axis=2)
    if mode not in COLOURS or order not in SWAPPED:
        return None
    return _joined(_loaded(again(), raw), _loaded(again(), f"{mode};{SWAPPED[order]}"))


def _joined(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    return upper.astype(np.uint16) << 8 | lower


def _raw_mode(image: Image.Image) -> str:
    """How the file's bytes are arranged, in Pillow's words; "" where it does not say."""
    tiles = getattr(image, "tile", ())
    found = tiles[0][3] if tiles else ""
    found = found[0] if isinstance(found, tuple) and found else found
    return found if isinstance(found, str) else ""


def _loaded(image: Image.Image, raw: str) -> np.ndarray:
    """Its pixels, with the bytes arranged as `raw` says."""
    assert isinstance(image, ImageFile.ImageFile)
    image.tile = [
        (*tile[:3], (raw, *tile[3][1:]) if isinstance(tile[3], tuple) else raw)  # type: ignore[misc]
        for tile in image.tile
    ]
    return np.asarray(image)
