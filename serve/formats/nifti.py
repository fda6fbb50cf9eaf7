"""NIfTI volumes (.nii, .nii.gz), cut into slices.

Read with nibabel; the format: Cox et al., "A (sort of) new image data format standard: NIfTI-1",
HBM 2004.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from .budget import room
from .errors import InvalidImageError
from .kinds import decompressed
from .planes import Plane, check_pixels, slices_of
from .raster import errors_of
from .slices import File, Series, Slice
from .space import AXIAL, CORONAL, SAGITTAL, Space, finest, space_of

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Header

DIRECTIONS = {"axial": AXIAL, "coronal": CORONAL, "sagittal": SAGITTAL}
INSTALL = "to read NIfTI: pip install nibabel"
MAX_BYTES = 2**28  # of one volume; all of it is kept while it is read
SCALING = 20  # bytes a pixel that it takes until a slice is scaled
LONGEST = 2**15 - 1  # voxels of an axis, as NIfTI-1 has them
CHUNK = 2**24  # bytes that are read at once


def read_nifti(file: File, axis: str = "auto", volume: int | None = None) -> Series:
    """A volume as a series of slices, in the order of their position.

    Args:
        axis: what the slices are: "axial", "coronal", "sagittal", or "auto" for those with the
            finest pixels.
        volume: which of several, from 0; by default the first.

    Raises:
        InvalidImageError: it is no volume, or damaged, or has no such volume, or nibabel is
            not installed.
    """
    with errors_of(file.name), file.open() as content:
        header = _header(decompressed(content))
        shape, volumes = _shape(header)
        if not 0 <= (volume or 0) < volumes:
            raise InvalidImageError("", f"there is no volume {volume}: it has {volumes}")
        with np.errstate(all="ignore"):
            affine = np.asarray(header.get_best_affine(), np.float64)
        if not np.isfinite(affine).all():
            raise InvalidImageError("", "its affine has numbers that are not finite")
    direction = finest(shape, affine) if axis == "auto" else DIRECTIONS[axis]
    space = space_of(shape, affine, direction)
    with errors_of(file.name):
        check_pixels(shape[space.axes[1]], shape[space.axes[2]])
    names = [f"{file.name}[{index}]" for index in range(space.slices)]

    def read(skipped: Counter[str]) -> Iterator[Slice | InvalidImageError]:
        try:
            with errors_of(file.name):
                voxels, slope, intercept = _voxels(file, volume or 0)
        except InvalidImageError as error:
            yield error
        else:
            plane = partial(_plane, space, voxels, slope, intercept)
            yield from slices_of(names, plane, skipped)

    warnings: tuple[str, ...] = ()
    if volumes > 1 and volume is None:
        warnings = (f"It holds {volumes} volumes; the first was read.",)
    return Series(file.name, "NIfTI volume", space.slices, read, warnings, space)


def _plane(space: Space, voxels: np.ndarray, slope: float, intercept: float, index: int) -> Plane:
    levels = space.cut(voxels, index)
    with room(SCALING * levels.size):
        return Plane(_levels(levels, slope, intercept), spacing=space.spacing)


def _levels(levels: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    """Colours as they are; greys as float32."""
    if levels.dtype.names:  # colours
        channels = [levels[name] for name in levels.dtype.names[:3]]
        return np.stack(channels, axis=-1)
    with np.errstate(all="ignore"):  # what is no number of 32 bits is 0
        scaled = (levels * np.float32(slope) + np.float32(intercept)).astype(np.float32)
    return np.nan_to_num(scaled, posinf=0, neginf=0)


def _header(content: BinaryIO) -> Nifti1Header:
    try:
        from nibabel.nifti1 import Nifti1Header
        from nibabel.nifti2 import Nifti2Header
        from nibabel.spatialimages import HeaderDataError
    except ImportError:
        raise InvalidImageError("", INSTALL) from None
    head = content.read(4)
    kind = (
        Nifti2Header
        if 540 in (int.from_bytes(head, order) for order in ("little", "big"))
        else Nifti1Header
    )
    raw = head + content.read(kind.template_dtype.itemsize - 4)
    try:
        header = kind(raw, check=False)
    except HeaderDataError:
        raise InvalidImageError("", "its header is damaged") from None
    if header["magic"].item() in (b"ni1", b"ni2"):
        raise InvalidImageError("", "only the header of a pair of files; .nii is read, in one")
    return header


@np.errstate(all="ignore")  # a damaged header may hold any number
def _shape(header: Nifti1Header) -> tuple[tuple[int, int, int], int]:
    """Voxels of a volume, and how many volumes there are."""
    sizes = [int(size) for size in header.get_data_shape()]
    if len(sizes) < 2 or min(sizes) < 1:
        raise InvalidImageError("", f"an array of shape {tuple(sizes)} is no volume")
    dtype = header.get_data_dtype()
    if dtype.kind not in "biuf" and not dtype.names:
        raise InvalidImageError("", f"voxels of type {dtype} are not grey levels")
    x, y, z = (*sizes, 1)[:3]
    if max(x, y, z) > LONGEST:
        raise InvalidImageError(
            "", f"a volume of {x}x{y}x{z} is over the limit of {LONGEST:,} slices"
        )
    if x * y * z * dtype.itemsize > MAX_BYTES:
        raise InvalidImageError(
            "", f"a volume of {x}x{y}x{z} is over the limit of {MAX_BYTES // 2**20} MiB"
        )
    return (x, y, z), math.prod(sizes[3:])


def _voxels(file: File, volume: int) -> tuple[np.ndarray, float, float]:
    """One volume as it is stored, and the slope and intercept of its levels."""
    with file.open() as content:
        stream = decompressed(content)
        header = _header(stream)
        shape, _ = _shape(header)
        dtype = header.get_data_dtype()
        size = math.prod(shape) * dtype.itemsize
        start = int(header["vox_offset"]) or header.template_dtype.itemsize + 4
        skip = start + volume * size - header.template_dtype.itemsize
        while skip > 0 and (read := len(stream.read(min(skip, CHUNK)))):
            skip -= read
        raw = np.empty(size, np.uint8)
        filled = 0
        while filled < size and (read := stream.readinto(raw[filled : filled + CHUNK])):  # type: ignore[attr-defined]
            filled += read
    if filled < size:
        raise InvalidImageError("", "the file ends too early")
    slope, intercept = header.get_slope_inter()
    voxels = raw.view(dtype).reshape(shape, order="F")
    return voxels, 1.0 if slope is None else slope, 0.0 if intercept is None else intercept
