"""ZIP archives of scans, as hospitals hand them out; nothing is ever unpacked onto the disk."""

from __future__ import annotations

import io
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from .errors import InvalidImageError
from .slices import File

MAX_ENTRIES = 20_000
MAX_BYTES = 4 * 2**30  # of all entries together
MAX_ENTRY = 2**28  # bytes; one is in memory at a time
MAX_RATIO = 1000  # how much smaller deflate can make a file is 1032 times: a bomb, not a scan
LITTER = {"thumbs.db", "desktop.ini"}


def files_in(file: File) -> Iterator[File]:
    """The files of an archive, read when they are opened; hidden ones are passed over.

    Raises:
        InvalidImageError: it is damaged, encrypted or too large, or an entry's path leaves it.
    """
    try:
        content = file.content()
        archive = ZipFile(content if isinstance(content, Path) else io.BytesIO(content))
    except (BadZipFile, NotImplementedError, ValueError, EOFError):
        raise InvalidImageError(file.name, "the archive is damaged") from None
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    _check(file.name, entries)
    for entry in sorted(entries, key=lambda entry: entry.filename):
        if not is_litter(PurePosixPath(entry.filename)):
            name = f"{file.name}/{entry.filename}"
            yield File(name, partial(_read, archive, entry, name))


def is_litter(path: PurePosixPath | Path) -> bool:
    """Whether systems put it there by themselves, or hide it: no scan of anyone's."""
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return hidden or path.name.lower() in LITTER


def _check(name: str, entries: list[ZipInfo]) -> None:
    total = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_ENTRIES:
        raise InvalidImageError(name, f"it has {len(entries):,} files, over {MAX_ENTRIES:,}")
    if total > MAX_BYTES or any(entry.file_size > MAX_ENTRY for entry in entries):
        raise InvalidImageError(name, f"its files are too large: {total:,} bytes unpacked")
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise InvalidImageError(name, "the path of a file in it leaves the archive")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise InvalidImageError(name, "a file in it is a link")
        if entry.flag_bits & 1:
            raise InvalidImageError(name, "it is encrypted")
        if entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
            raise InvalidImageError(name, "a file in it is packed too tightly to be a scan")


def _read(archive: ZipFile, entry: ZipInfo, name: str) -> bytes:
    try:
        with archive.open(entry) as file:
            content = file.read(entry.file_size + 1)
    except Exception:  # zipfile's, zlib's, lzma's and bz2's own types
        raise InvalidImageError(name, "it is damaged in the archive") from None
    if len(content) > entry.file_size:
        raise InvalidImageError(name, "it is larger than the archive says")
    return content
