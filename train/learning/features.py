"""The frozen prefix's features, computed once for each view of each scan and kept on disk.

What is frozen gives the same for one picture for ever. A cache is
one folder, named by the frozen network:

    key.json     what it is named by, readable
    rows.f16     float16 rows, one a view, appended as they are computed
    index.csv    a line a row, in order: SHA-256 of what the picture follows from, number of the
                 view, CRC-32 of the row

A row exists only once its index line is written, and is used only if its checksum fits, so
an interrupted extraction resumes and a damaged row is computed anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, takewhile
from pathlib import Path
from typing import IO, NamedTuple, Protocol

import keras
import numpy as np
from filelock import FileLock
from tqdm import tqdm

from serve.names import INPUT_SIZE
from train.data.dataset import Scan

BATCH = 32
INDEX_LINE = re.compile(rb"([0-9a-f]{64}),(\d+),([0-9a-f]{8})\n")


class View(NamedTuple):
    """Names one row."""

    source: str  # see Pictures.source
    view: int


class Pictures(Protocol):
    """Numbered views of scans: AugmentedViews and Examples of train/pictures/."""

    def source(self, scan: Scan, view: int) -> str:
        """SHA-256 of what the picture follows from; that of the scan's file for view 0."""

    def pixels(self, views: Sequence[tuple[Scan, int]]) -> Iterator[np.ndarray]:
        """uint8 (224, 224, 3), RGB, of each view of a scan, in order; 0 is the scan as it is."""


class FeatureCache:
    """What the frozen network gives for every view asked for, float16, on disk.

    Args:
        folder: where caches lie; this one takes a subfolder named by its key.
        prefix: the frozen network, see `train.network.vgg16.frozen_prefix`.
        pictures: the views.
    """

    def __init__(self, folder: Path, prefix: keras.Model, pictures: Pictures) -> None:
        self._prefix, self._pictures = prefix, pictures
        self._shape = tuple(prefix.output.shape[1:])
        self._row_bytes = int(np.prod(self._shape)) * 2
        key = {
            "weights": weights_digest(prefix),
            "pixels": f"Pillow BILINEAR to {INPUT_SIZE}, RGB, Caffe means",
        }
        if (precision := prefix.layers[-1].compute_dtype) != "float32":
            key["precision"] = precision
        text = json.dumps(key, indent=2)
        self.folder = folder / f"features-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "key.json").write_text(text, encoding="utf-8")
        self._rows_path = self.folder / "rows.f16"
        self._index_path = self.folder / "index.csv"
        self._checked: dict[View, int] = {}  # rows whose checksum was found right

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
        """All rows, float16 (rows, height, width, channels), memory-mapped, read-only."""
        count = self._rows_path.stat().st_size // self._row_bytes
        return np.memmap(self._rows_path, np.float16, "r", shape=(count, *self._shape))

    def _view(self, scan: Scan, view: int) -> View:
        return View(self._pictures.source(scan, view), view)

    def _check(self, wanted: Sequence[View]) -> None:
        """Take up the wanted rows that are there and fit their checksum."""
        missing = set(wanted) - self._checked.keys()
        todo = [
            (row, view, crc) for row, (view, crc) in enumerate(self._index()) if view in missing
        ]
        if not todo:
            return
        rows = self.rows()
        for row, view, crc in tqdm(todo, desc="checking cache", unit="view", delay=1):
            if zlib.crc32(rows[row]) == crc:
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
        pixels = self._pictures.pixels([(scan, view.view) for view, scan in items])
        self._cut_torn_end()
        with (
            self._rows_path.open("ab") as rows,
            self._index_path.open("a", encoding="utf-8", newline="\n") as index,
            tqdm(total=len(items), desc="features", unit="view", delay=1) as bar,
        ):
            for batch in _batches(items, BATCH):
                features = self._features(list(islice(pixels, len(batch))))
                first = rows.tell() // self._row_bytes
                rows.write(features.tobytes())
                _flush(rows)
                for offset, ((view, _), row) in enumerate(zip(batch, features, strict=True)):
                    index.write(_line(view, zlib.crc32(row)))
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

    def of_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """The same features of pictures that are not to be kept.

        Args:
            pixels: uint8 (N, 224, 224, 3), RGB.

        Returns:
            float32 (N, height, width, channels), rounded to float16 as the stored ones are.
        """
        found = self._prefix.predict_on_batch(pixels.astype(np.float32))
        return found.astype(np.float16).astype(np.float32)

    def _features(self, pixels: Sequence[np.ndarray]) -> np.ndarray:
        return self.of_pixels(np.stack(pixels)).astype(np.float16)


def weights_digest(model: keras.Model) -> str:
    """SHA-256 of all weights, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for weights in model.get_weights():
        digest.update(np.ascontiguousarray(weights))
    return digest.hexdigest()


def _line(view: View, crc: int) -> str:
    return f"{view.source},{view.view},{crc:08x}\n"


def _parse(line: bytes) -> tuple[View, int] | None:
    match = INDEX_LINE.fullmatch(line)
    return (View(match[1].decode(), int(match[2])), int(match[3], 16)) if match else None


def _batches(items: Sequence, size: int) -> Iterable[Sequence]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _flush(file: IO) -> None:
    file.flush()
    os.fsync(file.fileno())
