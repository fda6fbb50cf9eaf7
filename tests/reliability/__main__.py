"""Measure that nothing breaks it and that nothing leaks: python -m tests.reliability

Damages 20,000 files (tests/fuzz), calls the library 10,000 times, lets 40 clients at the app for
ten minutes, and strikes 200 runs of the command with a fault each. What was measured goes into
models/metrics.json as `reliability`, unless something was found. It takes about an hour on two
cores; --only measures a part.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from export.metadata import of_model
from serve.artifacts import INT8_NAME, MODELS
from serve.command import run
from serve.metrics import write_metrics
from serve.processors import available
from tests.fuzz.__main__ import fuzz
from tests.reliability.faults import faults
from tests.reliability.soak import MOST_GROWTH, of_the_app, of_the_library

NONE = ("problems", "failures", "half_written", "lost_rows")  # may there be


def main(argv: Sequence[str] | None = None) -> int:
    args = _parse(argv)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "fuzz": lambda: fuzz(range(args.inputs), available()),
        "soak": lambda: of_the_library(args.calls),
        "app": lambda: of_the_app(args.seconds),
        "faults": lambda: faults(args.runs),
    }
    failed = False
    for name in args.only or parts:
        figures = parts[name]()
        print(name, json.dumps(figures, indent=2), flush=True)
        if wrong := found(figures):
            print(f"error: {name}: {wrong}", file=sys.stderr)
            failed = True
        elif args.write:
            write_metrics(MODELS, f"reliability.{name}", figures, of_model(MODELS / INT8_NAME))
    return int(failed)


def found(figures: Mapping[str, Any]) -> str:
    """What must not be, or ""."""
    for name in NONE:
        if count := figures.get(name, 0):
            return f"{count} {name.replace('_', ' ')}"
    if (grown := figures.get("memory_growth", 0)) > MOST_GROWTH:
        return f"memory grew by {grown:.1%}"
    return ""


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.reliability", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument(
        "--only", nargs="+", choices=("fuzz", "soak", "app", "faults"), metavar="PART"
    )
    parser.add_argument("--inputs", type=int, default=20_000, metavar="N")
    parser.add_argument("--calls", type=int, default=10_000, metavar="N")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--runs", type=int, default=200, metavar="N")
    parser.add_argument("--no-write", dest="write", action="store_false", help="measure only")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(run(main))
