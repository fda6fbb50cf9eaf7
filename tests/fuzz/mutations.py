"""How sound files are damaged: bytes, numbers, lengths, and what only a format's reader finds."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from tests.fuzz.seeds import png_chunk

HEAD = 400  # bytes in which most formats say what follows
NUMBERS = (0, 1, 2, 3, 7, 8, 16, 127, 128, 255, 256, 4095, 32767, 32768, 65535, 65536, 10**6)
EXTREMES = (2**24, 2**31 - 1, 2**31, 2**32 - 1, -1, -2, -128, -32768)
FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-30, 1e30, 3e38, -3e38, float("nan"), float("inf"), -float("inf"))
TEXTS = (b"", b"\0", b"\xff" * 9, b"A" * 5000, b"1e400", b"nan", b"-1", b"../../x", b"\r\n")

Mutate = Callable[[bytearray, Random], None]


def damaged(content: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """Content with one to six faults; one of them may be a part of another file."""
    made = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        if rng.random() < 0.05:
            _graft(made, rng.choice(others), rng)
        else:
            rng.choice(MUTATIONS)(made, rng)
    return bytes(made)


def damaged_png(content: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """With checksums that are right, so that the damage is read."""
    chunks = _png_chunks(content)
    if rng.random() < 0.2 or not chunks:
        return damaged(content, others, rng)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(chunks))
        name, body = chunks[at]
        if name == b"IDAT" and rng.random() < 0.5:
            body = zlib.compress(damaged(_inflated(body), others, rng))
        elif rng.random() < 0.8:
            body = damaged(body, others, rng)
        elif rng.random() < 0.5:
            chunks.insert(rng.randrange(len(chunks)), (name, body))
        else:
            name = rng.choice((b"tRNS", b"PLTE", b"acTL", b"fcTL", b"fdAT", b"iCCP", b"zTXt", name))
        chunks[at] = name, body
    return content[:8] + b"".join(png_chunk(name, body) for name, body in chunks)


def damaged_tiff(content: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """With entries of its tables that say something else."""
    entries = _tiff_entries(content)
    if rng.random() < 0.3 or not entries:
        return damaged(content, others, rng)
    made, order = bytearray(content), "<" if content[:2] == b"II" else ">"
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, part = rng.choice(entries), rng.choice(("tag", "type", "count", "value", "value"))
        if part == "tag":
            struct.pack_into(f"{order}H", made, at, rng.choice((254, 258, 262, 274, 277, 320, 339)))
        elif part == "type":
            struct.pack_into(f"{order}H", made, at + 2, rng.choice((*range(19), 65535)))
        else:
            number = rng.choice(NUMBERS + EXTREMES) % 2**32
            struct.pack_into(f"{order}I", made, at + (4 if part == "count" else 8), number)
    return bytes(made)


def damaged_nifti(content: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """With numbers of its header that are others; packed or not."""
    made = bytearray(content)
    if rng.random() < 0.3:
        made = bytearray(damaged(content, others, rng))
    else:
        for _ in range(rng.choice((1, 1, 2, 4))):
            at, kind = rng.choice(NIFTI_FIELDS)
            order = "<" if made[:2] in (b"\x5c\x01", b"\x1c\x02") else ">"
            number = {"f": rng.choice(FLOATS), "h": _short(rng), "i": rng.choice(NUMBERS)}[kind]
            struct.pack_into(f"{order}{kind}", made, at, number)
    if rng.random() < 0.5:
        return bytes(made)
    packed = gzip.compress(bytes(made), 1, mtime=0)
    return damaged(packed, others, rng) if rng.random() < 0.3 else packed


def damaged_zip(content: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """Of damaged files, with odd names, or damaged itself."""
    if rng.random() < 0.4:
        return damaged(content, others, rng)
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            files = [(info.filename, archive.read(info)) for info in archive.infolist()]
    except BadZipFile:
        return damaged(content, others, rng)
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", rng.choice((ZIP_STORED, ZIP_DEFLATED))) as archive:
        for name, one in files:
            odd = rng.choice(
                (name, name, name, "../x", "/x", "a\\..\\b", ".x", "x" * 999, "\n\x1b")
            )
            info = ZipInfo(odd)
            info.external_attr = rng.choice((0, 0, 0, 0o120777 << 16, 0xFFFFFFFF))
            archive.writestr(info, damaged(one, others, rng))
    return buffer.getvalue()


def damaged_dicom(content: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    """With fields that say something else, or that are gone."""
    if rng.random() < 0.4:
        return damaged(content, others, rng)
    try:
        return _with_other_fields(content, others, rng)
    except Exception:  # pydicom's own types, of what it cannot write
        return damaged(content, others, rng)


def _with_other_fields(content: bytes, others: Sequence[bytes], rng: Random) -> bytes:
    import warnings

    from pydicom import Dataset, config, dcmread
    from pydicom.datadict import dictionary_VR, tag_for_keyword
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    from serve.formats.dicom import FIELDS, PIXELS

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dcmread(io.BytesIO(content), force=True)
        for _ in range(rng.choice((1, 1, 2, 4))):
            keyword = rng.choice((*FIELDS, *PIXELS))
            tag = Tag(tag_for_keyword(keyword))
            vr = dictionary_VR(tag).split(" ")[0]
            if rng.random() < 0.1 and tag in dataset:
                del dataset[tag]
                continue
            if vr == "SQ":
                dataset.add_new(tag, "SQ", [Dataset() for _ in range(rng.randrange(3))])
                continue
            if tag in dataset and keyword == "PixelData" and rng.random() < 0.9:
                raw = damaged(dataset[tag].value, others, rng)
            elif vr in ("US", "SS", "UL", "OW", "OB", "OF", "OD", "OV"):
                size = "h" if vr in ("US", "SS") else "i"
                count = rng.choice((1, 1, 1, 3))
                raw = b"".join(struct.pack(f"<{size}", _short(rng)) for _ in range(count))
            else:
                words = [rng.choice(WORDS) for _ in range(rng.choice((1, 1, 2, 6)))]
                raw = b"\\".join(words)
            raw += b" " * (len(raw) % 2)
            kept = dataset.get_item(tag) if tag in dataset else None
            undefined = bool(getattr(kept, "is_undefined_length", False))
            length = 0xFFFFFFFF if undefined else len(raw)
            little = dataset.original_encoding[1] is not False
            dataset[tag] = RawDataElement(tag, vr, length, raw, 0, False, little)
        config.settings.writing_validation_mode = config.IGNORE
        buffer = io.BytesIO()
        dataset.save_as(buffer)
    return buffer.getvalue()


WORDS = (
    *(
        b"",
        b"0",
        b"1",
        b"-1",
        b"2",
        b"0.5",
        b"-0.7071",
        b"1e30",
        b"1e308",
        b"1e400",
        b"nan",
        b"inf",
        b"abc",
    ),
    *(b"99999", b"2147483648", b"MR", b"CT", b"LOCALIZER", b"YES", b"SIGMOID", b"LINEAR_EXACT"),
    *(b"MONOCHROME1", b"MONOCHROME2", b"RGB", b"YBR_FULL_422", b"PALETTE COLOR", b"INVERSE"),
    *(b"\xff\xfe", b"\0\0", b"A" * 300),
)
NIFTI_FIELDS = (  # of version 1, then of version 2
    *((40 + 2 * at, "h") for at in range(8)),
    *((76 + 4 * at, "f") for at in range(8)),
    *((280 + 4 * at, "f") for at in range(12)),
    *((256 + 4 * at, "f") for at in range(6)),
    *((at, "h") for at in (70, 72, 252, 254)),
    *((at, "f") for at in (108, 112, 116)),
    *((16 + 8 * at, "i") for at in range(8)),
    *((at, "h") for at in (12, 14)),
)


def _flip(made: bytearray, rng: Random) -> None:
    for _ in range(rng.choice((1, 1, 4, 16))):
        if made:
            made[_place(made, rng)] ^= 1 << rng.randrange(8)


def _number(made: bytearray, rng: Random) -> None:
    size = rng.choice((1, 2, 4, 8))
    at = _place(made, rng)
    number = rng.choice(NUMBERS + EXTREMES) % 2 ** (8 * size)
    made[at : at + size] = number.to_bytes(size, rng.choice(("little", "big")))


def _cut(made: bytearray, rng: Random) -> None:
    del made[_place(made, rng) :]


def _remove(made: bytearray, rng: Random) -> None:
    at = _place(made, rng)
    del made[at : at + rng.choice((1, 2, 4, 32, 500))]


def _repeat(made: bytearray, rng: Random) -> None:
    at = _place(made, rng)
    part = made[at : at + rng.choice((1, 4, 64, 500))]
    made[at:at] = part * rng.choice((1, 1, 2, 50))


def _insert(made: bytearray, rng: Random) -> None:
    at = _place(made, rng)
    made[at:at] = rng.choice((*TEXTS, rng.randbytes(8)))


def _fill(made: bytearray, rng: Random) -> None:
    at, size = _place(made, rng), rng.choice((1, 8, 100))
    made[at : at + size] = bytes([rng.choice((0, 255, 128))]) * len(made[at : at + size])


def _scatter(made: bytearray, rng: Random) -> None:
    for _ in range(max(1, len(made) // 200)):
        if made:
            made[rng.randrange(len(made))] = rng.randrange(256)


def _graft(made: bytearray, other: bytes, rng: Random) -> None:
    at = _place(made, rng)
    size = rng.choice((4, 64, 1000))
    start = rng.randrange(len(other) + 1)
    made[at : at + size] = other[start : start + size]


MUTATIONS: tuple[Mutate, ...] = (
    *(_flip, _flip, _number, _number, _number, _cut, _remove, _repeat, _insert, _fill, _scatter),
)


def _short(rng: Random) -> int:
    """A number of 16 bits with a sign."""
    return (rng.choice(NUMBERS + EXTREMES) + 2**15) % 2**16 - 2**15


def _place(made: bytearray, rng: Random) -> int:
    """Where: half of the time in the head."""
    return rng.randrange(max(1, min(HEAD, len(made)) if rng.random() < 0.5 else len(made)))


def _png_chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    chunks, at = [], 8
    while at + 12 <= len(content):
        (size,) = struct.unpack_from(">I", content, at)
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += 12 + size
    return chunks


def _inflated(body: bytes) -> bytes:
    try:
        return zlib.decompress(body)
    except zlib.error:
        return body


def _tiff_entries(content: bytes) -> list[int]:
    """Where the entries of all tables begin; of large files (BigTIFF) none."""
    order = "<" if content[:2] == b"II" else ">"
    entries: list[int] = []
    if len(content) < 8 or struct.unpack_from(f"{order}H", content, 2)[0] != 42:
        return entries
    (at,) = struct.unpack_from(f"{order}I", content, 4)
    while 0 < at < len(content) - 6:
        (count,) = struct.unpack_from(f"{order}H", content, at)
        entries += [at + 2 + 12 * number for number in range(count)]
        (at,) = struct.unpack_from(f"{order}I", content, at + 2 + 12 * count)
    return entries
