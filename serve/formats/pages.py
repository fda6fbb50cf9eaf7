"""Pictures, and stacks of their pages: TIFF, GIF, WebP and PNG files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

from PIL import Image

from .budget import seek
from .errors import InvalidImageError
from .planes import Plane, slices_of
from .raster import Again, errors_of, opened, page_levels, pages_of, scale_of
from .slices import File, Series, Slice


def read_picture(file: File) -> Series:
    """A picture's series of one, or a stack of all its pages.

    Raises:
        InvalidImageError: it cannot be opened.
    """
    with errors_of(file.name), opened(file.content()) as (image, _):
        frames = pages_of(image)

    def read(skipped: Counter[str]) -> Iterator[Slice | InvalidImageError]:
        try:
            with errors_of(file.name), opened(file.content()) as (image, again):
                yield from slices_of(names, partial(_plane, image, again, frames), skipped)
        except InvalidImageError as error:
            yield error

    if len(frames) == 1:
        names = [file.name]
        return Series(file.name, "picture", 1, read)
    names = [f"{file.name}[{index}]" for index in range(len(frames))]
    return Series(file.name, "stack", len(frames), read)


def _plane(image: Image.Image, again: Again, frames: Sequence[int], index: int) -> Plane:
    if len(frames) > 1:
        seek(image, frames[index])
        again = None
    size = image.size
    levels = page_levels(image, again)
    return Plane(levels, scale=scale_of(size, levels))
