"""The output: Parquet files, one a shard, each written whole or not at all.

DIR/model_sha256=HASH/PART.parquet; pandas, DuckDB, Spark and pyarrow read DIR as one table. A part
says in its metadata which files it answers, so that a later run leaves these out.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from ..answering import Answered
from ..classifier import Prediction
from ..command import UserError
from ..formats.errors import InvalidImageError
from ..names import LABELS, MAP_CELLS
from .listing import Shard, digest, file_system

PARTITION = "model_sha256"
DONE = b"answered"
ROWS = 4096  # that are held before they are written
CROP = pa.struct(
    {**dict.fromkeys(("x", "y", "width", "height"), pa.int32()), "padding": pa.list_(pa.int32(), 4)}
)
COUNTS = pa.map_(pa.string(), pa.int32())

COLUMNS: dict[str, pa.DataType] = {
    "row": pa.string(),  # "slice", "series" or "error"
    "path": pa.string(),
    "label": pa.string(),
    "confidence": pa.float64(),
    **dict.fromkeys(LABELS, pa.float64()),
    "brain_mri": pa.bool_(),
    "unsure": pa.bool_(),
    "ood_score": pa.float64(),
    "model": pa.string(),
    "provider": pa.string(),
    "milliseconds": pa.float64(),
    "series": pa.string(),  # that the slice is of
    "slice": pa.int32(),  # where it lies in it, from 0
    "warnings": pa.list_(pa.string()),
    "crop": CROP,  # of a picture, what was seen of it
    "error": pa.string(),
    "kind": pa.string(),  # this and the following: of the series
    "slices": pa.int32(),
    "classes": COUNTS,
    "skipped": COUNTS,
    "tumour": pa.float64(),
    "run": pa.list_(pa.int32(), 2),
    "suspicious": pa.list_(pa.int32()),
}
MAPS = pa.list_(pa.float32(), len(LABELS) * MAP_CELLS**2)  # of each class, 14 x 14


def schema(maps: bool) -> pa.Schema:
    """The columns; with `cam`, the Grad-CAM maps of every class, where they are asked for."""
    return pa.schema(COLUMNS | ({"cam": MAPS} if maps else {}))


def rows_of(one: Answered) -> Iterator[dict[str, Any]]:
    """A picture's row; a series' rows, a slice each, and one for the whole; an error's."""
    if isinstance(one.answer, InvalidImageError):
        yield {"row": "error", "path": one.found.name, "error": one.answer.reason}
    elif isinstance(one.answer, Prediction):
        yield _slice(one.answer, one.maps)
    else:
        whole = one.answer
        maps = [None] * len(whole.slices) if one.maps is None else one.maps
        for index, part, cam in zip(whole.indices, whole.slices, maps, strict=True):
            yield _slice(part, cam) | {"series": whole.name, "slice": index}
        for error in whole.errors:
            yield {"row": "error", "path": whole.name, "series": whole.name, "error": error}
        fields = asdict(whole)
        of_slices = {name: fields.pop(name) for name in ("name", "slices", "indices", "errors")}
        counts = {name: [*fields.pop(name).items()] for name in ("classes", "skipped")}
        names = {"path": whole.name, "series": whole.name, "slices": len(of_slices["slices"])}
        yield fields | counts | names | {"row": "series"}


def _slice(one: Prediction, cam: np.ndarray | None) -> dict[str, Any]:
    fields = asdict(one)
    fields |= fields.pop("probabilities") or {}
    return fields | {"row": "slice", "cam": None if cam is None else cam.ravel()}


class Parts:
    """The parts of one model's answers.

    Args:
        output: a folder, or the URI of one.
        model: the SHA-256 of the model's file.
        maps: whether they hold Grad-CAM.
    """

    def __init__(self, output: str, model: str, maps: bool) -> None:
        self._where, path = file_system(output)
        self._folder = f"{path.rstrip('/')}/{PARTITION}={model}"
        self._schema = schema(maps)

    def begin(self) -> None:
        """Make the folder. Raises OSError."""
        self._where.create_dir(self._folder, recursive=True)

    def done(self) -> np.ndarray:
        """The digests of all that is answered, uint64, sorted; what is no whole part is removed.

        Raises:
            UserError: a part is damaged, or was written with other columns.
        """
        found = [np.zeros(0, np.uint64)]
        for info in self._where.get_file_info(fs.FileSelector(self._folder)):
            if info.base_name.startswith("."):  # what a killed run left
                self._where.delete_file(info.path)
                continue
            try:
                with self._where.open_input_file(info.path) as file:
                    there = pq.ParquetFile(file).schema_arrow
                found.append(np.frombuffer(base64.b64decode(there.metadata[DONE]), np.uint64))
            except (pa.ArrowInvalid, KeyError, TypeError):
                raise UserError(f"{info.path}: it was not written by this command") from None
            if there.names != self._schema.names:
                raise UserError(f"{info.path}: begun with --cam or without, unlike this run")
        return np.sort(np.concatenate(found))

    def write(self, shard: Shard, answers: Iterator[list[Answered]]) -> dict[str, int]:
        """The part of a shard.

        Returns:
            how many rows of each kind it has.
        """
        keys = np.array([digest(key) for key in shard.keys], np.uint64)
        told = self._schema.with_metadata({DONE: base64.b64encode(keys.tobytes())})
        counts = {"slice": 0, "series": 0, "error": 0}
        waiting: list[dict[str, Any]] = []
        with (
            self._whole(f"{shard.identity[:32]}.parquet") as file,
            pq.ParquetWriter(file, told, compression="zstd") as writer,
        ):
            for batch in answers:
                waiting += [row for one in batch for row in rows_of(one)]
                if len(waiting) >= ROWS:
                    _write(writer, told, waiting, counts)
            _write(writer, told, waiting, counts)
        return counts

    @contextmanager
    def attempt(self, shard: Shard) -> Iterator[int]:
        """Within the block a worker answers the shard; gives how many have died of it in this run.

        A killed process tells nobody what it was doing, so it is written down before.
        """
        path = f"{self._folder}/.{shard.identity[:32]}.begun"
        deaths = 0
        if self._where.get_file_info(path).type != fs.FileType.NotFound:
            with self._where.open_input_stream(path) as file:
                deaths = len(file.read())
        with self._where.open_output_stream(path) as file:
            file.write(b"." * (deaths + 1))
        yield deaths
        self._where.delete_file(path)

    @contextmanager
    def _whole(self, name: str) -> Iterator[pa.NativeFile]:
        """A file that is there once it is whole; object stores show none before it is closed."""
        final = f"{self._folder}/{name}"
        local = isinstance(self._where, fs.LocalFileSystem)
        temporary = f"{self._folder}/.{name}-{id(self)}" if local else final
        with self._where.open_output_stream(temporary) as file:
            yield file
        if local:
            self._where.move(temporary, final)


def _write(
    writer: pq.ParquetWriter, columns: pa.Schema, rows: list[dict[str, Any]], counts: dict[str, int]
) -> None:
    """Write the rows, count them and let go of them."""
    texts = [{name: _utf8(value) for name, value in row.items()} for row in rows]
    writer.write_table(pa.Table.from_pylist(texts, columns))
    for row in rows:
        counts[row["row"]] += 1
    rows.clear()


def _utf8(value: object) -> object:
    """A name may hold bytes that are none."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
