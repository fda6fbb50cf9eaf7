"""What the network sees of a slice: the scan without what lies around it, in the model's size."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from .crop import Crop, apply, find_head, within
from .formats.errors import InvalidImageError
from .formats.grey import looks_inverted
from .formats.slices import Slice

INVERTED = "It looks inverted: the background is bright."


@dataclass(frozen=True, slots=True)
class View:
    """A slice as the network sees it."""

    pixels: np.ndarray = field(repr=False)  # uint8 (size, size, 3), RGB
    name: str
    index: int
    crop: Crop | None  # the part of the picture that it is, in the picture's pixels; None: all
    warnings: tuple[str, ...]  # sentences for people


def view_of(part: Slice, size: int, crop: bool | Crop = True) -> View:
    """Cut the scan out of a slice and stretch it to the model's input.

    The filter is `serve.formats.raster.load_pixels`'s, and so are the pixels where nothing is cut
    off.

    Args:
        part: the slice.
        size: pixels, a side of what the model takes.
        crop: whether what lies around the scan is cut off; or what is to be cut out, in pixels of
            the picture.

    Raises:
        InvalidImageError: that lies outside the picture, or is a narrow strip.
    """
    inverted, found = _given(crop, part) if isinstance(crop, Crop) else _scan_in(part.pixels, crop)
    seen = part.pixels if found is None else apply(part.pixels, found)
    image = Image.fromarray(seen).resize((size, size), Image.Resampling.BILINEAR)
    if found is None and part.box is not None:
        found = Crop(0, 0, part.pixels.shape[1], part.pixels.shape[0])
    warnings = (*part.warnings, *([INVERTED] if inverted else []))
    placed = None if found is None else in_picture(found, part)
    return View(np.asarray(image), part.name, part.index, placed, warnings)


def _scan_in(pixels: np.ndarray, crop: bool) -> tuple[bool, Crop | None]:
    """Whether a scan looks inverted, and what is cut out, of an inverted one as of the scan itself.
    A scan on a bright page, or in a viewer with bright bars, does not look so."""
    if not looks_inverted(pixels):
        return False, find_head(pixels) if crop else None
    negative = find_head(255 - pixels) if crop else None
    if negative is None:
        return True, None
    found = find_head(pixels)
    inverted = looks_inverted(_inside(pixels, negative))
    if found and (negative.width, negative.height) == (pixels.shape[1], pixels.shape[0]):
        inverted = inverted and looks_inverted(_inside(pixels, found))
    return inverted, negative if inverted else found


def _given(crop: Crop, part: Slice) -> tuple[bool, Crop | None]:
    """As `_scan_in`, of what somebody has framed."""
    height, width = part.pixels.shape[:2]
    own = in_slice(crop, part) if min(crop.width, crop.height) > 0 else None
    found = within(own, width, height) if own else None
    if found is None:
        across, down = part.scale
        size = f"{round(width * across)}x{round(height * down)}"
        reason = f"the crop is a strip, or lies outside the picture of {size} pixels"
        raise InvalidImageError(part.name, reason)
    inverted = looks_inverted(_inside(part.pixels, found))
    return inverted, None if found == Crop(0, 0, width, height) else found


def _inside(pixels: np.ndarray, crop: Crop) -> np.ndarray:
    return pixels[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]


def in_picture(crop: Crop, part: Slice) -> Crop:
    """A crop of a slice's pixels, in those of the picture that the slice is of."""
    return crop.moved(*part.scale, *(part.box[:2] if part.box else ()))


def in_slice(crop: Crop | None, part: Slice) -> Crop | None:
    """A crop of a picture, in the pixels of the slice that is of it."""
    if crop is None:
        return None
    across, down = part.scale
    left, top = part.box[:2] if part.box else (0, 0)
    return crop.moved(1 / across, 1 / down).moved(1, 1, -left, -top)
