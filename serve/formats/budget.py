"""How much is decoded at once: a bound on the memory of all threads together.

A file of 170 KB may hold 89 million pixels. What is decoded at the same time therefore never
takes more than `MAX_BYTES`: who would exceed it waits. A picture over `LARGE` is brought down
while it is read, by the format itself where it can do that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from PIL import Image, JpegImagePlugin, _imaging

from .errors import InvalidImageError
from .quiet import without_warnings

MAX_PIXELS = 89_478_485  # Pillow's own bound against decompression bombs
MAX_UPLOAD_PIXELS = 25_000_000  # of what a stranger sends
MAX_BYTES = 480 * 10**6  # of all that is being decoded
LARGE = 2**22  # pixels; scans have fewer, and keep every one of them
STRIP = 2**20  # pixels that are brought down at once

# Bytes a pixel that decoders take beside the picture, measured.
BUFFERS = {"PNG": 0, "BMP": 0, "GIF": 8, "TIFF": 8, "WEBP": 12, "AVIF": 8, "HEIF": 5}
BUFFERS_OTHERS = 21  # JPEG2000
COEFFICIENT = 2  # bytes of JPEG's, of which a progressive file's are all kept
STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
STORED_OTHERS = 4
CONVERTED, DEEP = 16, 100  # to 8 bits and RGB; the latter of more than 8 bits a channel
TILE = (322, 323)  # tags of a TIFF file
ANIMATED = ("GIF", "PNG")

# Freed blocks of this size go back to the system; smaller ones every thread keeps for itself.
# https://pillow.readthedocs.io/en/stable/reference/block_allocator.html
_imaging.set_block_size(2**26)

_waiting = Condition()
_taken = 0  # bytes
_most_pixels = MAX_PIXELS


def lower_limit(pixels: int) -> None:
    """From now on let no picture of this process have more pixels than these."""
    global _most_pixels
    _most_pixels = min(pixels, MAX_PIXELS)


@contextmanager
def decoded(image: Image.Image, own: bool = True) -> Iterator[Image.Image]:
    """A picture's pixels, while there is room for them; other threads wait at its door.

    Args:
        image: opened, and not yet loaded.
        own: whether it may be changed, so that a JPEG file is decoded at a reduced size.

    Yields:
        the picture; one of more than `LARGE` pixels brought down by a whole factor, without
        its palette. It is to be brought into its final form within the block.

    Raises:
        InvalidImageError: it has too many pixels.
        Exception: whatever its decoder raises.
    """
    check_size(image)
    size = image.size
    if own and isinstance(image, JpegImagePlugin.JpegImageFile) and (by := factor(size)) > 1:
        image.draft(None, (size[0] // by, size[1] // by))
    decoding = _buffer(image) * math.prod(size) + _stored(image) * math.prod(image.size)
    with room(decoding + conversion(image)):
        image.load()
        if (by := factor(image.size)) > 1:
            small = _brought_down(image, by)
            if own:
                image.im = None  # type: ignore[assignment]  # freed before the room is given back
            image = small
        yield image


def check_size(image: Image.Image) -> None:
    """See to it that a picture, opened and not yet loaded, may be decoded.

    Raises:
        InvalidImageError: it has too many pixels; a format that takes much memory may have fewer.
    """
    most = min(_most_pixels, MAX_BYTES // (_buffer(image) + _stored(image)))
    if image.format in ANIMATED and getattr(image, "n_frames", 1) > 1:
        most = min(most, LARGE)  # a frame is needed for the next one, and cannot be freed
    if max(math.prod(image.size), _tile(image)) > most:
        size = f"{image.width}x{image.height}"
        within = "" if math.prod(image.size) > most else ", with its tiles,"
        raise InvalidImageError("", f"{size}{within} is over the limit of {most:,} pixels")


@without_warnings()
def seek(image: Image.Image, frame: int) -> None:
    """Go to a frame, for which an animation's earlier ones are decoded.

    Raises:
        InvalidImageError: they have too many pixels.
        Exception: whatever the decoder raises.
    """
    check_size(image)
    with room((_buffer(image) + _stored(image)) * math.prod(image.size)):
        image.seek(frame)


@contextmanager
def room(size: int) -> Iterator[None]:
    """Wait until these bytes can be had; within the block they count as taken. Never nested."""
    global _taken
    size = min(size, MAX_BYTES)
    with _waiting:
        _waiting.wait_for(lambda: _taken + size <= MAX_BYTES)
        _taken += size
    try:
        yield
    finally:
        with _waiting:
            _taken -= size
            _waiting.notify_all()


def _buffer(image: Image.Image) -> int:
    """Bytes a pixel of the file that its decoder takes beside the picture."""
    if isinstance(image, JpegImagePlugin.JpegImageFile):  # MPO, too
        return COEFFICIENT * len(image.getbands()) if "progressive" in image.info else 0
    return BUFFERS.get(image.format, BUFFERS_OTHERS) if image.format else 0


def _stored(image: Image.Image) -> int:
    """Bytes a pixel of the picture as Pillow keeps it."""
    return STORED.get(image.mode, STORED_OTHERS)


def conversion(image: Image.Image) -> int:
    """Bytes that it takes to bring a picture, opened and not yet loaded, into its final form."""
    deep = image.mode in ("I", "F") or ";16" in repr(getattr(image, "tile", image.mode))
    return (DEEP if deep else CONVERTED) * min(math.prod(image.size), LARGE)


def _tile(image: Image.Image) -> int:
    """Pixels of a tile of a TIFF file, which may be larger than the picture."""
    tags = getattr(image, "tag_v2", {})
    return math.prod(int(tags.get(tag, 0)) for tag in TILE)


def factor(size: tuple[int, int]) -> int:
    """What both sides are divided by, so that no more than `LARGE` pixels remain."""
    return math.ceil(math.sqrt(math.prod(size) / LARGE))


def _brought_down(image: Image.Image, by: int) -> Image.Image:
    """Means of squares of `by` pixels, a strip at a time: conversion multiplies the memory."""
    small = None
    rows = by * max(1, STRIP // (by * image.width))
    for top in range(0, image.height, rows):
        below = min(top + rows, image.height)
        strip = _with_levels(image.crop((0, top, image.width, below))).reduce(by)
        if small is None:
            small = Image.new(strip.mode, (strip.width, math.ceil(image.height / by)))
        small.paste(strip, (0, top // by))
    assert small is not None
    small.info = {key: value for key, value in image.info.items() if key != "transparency"}
    small.format = image.format
    return small


def _with_levels(image: Image.Image) -> Image.Image:
    """In a mode whose values can be averaged."""
    if image.mode.startswith("I;16"):
        return image.convert("I")
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    return image.convert("RGB") if image.mode == "P" else image
