"""A worker: one session of the model that answers one shard after another."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..answering import classify
from ..artifacts import sha256
from ..classifier import BrainTumorClassifier
from ..command import UserError, one_line
from ..formats.errors import InvalidImageError
from ..formats.scans import File, read_scans
from ..looking import Looker
from ..providers import Device
from ..sources import Found
from .listing import WHOLE, Shard, file_system
from .parts import Parts

DEATHS = 4  # of workers, until what they were given is at fault
AHEAD = 32  # files of an object store that are fetched while others are answered
ROWS_AHEAD = 64  # of a Parquet file that are read at a time
CONTENT, NAME = ("bytes", "image"), ("path", "name", "filename")  # columns of a Parquet file


@dataclass(frozen=True)
class Job:
    """What all workers need to know.

    Args:
        model: its file.
        sha256: the file's, which is the same on every machine.
        device: what it runs on.
        batch_size: slices in one inference.
        maps: whether Grad-CAM is written, too.
        output: the folder of the answers, or its URI.
    """

    model: str
    sha256: str
    device: Device
    batch_size: int
    maps: bool
    output: str

    @property
    def parts(self) -> Parts:
        """Where the answers go."""
        return Parts(self.output, self.sha256, self.maps)


class Worker:
    """What a Ray actor does.

    Args:
        job: what for.
        threads: of one inference.

    Raises:
        UserError: the machine has another model, or cannot run it.
    """

    def __init__(self, job: Job, threads: int) -> None:
        self._job, self._parts = job, job.parts
        self._classifier = BrainTumorClassifier(job.model, job.device, threads)
        if sha256(self._classifier.path) != job.sha256:
            raise UserError(f"{job.model}: not the same file on every machine")
        self._looker = Looker(
            self._classifier, self._classifier.explain_pixels if job.maps else None
        )
        self._pool = ThreadPoolExecutor(max(2, threads))

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Answer a shard.

        Returns:
            how many rows of each kind its part has, and what was passed over, as JSON; whether it
            was left out, because too many workers have died of it.
        """
        shard = Shard(**json.loads(row["shard"]))
        skipped = Counter(shard.skipped)
        counts: dict[str, int] = {}
        deadly = False
        if shard.names:
            with self._parts.attempt(shard) as deaths:
                if not (deadly := deaths >= DEATHS):
                    found = self._found(shard, skipped)
                    answers = classify(self._looker, found, self._job.batch_size, self._pool)
                    counts = self._parts.write(shard, answers)
        return {"counts": json.dumps(counts), "skipped": json.dumps(skipped), "deadly": deadly}

    def _found(self, shard: Shard, skipped: Counter[str]) -> Iterator[Found]:
        if shard.error:
            return iter([InvalidImageError(shard.names[0], shard.error)])
        if shard.row_group == WHOLE:
            files = fetched(shard.names, self._pool)
            return read_scans(files, skipped=skipped, gathered=shard.gathered)
        return _rows(shard, skipped)


def fetched(names: Sequence[str], pool: Executor) -> Iterator[File]:
    """Files by name; those of an object store are fetched a few ahead, each once."""
    left = iter(names)

    def begin(name: str) -> File:
        return File(name, pool.submit(_fetch, name).result if "://" in name else Path(name))

    ahead = deque(map(begin, islice(left, AHEAD)))
    while ahead:
        yield ahead.popleft()
        ahead.extend(map(begin, islice(left, 1)))


def _fetch(name: str) -> bytes:
    where, path = file_system(name)
    with where.open_input_stream(path) as stream:
        return bytes(stream.readall())


def _rows(shard: Shard, skipped: Counter[str]) -> Iterator[Found]:
    """The pictures in a Parquet file: of its rows, as Ray's `read_binary_files` writes them
    (`bytes`, `path`) or Hugging Face's datasets (`image`, of the same two)."""
    (name,) = shard.names
    where, path = file_system(name)
    try:
        with where.open_input_file(path) as file:
            table = pq.ParquetFile(file)
            columns = [one for one in (*CONTENT, *NAME) if one in table.schema_arrow.names]
            if not set(columns) & set(CONTENT):
                raise InvalidImageError(name, f"no column {' or '.join(CONTENT)}")
            number = 0
            batches = table.iter_batches(ROWS_AHEAD, row_groups=[shard.row_group], columns=columns)
            for batch in batches:
                for row in batch.to_pylist():
                    called = f"{name}#{shard.row_group}:{number}"
                    yield from _row(row, called, skipped)
                    number += 1
    except InvalidImageError as error:
        yield error
    except (OSError, pa.ArrowInvalid) as error:
        yield InvalidImageError(name, f"it cannot be read ({one_line(error)})")


def _row(row: dict[str, Any], called: str, skipped: Counter[str]) -> Iterator[Found]:
    nested = row.get("image")
    row |= nested if isinstance(nested, dict) else {"bytes": row.get("bytes", nested)}
    name = next((row[one] for one in NAME if row.get(one)), called)
    if isinstance(row["bytes"], bytes):
        yield from read_scans([File(name, row["bytes"])], skipped=skipped)
    else:
        yield InvalidImageError(name, "the row holds no bytes")
