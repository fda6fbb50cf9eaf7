"""Which operator sets an ONNX file asks for, which ONNX Runtime does not tell."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# Numbers of fields in onnx.proto, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
OPSET_IMPORT = 8  # of ModelProto
DOMAIN, VERSION = 1, 2  # of OperatorSetIdProto

# Kinds of fields, https://protobuf.dev/programming-guides/encoding/
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def operator_sets(path: Path) -> dict[str, int]:
    """The version of each operator set, by domain; "" is ONNX's own.

    The rest of the file is passed over.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no ONNX file.
    """
    found = {}
    with path.open("rb") as file:
        for number, content in _fields(file, {OPSET_IMPORT}):
            if number == OPSET_IMPORT and isinstance(content, bytes):
                own = dict(_fields(io.BytesIO(content), {DOMAIN}))
                domain, version = own.get(DOMAIN, b""), own.get(VERSION, 0)
                if not isinstance(domain, bytes) or not isinstance(version, int):
                    raise ValueError("no ONNX file")
                found["" if domain == b"ai.onnx" else domain.decode()] = version
    return found


def _fields(file: BinaryIO, read: set[int]) -> Iterator[tuple[int, int | bytes | None]]:
    """Number and content of each field; of those of many bytes only what is to be read."""
    while (tag := _varint(file)) is not None:
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            yield number, _varint(file)
        elif kind == BYTES:
            length = _varint(file) or 0
            if number in read:
                yield number, file.read(length)
            else:
                file.seek(length, io.SEEK_CUR)
        elif kind in (FIXED64, FIXED32):
            file.seek(8 if kind == FIXED64 else 4, io.SEEK_CUR)
        else:
            raise ValueError("no ONNX file")


def _varint(file: BinaryIO) -> int | None:
    """A number, seven bits a byte, the lowest first; None at the end of the file."""
    value, shift = 0, 0
    while byte := file.read(1):
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
        shift += 7
    return None
