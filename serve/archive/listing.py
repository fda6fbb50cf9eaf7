"""Folders, lists, Parquet files and object stores -> shards, the pieces that the work is cut into.

Listing streams: no more than one folder's names and one shard are held at a time.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from ..command import one_line
from ..formats.archive import is_litter
from ..formats.errors import InvalidImageError
from ..formats.raster import SUFFIXES
from ..formats.scans import walk

FILES = 256  # of a shard, unless one folder holds more that belong together
ALONE = (*SUFFIXES, ".nii", ".nii.gz", ".zip", ".parquet")  # need no other file of their folder
PARQUET = ".parquet"
WHOLE = -1  # instead of a row group


@dataclass(frozen=True)
class Shard:
    """A piece of the work; its answers become one file.

    Args:
        names: of files, absolute paths or URIs; with a row group the one Parquet file.
        gathered: they were found in a folder, and may be no pictures at all.
        row_group: of the Parquet file, whose rows are the pictures.
        error: why the one name cannot be read.
        skipped: folders passed over, by reason.
    """

    names: list[str]
    gathered: bool = False
    row_group: int = WHOLE
    error: str = ""
    skipped: dict[str, int] = field(default_factory=dict)

    @property
    def keys(self) -> list[str]:
        """What has been answered once the shard has been."""
        return self.names if self.row_group == WHOLE else [f"{self.names[0]}#{self.row_group}"]

    @property
    def identity(self) -> str:
        """The same for the same work, so that work done twice is written once."""
        return hashlib.sha256("\0".join(self.keys).encode("utf-8", "surrogateescape")).hexdigest()

    def to_json(self) -> str:
        """As Ray carries it; names may hold bytes that are no UTF-8, which Arrow refuses."""
        return json.dumps(asdict(self))


def digest(key: str) -> int:
    """64 bits of a name: enough to tell ten million from each other."""
    return int.from_bytes(
        hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()[:8], "big"
    )


def shards(words: Iterable[str], done: np.ndarray, size: int = FILES) -> Iterator[Shard]:
    """What is left to do, in pieces.

    Args:
        words: of the command line: files, folders, @FILE for a list of names, URIs of these in an
            object store.
        done: uint64, sorted: the digests of what has been answered.
        size: files of a shard.
    """
    skipped: Counter[str] = Counter()
    for gathered, names in groupby(_files(words, skipped), key=lambda one: one[1]):
        yield from _cut((name for name, _ in names), gathered, done, size)
    if skipped:
        yield Shard([], skipped=dict(skipped))


def file_system(name: str) -> tuple[fs.FileSystem, str]:
    """Where a name lies, and its path there. Raises OSError: there are no such object stores."""
    if "://" not in name:
        return fs.LocalFileSystem(), name
    try:
        return fs.FileSystem.from_uri(name)
    except pa.ArrowInvalid as error:
        raise OSError(one_line(error)) from None


def absolute(word: str) -> str:
    """A word that means the same on every machine, and in every folder."""
    at, path = ("@", word[1:]) if word.startswith("@") else ("", word)
    return at + (path if "://" in path else os.path.abspath(path))  # noqa: PTH100 (keeps links)


def _files(words: Iterable[str], skipped: Counter[str]) -> Iterator[tuple[str, bool]]:
    """Names of files, each with whether it was found in a folder."""
    for word in words:
        if word.startswith("@"):
            yield from _files(_lines(word[1:]), skipped)
            continue
        try:
            found = _in_folder(word, skipped)
        except OSError:  # the worker that is given the name finds out, and says so
            found = None
        yield from [(word, False)] if found is None else ((name, True) for name in found)


def _in_folder(word: str, skipped: Counter[str]) -> Iterator[str] | None:
    """The files of a folder; None where the word is none. Raises OSError: it cannot be asked."""
    where, path = file_system(word)
    if "://" not in word:
        folder = os.path.isdir(path)  # noqa: PTH112 (takes any name)
        return (file.name for file in walk(Path(path), skipped)) if folder else None
    folder = where.get_file_info(path).type == fs.FileType.Directory
    return _walk(where, path, word.removesuffix("/")) if folder else None


def _lines(name: str) -> Iterator[str]:
    where, path = file_system(name)
    with where.open_input_stream(path) as stream:
        for line in io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape"):
            if word := line.rstrip("\r\n"):
                yield absolute(word)


def _walk(where: fs.FileSystem, path: str, uri: str) -> Iterator[str]:
    """The files of a folder in an object store, as `serve.formats.scans.walk` finds them."""
    found = where.get_file_info(fs.FileSelector(path))
    entries = sorted(
        (one.type == fs.FileType.Directory, one.base_name, one.path)
        for one in found
        if not is_litter(PurePosixPath(one.base_name))
    )
    for is_folder, name, inner in entries:
        if is_folder:
            yield from _walk(where, inner, f"{uri}/{name}")
        else:
            yield f"{uri}/{name}"


def _cut(names: Iterable[str], gathered: bool, done: np.ndarray, size: int) -> Iterator[Shard]:
    """Pictures in any company; other files, which may be slices of one series, a folder at a
    time."""
    alone: list[str] = []
    together: list[str] = []
    for _, inner in groupby(names, key=lambda name: name.rpartition("/")[0]):
        belonging: list[str] = []
        for name in inner:
            if name.lower().endswith(PARQUET):
                yield from _row_groups(name, done)
            elif not name.lower().endswith(ALONE):
                belonging.append(name)
            elif not _is_in(name, done):
                alone.append(name)
            if len(alone) == size:
                yield Shard(alone, gathered)
                alone = []
        together += [name for name in belonging if not _is_in(name, done)]
        if len(together) >= size:
            yield Shard(together, gathered)
            together = []
    for left in (alone, together):
        if left:
            yield Shard(left, gathered)


def _row_groups(name: str, done: np.ndarray) -> Iterator[Shard]:
    where, path = file_system(name)
    try:
        with where.open_input_file(path) as file:
            count = pq.ParquetFile(file).num_row_groups
    except (OSError, pa.ArrowInvalid) as error:
        yield Shard([name], error=" ".join(str(error).split()))
        return
    for number in range(count):
        shard = Shard([name], row_group=number)
        if not _is_in(shard.keys[0], done):
            yield shard


def _is_in(key: str, done: np.ndarray) -> bool:
    wanted = np.uint64(digest(key))
    at = int(np.searchsorted(done, wanted))
    return at < len(done) and bool(done[at] == wanted)


def check(words: Iterable[str]) -> None:
    """Whether everything that is named is there.

    Raises:
        InvalidImageError: something is not; it says what.
    """
    for word in words:
        where, path = file_system(word.removeprefix("@"))
        if where.get_file_info(path).type == fs.FileType.NotFound:
            raise InvalidImageError(word, "no such file or folder")
