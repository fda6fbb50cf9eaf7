"""Rows of numbers that follow from views of scans, computed once and kept on disk.

A cache is one folder, named by what the rows are:

    key.json     what it is named by, readable
    rows.bin     the rows, one a view, appended as they are computed; rows.f16 where all are float16
    index.csv    a line a row, in order: SHA-256 of what the picture follows from, number of the
                 view, CRC-32 of the row

A row exists only once its index line is written, and is used only if its checksum fits, so
an interrupted extraction resumes and a damaged row is computed anew.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, takewhile
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from filelock import FileLock
from tqdm import tqdm

from train.data.dataset import Scan

HALF = np.dtype(np.float16)
FLUSHED = 32  # rows that are written at a time
INDEX_LINE = re.compile(rb"([0-9a-f]{64}),(\d+),([0-9a-f]{8})\n")


class View(NamedTuple):
    """Names one row."""

    source: str  # SHA-256 of what the picture follows from; that of the scan's file for view 0
    view: int


class RowCache(ABC):
    """A row for every view asked for, on disk.

    Args:
        folder: where caches lie; this one takes a subfolder named by its key.
        name: what the rows are, the beginning of the subfolder's name.
        key: what they follow from besides the view.
        shape: of a row.
        dtype: of its elements.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        key: Mapping[str, Any],
        shape: tuple[int, ...] = (),
        dtype: np.dtype = HALF,
    ) -> None:
        self._name, self._shape, self._dtype = name, shape, dtype
        self._row_bytes = math.prod(shape) * dtype.itemsize
        text = json.dumps(key, indent=2)
        self.folder = folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "key.json").write_text(text, encoding="utf-8")
        self._rows_path = self.folder / ("rows.f16" if dtype == HALF else "rows.bin")
        self._index_path = self.folder / "index.csv"
        self._checked: dict[View, int] = {}  # rows whose checksum was found right

    @abstractmethod
    def _source(self, scan: Scan, view: int) -> str:
        """SHA-256 of what the view follows from."""

    @abstractmethod
    def _compute(self, views: Sequence[tuple[Scan, int]]) -> Iterator[np.ndarray]:
        """The row of each view of a scan, in order."""

    def rows_of(self, scans: Sequence[Scan], views: int) -> np.ndarray:
        """Make sure that the first `views` views of each scan are there.

        Returns:
            int64 (scans, views): each view's row in `rows()`.
        """
        wanted = [self._view(scan, view) for scan in scans for view in range(views)]
        self._check(wanted)
        if not self._checked.keys() >= set(wanted):
            with FileLock(self.folder / "lock"):
                self._check(wanted)  # another process may have been at it meanwhile
                self._extract(scans, views)
        return np.array([self._checked[view] for view in wanted]).reshape(len(scans), views)

    def rows(self) -> np.ndarray:
        """All rows, (rows, ...), memory-mapped, read-only."""
        return self._mapped(self._dtype, self._shape)

    def _mapped(self, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
        count = self._rows_path.stat().st_size // self._row_bytes
        return np.memmap(self._rows_path, dtype, "r", shape=(count, *shape))

    def _view(self, scan: Scan, view: int) -> View:
        return View(self._source(scan, view), view)

    def _check(self, wanted: Sequence[View]) -> None:
        """Take up the wanted rows that are there and fit their checksum."""
        missing = set(wanted) - self._checked.keys()
        todo = [
            (row, view, crc) for row, (view, crc) in enumerate(self._index()) if view in missing
        ]
        if not todo:
            return
        rows = self._mapped(np.dtype(np.uint8), (self._row_bytes,))
        with ThreadPoolExecutor() as pool:
            found = pool.map(lambda one: zlib.crc32(rows[one[0]]), todo)
            bar = tqdm(found, desc="checking cache", unit="view", delay=1, total=len(todo))
            for (row, view, crc), own in zip(todo, bar, strict=True):
                if own == crc:
                    self._checked[view] = row

    def _index(self) -> list[tuple[View, int]]:
        """What the rows are and their checksums, as far as index and rows are whole."""
        if not (self._index_path.exists() and self._rows_path.exists()):
            return []
        count = self._rows_path.stat().st_size // self._row_bytes
        with self._index_path.open("rb") as file:
            return list(takewhile(bool, map(_parse, islice(file, count))))

    def _extract(self, scans: Sequence[Scan], views: int) -> None:
        todo = {
            self._view(scan, view): scan
            for scan in scans
            for view in range(views)
            if self._view(scan, view) not in self._checked
        }
        if not todo:
            return
        items = list(todo.items())
        computed = self._compute([(scan, view.view) for view, scan in items])
        self._cut_torn_end()
        with (
            self._rows_path.open("ab") as rows,
            self._index_path.open("a", encoding="utf-8", newline="\n") as index,
            tqdm(total=len(items), desc=self._name, unit="view", delay=1) as bar,
        ):
            for batch in batches(items, FLUSHED):
                found = np.stack(list(islice(computed, len(batch))))
                first = rows.tell() // self._row_bytes
                rows.write(found.tobytes())
                _flush(rows)
                for offset, ((view, _), row) in enumerate(zip(batch, found, strict=True)):
                    index.write(_line(view, zlib.crc32(row.tobytes())))
                    self._checked[view] = first + offset
                _flush(index)
                bar.update(len(batch))

    def _cut_torn_end(self) -> None:
        """Leave only whole rows and whole index lines, as many of the one as of the other."""
        index = [_line(view, crc) for view, crc in self._index()]
        with (
            self._index_path.open("a", encoding="utf-8", newline="\n") as lines,
            self._rows_path.open("ab") as rows,
        ):
            lines.truncate(len("".join(index)))
            rows.truncate(len(index) * self._row_bytes)


def _line(view: View, crc: int) -> str:
    return f"{view.source},{view.view},{crc:08x}\n"


def _parse(line: bytes) -> tuple[View, int] | None:
    match = INDEX_LINE.fullmatch(line)
    return (View(match[1].decode(), int(match[2])), int(match[3], 16)) if match else None


def batches(items: Sequence, size: int) -> Iterator[Sequence]:
    """The items, `size` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _flush(file: IO) -> None:
    file.flush()
    os.fsync(file.fileno())
