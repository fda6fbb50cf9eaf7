"""DICOM headers, of which only the fields named here are ever read: none says who the patient is.

What pydicom says of a file may quote its fields, so none of its words, warnings or log lines
reaches anyone.
"""

from __future__ import annotations

import io
import logging
import math
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from .dicom_words import is_localizer, warnings_about
from .errors import InvalidImageError
from .quiet import without_warnings
from .slices import File

if TYPE_CHECKING:
    from pydicom import Dataset

INSTALL = "to read DICOM: pip install pydicom pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"
DAMAGED = "it is damaged, or not the DICOM that it claims to be"
DIRECTORY = "1.2.840.10008.1.3.10"
LOGGERS = ("pydicom", "pylibjpeg", "libjpeg", "openjpeg", "gdcm")
DEFLATED = "1.2.840.10008.1.2.1.99"
MAX_BYTES = 2**28  # of a file; all of it is read
HEAD, GROUP_LENGTH, CHUNK = 2**10, 140, 2**20  # bytes
MAX_FRAMES = 100_000
ITEM = 8  # bytes that a compressed frame takes, however small

SEQUENCE = (
    *("Modality", "BodyPartExamined", "ImageType", "BurnedInAnnotation", "SeriesDescription"),
    *("ProtocolName", "SequenceName", "ScanningSequence", "ContrastBolusAgent", "EchoTime"),
    *("RepetitionTime", "InversionTime", "AcquisitionContrast"),
)
PLACE = (
    *("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing", "PixelAspectRatio"),
    *("ImagerPixelSpacing", "NominalScannedPixelSpacing"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
LEVELS = (
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "WindowCenter", "WindowWidth"),
    *("VOILUTFunction", "VOILUTSequence", "PixelPaddingValue", "PresentationLUTShape"),
    *(f"{colour}PaletteColorLookupTableDescriptor" for colour in ("Red", "Green", "Blue")),
    *(f"{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
    *("PhotometricInterpretation", "SamplesPerPixel", "PixelRepresentation", "PlanarConfiguration"),
    *("BitsAllocated", "BitsStored", "HighBit"),
)
PIXELS = (
    *("PixelData", "FloatPixelData", "DoubleFloatPixelData"),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
)
FIELDS = (
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "InstanceNumber"),
    *("Rows", "Columns", "NumberOfFrames"),
    *(*SEQUENCE, *PLACE, *LEVELS),
)

_alone = RLock()  # pydicom's silence is the whole process's


@dataclass(frozen=True, slots=True)
class Frame:
    """One slice of a DICOM file, and what tells its place. Positions are DICOM's: millimetres
    left, posterior and superior."""

    file: File
    number: int  # of the file's frames, from 0
    frames: int  # of the file
    series: str = field(repr=False)  # SeriesInstanceUID; "" where there is none
    instance: str = field(repr=False)  # SOPInstanceUID
    series_number: int | None
    order: int  # InstanceNumber
    shape: tuple[int, int]  # rows, columns
    spacing: tuple[float, float]  # from row to row, from column to column
    orientation: tuple[float, ...] | None  # directions of a row and of a column
    position: tuple[float, ...] | None  # of the first pixel
    localizer: bool
    warnings: tuple[str, ...]


def find_images(file: File) -> list[Frame] | Literal["directory"] | None:
    """The slices of a file by its header, or None where it holds no picture.

    Raises:
        InvalidImageError: it is damaged, or pydicom is not installed.
        OSError: it cannot be read.
    """
    with file.open() as content, private():
        header = read_header(content)
        if str(header.file_meta.get("MediaStorageSOPClassUID", "")) == DIRECTORY:
            return "directory"
        if not header.get("Rows") or not header.get("Columns"):
            return None
        frames = max(1, int(header.get("NumberOfFrames") or 1))
        if frames > 1 and frames > _most_frames(header, content):
            raise InvalidImageError("", "the file ends too early for the frames that it announces")
        own = min(frames, len(header.get("PerFrameFunctionalGroupsSequence") or []))
        found = [_frame(file, header, number, frames) for number in range(own)]
        if own < frames:
            like = _frame(file, header, own, frames)
            found += [replace(like, number=number) for number in range(own, frames)]
        return found


def files_of_directory(file: File) -> Iterator[File]:
    """The files that a DICOMDIR names; none lies outside its folder.

    Raises:
        InvalidImageError: it is damaged, or has no folder.
        OSError: it cannot be read.
    """
    if not isinstance(file.source, Path):
        raise InvalidImageError("", "a DICOMDIR names files, and can be read in its folder only")
    with file.open() as content, private():
        header = read_header(content, ["DirectoryRecordSequence"])
        names = [
            [str(part) for part in values_of(record.get("ReferencedFileID"))]
            for record in header.get("DirectoryRecordSequence", [])
        ]
    folder = file.source.resolve().parent
    for parts in filter(None, names):
        path = folder.joinpath(*parts).resolve()
        if not path.is_relative_to(folder):
            raise InvalidImageError("", "it names a file outside its folder")
        yield File(str(file.source.parent.joinpath(*parts)), path)


def read_header(content: BinaryIO, fields: Sequence[str] = FIELDS) -> Dataset:
    """The named fields of a file, to be called within `private`."""
    try:
        from pydicom import dcmread
    except ImportError:
        raise InvalidImageError("", INSTALL) from None
    _check_bytes(content)
    return dcmread(content, force=True, stop_before_pixels=True, specific_tags=list(fields))


def read_pixels(content: BinaryIO) -> Dataset:
    """The fields of a file and its pixels, not yet decoded; to be called within `private`."""
    from pydicom import dcmread
    from pydicom.uid import ExplicitVRLittleEndian

    dataset = dcmread(content, force=True, specific_tags=[*FIELDS, *PIXELS])
    dataset.file_meta.setdefault("TransferSyntaxUID", ExplicitVRLittleEndian)
    return dataset


def _check_bytes(content: BinaryIO) -> None:
    """See to it that a file may be in memory, unpacked where all of it is packed."""
    start, head = content.tell(), content.read(HEAD)
    size = content.seek(0, io.SEEK_END) - start
    if DEFLATED.encode() in head:
        # The file's meta information begins with its own length, after 132 bytes; PS3.10, 7.1.
        content.seek(start + GROUP_LENGTH + 4 + int.from_bytes(head[GROUP_LENGTH:][:4], "little"))
        size = _unpacked(content)
    content.seek(start)
    if size > MAX_BYTES:
        raise InvalidImageError("", f"it is over the limit of {MAX_BYTES // 2**20} MiB")


def _unpacked(content: BinaryIO) -> int:
    """Bytes that come of what is packed from here on, as far as they are allowed."""
    unpacker, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while size <= MAX_BYTES and not unpacker.eof:
        packed = unpacker.unconsumed_tail or content.read(CHUNK)
        if not packed:
            break
        size += len(unpacker.decompress(packed, CHUNK))
    return size


def fields_of(header: Dataset, number: int) -> Dataset:
    """The fields that hold for one frame, side by side: those of multi-frame files lie in
    functional groups, shared ones and the frame's own."""
    from pydicom import Dataset

    flat = Dataset()
    flat.file_meta = header.file_meta
    flat.update({element.tag: element for element in header if element.VR != "SQ"})
    for keyword in ("ModalityLUTSequence", "VOILUTSequence"):
        if keyword in header:
            flat[keyword] = header[keyword]
    shared = header.get("SharedFunctionalGroupsSequence") or []
    own = header.get("PerFrameFunctionalGroupsSequence") or []
    for group in (*shared[:1], *own[number : number + 1]):
        for macro in group:
            if macro.VR == "SQ" and macro.value:
                flat.update({element.tag: element for element in macro.value[0]})
    return flat


@contextmanager
def private() -> Iterator[None]:
    """Within the block pydicom is silent, and what it raises becomes an InvalidImageError that
    quotes nothing of the file."""
    reason = ""
    with _alone, without_warnings(), _no_log():
        try:
            yield
        except (InvalidImageError, OSError):
            raise
        except Exception:  # raised again below, where the original is not attached to it
            reason = DAMAGED
    if reason:
        raise InvalidImageError("", reason)


@contextmanager
def _no_log() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in LOGGERS]
    kept = [logger.disabled for logger in loggers]
    try:
        for logger in loggers:
            logger.disabled = True
        yield
    finally:
        for logger, disabled in zip(loggers, kept, strict=True):
            logger.disabled = disabled


