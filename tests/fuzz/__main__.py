"""Damage files of every format and see what comes of them: python -m tests.fuzz --seconds 60

Damaged pictures, stacks, DICOM, NIfTI and archives, odd arrays and models that are none are read as
users read them, in processes of their own. Nothing but an answer or a typed error may come of one,
within two seconds of processor time a picture and a gigabyte, and nothing on standard error. What
comes otherwise is kept in cache/fuzz/. With --write the counts go into models/metrics.json.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from export.metadata import of_model
from serve.artifacts import INT8_NAME, MODELS
from serve.command import run
from serve.metrics import write_metrics
from serve.processors import available
from tests.fuzz.kinds import made
from tests.fuzz.reading import tried
from tests.fuzz.workers import Result, results

FOUND = MODELS.parent / "cache" / "fuzz"


class Counts:
    """What came of all inputs."""

    def __init__(self) -> None:
        self.inputs: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.answered = self.problems = self.memory = 0
        self.seconds = 0.0

    def add(self, result: Result) -> None:
        """Count one."""
        self.inputs[result.kind] += 1
        self.errors.update(result.errors)
        self.answered += bool(result.answers)
        self.problems += bool(result.problem)
        self.seconds = max(self.seconds, result.seconds)
        self.memory = max(self.memory, result.memory)

    def figures(self) -> dict[str, Any]:
        """For metrics.json."""
        return {
            "inputs": dict(self.inputs),
            "total": self.inputs.total(),
            "answered": self.answered,
            "errors": dict(self.errors),
            "problems": self.problems,
            "worst_seconds": self.seconds,
            "worst_megabytes": self.memory / 1e6,
        }


def main(argv: Sequence[str] | None = None) -> int:
    args = _parse(argv)
    figures = fuzz(_numbers(args), args.processes)
    for name, value in figures.items():
        print(f"{name:16}{value}")
    if args.write and not figures["problems"]:
        write_metrics(MODELS, "reliability.fuzz", figures, of_model(MODELS / INT8_NAME))
    return int(figures["problems"] > 0)


def fuzz(numbers: Iterable[int], processes: int) -> dict[str, Any]:
    """Try the inputs of these numbers; what must not be is said on standard error and kept.

    Returns:
        see `Counts.figures`.
    """
    counts = Counts()
    for result in results(made, tried, numbers, processes):
        counts.add(result)
        if result.problem:
            _keep(result)
    return counts.figures()


def _numbers(args: argparse.Namespace) -> Iterator[int]:
    """Up to the number of inputs that is asked for, or until the time is over."""
    end = time.monotonic() + args.seconds if args.seconds else float("inf")
    for number in itertools.islice(itertools.count(args.seed), args.inputs):
        if time.monotonic() > end:
            return
        yield number


def _keep(result: Result) -> None:
    """Say what was found, and put the input aside."""
    assert result.input is not None
    content = result.input.content
    FOUND.mkdir(parents=True, exist_ok=True)
    path = FOUND / f"{result.number}-{result.kind.lower().replace(' ', '')}"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, np.ndarray):
        np.save(f"{path}.npy", content, allow_pickle=True)
    print(f"{path}: {result.problem}", file=sys.stderr, flush=True)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument("--seconds", type=float, help="for so long")
    parser.add_argument("--inputs", type=int, help="so many")
    parser.add_argument("--seed", type=int, default=0, help="the first input's number; default: 0")
    parser.add_argument("--processes", type=int, default=available(), metavar="N")
    parser.add_argument("--write", action="store_true", help="keep the counts in metrics.json")
    args = parser.parse_args(argv)
    if args.seconds is None and args.inputs is None:
        parser.error("--seconds or --inputs says how much")
    return args


if __name__ == "__main__":
    sys.exit(run(main))
