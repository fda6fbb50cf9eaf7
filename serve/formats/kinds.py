"""What a file is, by its first bytes."""

from __future__ import annotations

import gzip
import struct
import zlib
from typing import BinaryIO, Literal

Content = Literal["DICOM", "NIfTI", "ZIP", "picture"]

HEAD = 352  # bytes, up to where a NIfTI file says what it is
NIFTI_1, NIFTI_2 = 348, 540  # what these files begin with: the size of their headers
PICTURES = (  # JPEG, PNG, GIF, BMP, TIFF (and BigTIFF), JPEG 2000
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM"),
    *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    *(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
)
HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
AVIF = {b"avif", b"avis"}
# Old files of DICOM lack the preamble: they begin with an element of group 2 or 8.
BARE_DICOM = tuple(
    struct.pack("<HH", group, element)
    for group, element in ((2, 0), (2, 1), (2, 2), (8, 0), (8, 1), (8, 5), (8, 8), (8, 0x16))
)


def content_of(file: BinaryIO) -> Content | None:
    """What `file` holds from its present place on, or None where it is nothing that is read
    here. Raises OSError."""
    head = file.read(HEAD)
    if head[128:132] == b"DICM" or (head.startswith(BARE_DICOM) and len(head) == HEAD):
        return "DICOM"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "ZIP"
    if is_nifti(unpacked(head) if head.startswith(b"\x1f\x8b") else head):
        return "NIfTI"
    return "picture" if is_picture(head) else None


def is_picture(head: bytes) -> bool:
    """Whether a file that begins like this is a picture in a format of `raster.FORMATS`."""
    riff = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    return head.startswith(PICTURES) or riff or is_heif(head) or brand(head) in AVIF


def is_heif(head: bytes) -> bool:
    """Whether it is HEIC, which Pillow reads with pillow-heif only. An AVIF file may call itself
    a mere "mif1"."""
    return brand(head) in HEIF and not any(name in head[16:64] for name in AVIF)


def brand(head: bytes) -> bytes:
    """What an ISO media file says it is; b"" of any other file."""
    return head[8:12] if head[4:8] == b"ftyp" else b""


def is_nifti(head: bytes) -> bool:
    """Whether it is a NIfTI file of one piece (.nii) or the header of a pair (.hdr)."""
    sizes = {head[:4], head[:4][::-1]}
    if struct.pack("<i", NIFTI_1) in sizes:
        return head[344:348] in (b"n+1\0", b"ni1\0")
    return struct.pack("<i", NIFTI_2) in sizes and head[4:8] in (b"n+2\0", b"ni2\0")


def unpacked(head: bytes) -> bytes:
    """The first bytes within a gzip file of which these are the first."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, HEAD)
    except zlib.error:
        return b""


def decompressed(file: BinaryIO) -> BinaryIO:
    """`file`, or what is within it where it is gzip."""
    magic = file.read(2)
    file.seek(-len(magic), 1)
    return gzip.GzipFile(fileobj=file) if magic == b"\x1f\x8b" else file  # type: ignore[return-value]
