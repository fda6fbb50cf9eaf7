"""How large a compressed frame says that it is, before a decoder makes room for it."""

from __future__ import annotations

import struct
from itertools import pairwise

# JPEG 2000, ISO/IEC 15444-1, A.4 and A.5.1: start of codestream, then the marker SIZ.
JPEG_2000 = b"\xff\x4f\xff\x51"
# JPEG, ISO/IEC 10918-1, B.1.1: markers of frames, and JPEG-LS's, ISO/IEC 14495-1, C.1.
FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7}
BARE = {0x01, 0xFF, *range(0xD0, 0xD9)}  # markers without a length
SCAN = 0xDA
RUNS = 64  # bytes, where DICOM's run lengths begin; PS3.5, annex G


def samples_of(frame: bytes) -> int:
    """Rows, columns and components of a frame, multiplied; 0 where it does not say.

    Args:
        frame: JPEG, JPEG-LS or JPEG 2000, boxed or not.
    """
    try:
        at = frame.find(JPEG_2000)
        if at >= 0:
            right, below, left, top = struct.unpack_from(">4I", frame, at + 8)
            (components,) = struct.unpack_from(">H", frame, at + 40)
            return max(0, right - left) * max(0, below - top) * components
        return _jpeg(frame)
    except struct.error:  # it ends too early
        return 0


def bytes_of_runs(frame: bytes, most: int) -> int:
    """What a frame of DICOM's run lengths unpacks into, counted until it is more than `most`."""
    if len(frame) < RUNS:
        return 0
    count, *starts = struct.unpack_from("<16I", frame)
    starts = [*starts[: min(count, len(starts))], len(frame)]
    size = 0
    for at, end in pairwise(starts):
        while at < end and at < len(frame) and size <= most:
            length = frame[at]
            size += length + 1 if length < 128 else 257 - length
            at += length + 2 if length < 128 else 2
    return size


def _jpeg(frame: bytes) -> int:
    """The largest of its frames' headers: decoders differ in which of several they heed."""
    at, most = max(0, frame.find(b"\xff\xd8")) + 2, 0
    while at < len(frame):
        if frame[at] != 0xFF:
            at += 1
            continue
        (marker,) = struct.unpack_from("B", frame, at + 1)
        if marker == SCAN:
            break
        if marker in BARE:
            at += 1
            continue
        (length,) = struct.unpack_from(">H", frame, at + 2)
        if marker in FRAMES:
            rows, columns, components = struct.unpack_from(">HHB", frame, at + 5)
            most = max(most, rows * columns * components)
        at += 2 + length
    return most
