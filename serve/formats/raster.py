"""Any picture file, array or byte string -> the RGB pixels that the model reads."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageOps

from ..command import UserError, one_line

ImageSource: TypeAlias = str | Path | bytes | Image.Image | np.ndarray

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"})
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF")
MAX_PIXELS = 89_478_485  # Pillow's own bound against decompression bombs

# Scanners store 12 bits in 16, pictures use all 16; the brightest pixel tells which.
FULL_SCALES = (255, 4095, 65535)


class InvalidImageError(UserError, ValueError):
    """A picture that cannot be read. `name` says which, `reason` why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


def load_image(source: ImageSource, name: str | None = None) -> Image.Image:
    """Decode `source` into an upright 8-bit RGB picture of its own size.

    Args:
        source: a path, an encoded file's bytes, a PIL image, or an array of pixels
            (H, W), (H, W, 1), (H, W, 3) or (H, W, 4): uint8 or uint16, or floats from
            0 to 1. Transparent pixels become black, as a scan's background is.
        name: what errors call the picture; by default the path or the kind of source.

    Returns:
        A PIL image in mode "RGB".

    Raises:
        InvalidImageError: whatever is wrong with the picture, and nothing else.
    """
    name = name or describe(source)
    try:
        return _to_rgb(_open(source))
    except InvalidImageError as error:
        raise InvalidImageError(name, error.reason) from None
    except Exception as error:  # decoders raise nearly every type on hostile files
        raise InvalidImageError(name, _reason(error)) from error


def load_pixels(source: ImageSource, size: int, name: str | None = None) -> np.ndarray:
    """Decode `source` and stretch it to the model's input.

    The filter is Pillow's BILINEAR, which is antialiased when it shrinks: the one that the
    ONNX graph applies to pictures of any other size.

    Returns:
        uint8 array (size, size, 3), RGB.

    Raises:
        InvalidImageError: see `load_image`.
    """
    image = load_image(source, name)
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def describe(source: ImageSource) -> str:
    """What messages call a picture: its path, or what kind of thing it is."""
    if isinstance(source, str | Path):
        return str(source)
    return "<bytes>" if isinstance(source, bytes) else f"<{type(source).__name__}>"


def _open(source: ImageSource) -> Image.Image:
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        image = source
    elif isinstance(source, bytes):
        if not source:
            raise InvalidImageError("", "the file is empty")
        image = Image.open(io.BytesIO(source), formats=FORMATS)
    elif isinstance(source, str | Path):
        if not Path(source).stat().st_size:
            raise InvalidImageError("", "the file is empty")
        image = Image.open(source, formats=FORMATS)
    else:
        raise InvalidImageError("", f"a {type(source).__name__} is not a picture")
    if image.width * image.height > MAX_PIXELS:
        raise InvalidImageError(
            "", f"{image.width}x{image.height} is over the limit of {MAX_PIXELS:,} pixels"
        )
    image.load()
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    image = ImageOps.exif_transpose(image)
    if image.mode == "F" or image.mode.startswith("I"):
        image = Image.fromarray(_to_8_bit(np.asarray(image)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image)
    return image.convert("RGB")


def _from_array(array: np.ndarray) -> Image.Image:
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
    return Image.fromarray(array if array.dtype == np.uint8 else _to_8_bit(array))


def _to_8_bit(values: np.ndarray) -> np.ndarray:
    """Scale grey levels of more than 8 bits, or floats, to uint8."""
    if values.dtype.kind not in "iuf":
        raise InvalidImageError("", f"pixels of type {values.dtype} are not grey levels")
    if not np.isfinite(values).all():
        raise InvalidImageError("", "it has pixels that are not finite numbers")
    low, high = float(values.min()), float(values.max())
    scales = (1, *FULL_SCALES) if values.dtype.kind == "f" else FULL_SCALES
    full = next((scale for scale in scales if high <= scale), None)
    if full is None or low < 0:
        raise InvalidImageError(
            "", f"its grey levels, {low:g} to {high:g}, are not within 0 to 65535"
        )
    return np.rint(values * (255.0 / full)).astype(np.uint8)


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
        return f"not a picture in a format that is read here ({', '.join(FORMATS)})"
    return f"it cannot be decoded ({one_line(error) or type(error).__name__})"