def _most_frames(header: Dataset, content: BinaryIO) -> int:
    """Of how many frames a file has room, at the most."""
    syntax = header.file_meta.get("TransferSyntaxUID")
    if syntax == DEFLATED:
        return MAX_FRAMES
    size = content.seek(0, io.SEEK_END)
    stored = int(header.Rows) * int(header.Columns) * int(header.get("BitsAllocated") or 8) // 8
    compressed = syntax is not None and syntax.is_transfer_syntax and syntax.is_compressed
    return min(MAX_FRAMES, size // (ITEM if compressed else max(1, stored)))


def _frame(file: File, header: Dataset, number: int, frames: int) -> Frame:
    fields = fields_of(header, number)
    return Frame(
        file=file,
        number=number,
        frames=frames,
        series=str(header.get("SeriesInstanceUID") or ""),
        instance=str(header.get("SOPInstanceUID") or ""),
        series_number=_whole(header.get("SeriesNumber")),
        order=_whole(header.get("InstanceNumber")) or 0,
        shape=(int(header.Rows), int(header.Columns)),
        spacing=_spacing(fields),
        orientation=_numbers(fields.get("ImageOrientationPatient"), 6),
        position=_position(header, fields, number, frames),
        localizer=is_localizer(fields),
        warnings=warnings_about(fields),
    )


def _position(
    header: Dataset, fields: Dataset, number: int, frames: int
) -> tuple[float, ...] | None:
    """Where several frames share one position, it is that of the first."""
    own = header.get("PerFrameFunctionalGroupsSequence") or []
    if frames > 1 and not (number < len(own) and "PlanePositionSequence" in own[number]):
        return None
    return _numbers(fields.get("ImagePositionPatient"), 3)


def _spacing(fields: Dataset) -> tuple[float, float]:
    named = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")
    for keyword in named:
        found = _numbers(fields.get(keyword), 2)
        if found and min(found) > 0:
            return found[0], found[1]
    return 1.0, 1.0


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:  # noqa: ANN401
    """That many finite numbers, or None."""
    try:
        found = tuple(float(one) for one in values_of(value))
    except (TypeError, ValueError):
        return None
    return found if len(found) == count and all(map(math.isfinite, found)) else None


def _whole(value: Any) -> int | None:  # noqa: ANN401
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def values_of(value: Any) -> list[Any]:  # noqa: ANN401
    """Of a field with one value or several, all of them."""
    if value is None or value == "":
        return []
    several = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return list(value) if several else [value]
