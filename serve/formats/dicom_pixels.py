"""The pixels of a DICOM slice: rescaled, windowed and turned upright.

The steps are those of the standard's greyscale pipeline, PS3.4 N.2: modality, values of interest,
presentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .budget import room
from .codestream import bytes_of_runs, samples_of
from .dicom import INSTALL, Frame, fields_of, private, read_pixels, values_of
from .errors import InvalidImageError
from .planes import Plane, check_pixels
from .slices import File
from .space import Space, direction_of, space_of

if TYPE_CHECKING:
    from pydicom import Dataset

DECODING = 40  # bytes a pixel that it takes until a slice is upright, of three channels
CHANNELS, BYTES = 4, 4  # the most that a pixel has, and each of its channels
RLE = "1.2.840.10008.1.2.5"
LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


class Pixels:
    """Reads slices; it keeps the file that it read last."""

    def __init__(self) -> None:
        self._file: File | None = None

    def plane(self, frame: Frame) -> Plane:
        """A slice's levels, upright.

        Raises:
            InvalidImageError: it cannot be decoded; no text of the file is quoted.
            OSError: the file cannot be read.
        """
        check_pixels(*frame.shape)
        with room(DECODING * frame.shape[0] * frame.shape[1]), private():
            if self._file is not frame.file:
                self._file = None
                with frame.file.open() as content:
                    self._dataset = read_pixels(content)
                self._file = frame.file
            return _upright(_plane(self._dataset, frame), frame)


@np.errstate(all="ignore")  # a damaged header may hold any number
def affine_of(frame: Frame, step: np.ndarray | None = None) -> np.ndarray | None:
    """From column, row and slice to millimetres right, anterior and superior, float (4, 4).

    Args:
        step: from slice to slice, in millimetres left, posterior and superior; by default one
            along the slice's normal.
    """
    if frame.orientation is None:
        return None
    along_row, along_column = np.reshape(frame.orientation, (2, 3))
    normal = np.cross(along_row, along_column)
    if not np.linalg.norm(normal) > 0.5:
        return None  # they should be at right angles, and of length 1
    affine = np.eye(4)
    affine[:3, 0] = along_row * frame.spacing[1]
    affine[:3, 1] = along_column * frame.spacing[0]
    affine[:3, 2] = normal if step is None else step
    affine[:3, 3] = frame.position or (0, 0, 0)
    affine[:3] *= LPS_TO_RAS[:, None]
    return affine


def space_of_slices(frame: Frame, slices: int, affine: np.ndarray) -> Space:
    """The space of slices like `frame`, as they were taken."""
    rows, columns = frame.shape
    return space_of((columns, rows, slices), affine, direction_of(affine, 2))


def _upright(plane: Plane, frame: Frame) -> Plane:
    affine = affine_of(frame)
    if affine is None:
        return plane
    space = space_of_slices(frame, 1, affine)
    levels = space.cut(np.swapaxes(plane.levels, 0, 1)[:, :, None], 0)
    return Plane(levels, plane.window, space.spacing, plane.negative)


def _plane(dataset: Dataset, frame: Frame) -> Plane:
    stored = _decoded(dataset, frame)
    fields = fields_of(dataset, frame.number)
    if stored.ndim == 3:
        return Plane(stored, spacing=frame.spacing)
    if fields.get("PhotometricInterpretation") == "PALETTE COLOR":
        from pydicom.pixels.processing import apply_color_lut

        colours = apply_color_lut(stored, fields)
        bits = fields["RedPaletteColorLookupTableDescriptor"][2]  # 8 may be stored in 16
        eight = colours >> 8 if bits > 8 else np.minimum(colours, 255)
        return Plane(eight.astype(np.uint8), spacing=frame.spacing)
    levels, window = _windowed(_rescaled(stored, fields), fields)
    bits = int(fields.get("BitsStored") or 16)
    if window is None and bits <= 8 and levels is stored and levels.min() >= 0:
        window = (0, 2**bits - 1)
    negative = (fields.get("PhotometricInterpretation") == "MONOCHROME1") != (
        fields.get("PresentationLUTShape") == "INVERSE"
    )
    return Plane(levels, window, frame.spacing, negative)


def _decoded(dataset: Dataset, frame: Frame) -> np.ndarray:
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.utils import pixel_array

    try:
        usable = get_decoder(dataset.file_meta.TransferSyntaxUID).is_available
    except NotImplementedError:
        usable = False
    if not usable and _has_decoders():
        raise InvalidImageError("", "its pixels are compressed in a way that is not read here")
    if not usable:
        raise InvalidImageError("", f"its pixels are compressed; {INSTALL}")
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        _check_frame(dataset, frame)
    return pixel_array(dataset, index=frame.number)


def _check_frame(dataset: Dataset, frame: Frame) -> None:
    """See to it that a frame does not unpack into more than its slice."""
    from pydicom.encaps import get_frame

    names = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
    offsets = tuple(dataset.get(name) for name in names)
    packed = get_frame(
        dataset.PixelData,
        frame.number,
        number_of_frames=frame.frames,
        extended_offsets=offsets if all(offsets) else None,
    )
    samples = CHANNELS * frame.shape[0] * frame.shape[1]
    if dataset.file_meta.TransferSyntaxUID == RLE:
        too_large = bytes_of_runs(packed, BYTES * samples) > BYTES * samples
    else:
        too_large = samples_of(packed) > samples
    if too_large:
        raise InvalidImageError(
            "", "its pixels are compressed as a larger picture than it announces"
        )


def _has_decoders() -> bool:
    """Whether all packages that pydicom leaves the decoding to are installed."""
    try:
        import libjpeg  # noqa: F401
        import openjpeg  # noqa: F401
        import pylibjpeg  # noqa: F401
    except ImportError:
        return False
    return True


def _rescaled(stored: np.ndarray, fields: Dataset) -> np.ndarray:
    """The scanner's levels: slope and intercept, or a table; what only fills up the frame is as
    dark as the darkest of the rest."""
    padding = fields.get("PixelPaddingValue")
    if isinstance(padding, int) and 0 < (stored == padding).sum() < stored.size:
        stored = np.where(stored == padding, stored[stored != padding].min(), stored)
    if tables := fields.get("ModalityLUTSequence"):
        return _looked_up(stored, tables[0], fields)
    slope, intercept = (_first(fields.get(name)) for name in ("RescaleSlope", "RescaleIntercept"))
    if not slope or (slope == 1 and not intercept):
        return stored
    return stored * slope + (intercept or 0.0)


def _looked_up(levels: np.ndarray, table: Dataset, fields: Dataset) -> np.ndarray:
    """What a table has for each level. pydicom's own function folds levels over 255 where the
    entries have 8 bits."""
    count, first = int(table.LUTDescriptor[0]) or 2**16, int(table.LUTDescriptor[1])
    entries = np.asarray(table.LUTData)
    if isinstance(table.LUTData, bytes):
        packed = len(table.LUTData) < 2 * count
        order = "<" if fields.file_meta.TransferSyntaxUID.is_little_endian else ">"
        entries = np.frombuffer(table.LUTData, "u1" if packed else f"{order}u2")
    at = np.rint(levels).astype(np.int64) - first
    return entries[np.clip(at, 0, min(count, entries.size) - 1)]


def _windowed(levels: np.ndarray, fields: Dataset) -> tuple[np.ndarray, tuple[float, float] | None]:
    """The levels, and which of them are black and white; None where the file does not say.

    Of several windows or tables the first is taken.
    """
    if tables := fields.get("VOILUTSequence"):
        bits = int(tables[0].LUTDescriptor[2])
        return _looked_up(levels, tables[0], fields), (0, 2**bits - 1)
    centre, width = (_first(fields.get(name)) for name in ("WindowCenter", "WindowWidth"))
    if centre is None or width is None or not width > 0:
        return levels, None
    function = str(fields.get("VOILUTFunction") or "LINEAR").upper()
    if function == "SIGMOID":
        power = np.clip(-4 * (levels - centre) / width, -50, 50)
        return 1 / (1 + np.exp(power)), (0, 1)
    if function == "LINEAR_EXACT":
        return levels, (centre - width / 2, centre + width / 2)
    if width <= 1:
        return levels, None
    return levels, (centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2)


def _first(value: object) -> float | None:
    try:
        found = float(values_of(value)[0])
    except (IndexError, TypeError, ValueError):
        return None
    return found if np.isfinite(found) else None
