"""Any picture file, array or byte string -> the RGB pixels that the model reads."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageOps

from ..command import one_line
from .budget import DEEP, LARGE, MAX_PIXELS, check_size, conversion, decoded, room
from .deep import deep_pixels
from .errors import InvalidImageError
from .grey import to_8_bit
from .kinds import HEAD, content_of, is_heif
from .quiet import without_warnings
from .slices import File, Slice

__all__ = ["FORMATS", "SUFFIXES", "InvalidImageError", "describe", "load_image", "load_pixels"]

ImageSource: TypeAlias = str | Path | bytes | Image.Image | np.ndarray
Again: TypeAlias = Callable[[], Image.Image] | None

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"}
    | {".jp2", ".j2k", ".jpx", ".avif", ".heic", ".heif"}
)
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "JPEG2000") + (
    ("AVIF",) if find_spec("PIL.AvifImagePlugin") else ()  # from Pillow 11.3 on
)
OTHERS = ("HEIC", "DICOM", "NIfTI", "ZIP")  # that are read by other packages
STACKS = ("TIFF", "GIF", "WEBP", "PNG")  # whose pages are pictures of their own
MAX_PAGES = 10_000
FRAME = 38  # bytes that a frame of a PNG file takes, however small
MIN_IS_WHITE = 0  # a TIFF file's photometric interpretation
PHOTOMETRIC, PART = 262, 254  # tags of a TIFF page
REDUCED = 1  # bit of PART: the page shows another one, smaller


def load_image(source: ImageSource, name: str | None = None) -> Image.Image:
    """Decode `source` into an upright 8-bit RGB picture of its own size.

    Decoders answer for much damage within a file, and so does this: what the file no longer
    holds is grey or black. A file that ends too early is refused.

    Args:
        source: a path, an encoded file's bytes, a PIL image, or an array of pixels
            (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), integers or floats. Grey levels of more
            than 8 bits are stretched from their own darkest to their own brightest (see
            `grey.to_8_bit`). Transparent pixels become black, as a scan's background is. A file
            may also be a single slice of DICOM or NIfTI.
        name: what errors call the picture; by default the path or the kind of source.

    Returns:
        A PIL image in mode "RGB".

    Raises:
        InvalidImageError: whatever is wrong with the picture, and nothing else. A stack of more
            than one slice is wrong here: `BrainTumorClassifier.predict_series` reads it.
    """
    return Image.fromarray(load_slice(source, name).pixels)


def load_slice(source: ImageSource, name: str | None = None) -> Slice:
    """As `load_image`, with what is to be said of the picture."""
    name = name or describe(source)
    with errors_of(name):
        if isinstance(source, str | Path | bytes) and _is_medical(source):
            return _only_slice(source, name)
        if isinstance(source, np.ndarray):
            return Slice(to_rgb(_channels(source)), 0, name)
        with opened(source) as (image, again):
            if again and (pages := len(pages_of(image))) > 1:
                raise _stack(pages)
            size = image.size
            levels = page_levels(image, again)
            return Slice(to_rgb(levels), 0, name, scale=scale_of(size, levels))


def load_pixels(source: ImageSource, size: int, name: str | None = None) -> np.ndarray:
    """Decode `source` and stretch all of it to the model's input (`serve.view` finds the scan).

    The filter is Pillow's BILINEAR, which is antialiased when it shrinks: the one that the
    ONNX graph applies to pictures of any other size.

    Returns:
        uint8 array (size, size, 3), RGB.

    Raises:
        InvalidImageError: see `load_image`.
    """
    image = load_image(source, name)
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def describe(source: object) -> str:
    """What messages call a picture: its path, or what kind of thing it is."""
    if isinstance(source, str | Path):
        return str(source)
    return "<bytes>" if isinstance(source, bytes) else f"<{type(source).__name__}>"


@contextmanager
def errors_of(name: str) -> Iterator[None]:
    """Within the block, whatever a decoder raises becomes an InvalidImageError of that name."""
    try:
        yield
    except InvalidImageError as error:
        raise InvalidImageError(error.name or name, error.reason) from None
    except Exception as error:  # decoders raise nearly every type on hostile files
        raise InvalidImageError(name, _reason(error)) from error


@contextmanager
def opened(
    source: str | Path | bytes | Image.Image,
) -> Iterator[tuple[Image.Image, Again]]:
    """A picture, not yet decoded, and what opens its file once more (of a PIL image: None).

    Raises:
        InvalidImageError: it is empty, or needs what is not installed.
        Exception: whatever Pillow raises.
    """
    if isinstance(source, Image.Image):
        yield source, None
        return
    if not isinstance(source, str | Path | bytes):
        raise InvalidImageError("", f"a {type(source).__name__} is not a picture")
    head = _head(source)
    if not head:
        raise InvalidImageError("", "the file is empty")
    formats = _with_heif() if is_heif(head) else FORMATS
    file = partial(io.BytesIO, source) if isinstance(source, bytes) else partial(Path, source)

    @without_warnings()
    def again() -> Image.Image:
        return Image.open(file(), formats=formats)

    with again() as image:
        yield image, again


@without_warnings()
def pages_of(image: Image.Image) -> list[int]:
    """The frames that are pictures of their own: of a TIFF file not its previews, of a
    photograph with a second view (MPO, HEIC) the first alone.

    Raises:
        InvalidImageError: they are too many.
    """
    frames = getattr(image, "n_frames", 1)
    if image.format not in STACKS or frames == 1:
        return [0]
    if frames > MAX_PAGES or (image.format == "PNG" and frames > _bytes_of(image) // FRAME):
        raise InvalidImageError("", f"it announces {frames:,} frames, more than it has or may have")
    if image.format != "TIFF":
        return list(range(frames))
    found = []
    for frame in range(frames):
        image.seek(frame)
        if not image.tag_v2.get(PART, 0) & REDUCED:  # type: ignore[attr-defined]
            found.append(frame)
    image.seek(0)
    return found or [0]


@without_warnings()
def page_levels(image: Image.Image, again: Again) -> np.ndarray:
    """Decode the page that `image` stands at.

    Args:
        image: not yet decoded, or a PIL image of the user's, which stays as it is.
        again: opens the same file once more; None where there is no file.

    Returns:
        the file's own levels where they have more than 8 bits, (H, W) or (H, W, 3), and else
        uint8 (H, W, 3); upright.

    Raises:
        InvalidImageError: it has too many pixels, or none.
        Exception: whatever the decoder raises.
    """
    check_size(image)
    if not image.width * image.height:
        raise InvalidImageError("", f"a picture of {image.width}x{image.height} has no pixels")
    small = image.width * image.height <= LARGE
    if again and small:
        with room(conversion(image)):
            deep = deep_pixels(image, again)
        if deep is not None:
            return _channels(deep)
    negative = getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == MIN_IS_WHITE
    with decoded(image, own=again is not None) as ready:
        upright = ImageOps.exif_transpose(ready)
        if upright.mode == "F" or upright.mode.startswith("I"):
            levels = np.asarray(upright)
            return -levels.astype(np.float64) if negative else levels
        if upright.has_transparency_data:
            upright = upright.convert("RGBA")
            black = Image.new("RGBA", upright.size, (0, 0, 0, 255))
            upright = Image.alpha_composite(black, upright)
        return np.asarray(upright.convert("RGB"))


def scale_of(size: tuple[int, int], levels: np.ndarray) -> tuple[float, float]:
    """How many pixels of a picture one of its `page_levels` is, across and down.

    Args:
        size: the picture's, before it was decoded and perhaps turned upright.
        levels: what became of it.
    """
    height, width = levels.shape[:2]
    if (size[0] > size[1]) != (width > height):
        size = size[::-1]
    return size[0] / width, size[1] / height


def to_rgb(levels: np.ndarray) -> np.ndarray:
    """Levels of any kind, (H, W) or (H, W, 3) -> uint8 (H, W, 3). What has 8 bits stays as it is.

    Raises:
        InvalidImageError: see `grey.to_8_bit`.
    """
    if levels.dtype == np.uint8:
        grey = levels
    else:
        with room(DEEP * levels.size):
            grey = to_8_bit(levels)
    return np.stack([grey] * 3, axis=2) if grey.ndim == 2 else grey


def _bytes_of(image: Image.Image) -> int:
    """Of the file of a picture that is not yet decoded."""
    file = image.fp  # type: ignore[attr-defined]
    at = file.tell()
    size = int(file.seek(0, io.SEEK_END))
    file.seek(at)
    return size


def _is_medical(source: str | Path | bytes) -> bool:
    with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
        return content_of(file) not in ("picture", None)


def _only_slice(source: str | Path | bytes, name: str) -> Slice:
    """What a file of DICOM or NIfTI, or an archive, holds that holds one slice."""
    from .scans import read_scans

    series = []
    for one in read_scans([File(name, source if isinstance(source, bytes) else Path(source))]):
        if isinstance(one, InvalidImageError):
            raise one
        series.append(one)
    if len(series) != 1 or len(series[0]) != 1:
        raise _stack(sum(map(len, series)))
    return series[0].only()


def _stack(slices: int) -> InvalidImageError:
    return InvalidImageError(
        "", f"it holds {slices} slices, not one (predict_series classifies them all)"
    )


def _head(source: str | Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:HEAD]
    with Path(source).open("rb") as file:
        return file.read(HEAD)


def _with_heif() -> tuple[str, ...]:
    """Pillow's name of HEIC, once it can read it."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise InvalidImageError("", "to read HEIC pictures: pip install pillow-heif") from None
    register_heif_opener()
    return ("HEIF",)


def _channels(array: np.ndarray) -> np.ndarray:
    """An array of pixels -> levels (H, W) or (H, W, 3), what is transparent black."""
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise InvalidImageError(
            "", f"an array of shape {array.shape} is not (H, W), (H, W, 3) or (H, W, 4)"
        )
    if not array.size:
        raise InvalidImageError("", f"an array of shape {array.shape} has no pixels")
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    if array.ndim == 2 or array.shape[2] == 3:
        return array
    if array.dtype == np.uint8:
        return page_levels(Image.fromarray(array), None)
    if array.dtype.kind not in "iuf":
        return array[:, :, :3]
    with np.errstate(all="ignore"):  # what is no number is found out later
        opaque = array[:, :, 3:] / (array[:, :, 3].max() or 1)
        return array[:, :, :3] * np.clip(opaque, 0, 1)


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    if isinstance(error, Image.DecompressionBombError):
        return f"it is over the limit of {MAX_PIXELS:,} pixels"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if type(error).__name__ == "UnidentifiedImageError":
        return f"not a picture in a format that is read here ({', '.join((*FORMATS, *OTHERS))})"
    return f"it cannot be decoded ({one_line(error) or type(error).__name__})"
