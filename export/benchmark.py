"""Measure cold start, from process start to one answer, beside the alternatives:
python -m export.benchmark --peer PYTHON

Whole processes on the CPU, in turn, measured by GNU time. PYTHON is the interpreter of a
virtual environment with detect-tumor (PyPI), which cannot share one with onnxruntime-gpu.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sklearn.metrics import accuracy_score
from tqdm import tqdm

from export.to_onnx import EXAMPLES
from serve.artifacts import KERAS_NAME, LABELS, METRICS_NAME, MODELS, write_metrics

ROUNDS = 5
GNU_TIME = Path("/usr/bin/time")
ROOT = MODELS.parent
PEER = "detect-tumor"

KERAS_WAY = """
import sys
import keras
import numpy as np
from PIL import Image
image = Image.open(sys.argv[2]).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
model = keras.models.load_model(sys.argv[1])
print(model.predict(np.asarray(image, np.float32)[None]))
"""
PEER_WAY = "import sys; from detect_tumor.cli import main; sys.exit(main())"
PEER_VERSION = "from importlib.metadata import version; print(version('detect-tumor'))"
PEER_CLASSES = """
import sys
from detect_tumor import TumorDetector
detector = TumorDetector()
for line in sys.stdin:
    print(detector.predict(line.rstrip("\\n")).predicted_class, flush=True)
"""


class BenchmarkError(Exception):
    """Something that the measurement needs is not there."""


def cold_start(commands: Mapping[str, Sequence[str]]) -> dict[str, dict[str, float]]:
    """Median seconds and peak memory of whole processes, `ROUNDS` in turn after a warm-up.

    Returns:
        by command: seconds (wall clock), megabytes (10^6 bytes, largest resident set).
    """
    if not GNU_TIME.exists():
        raise BenchmarkError(f"{GNU_TIME}: not there (apt-get install time)")
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    with tqdm(total=(ROUNDS + 1) * len(commands), desc="cold start", unit="process") as bar:
        for _ in range(ROUNDS + 1):
            for name, command in commands.items():
                runs[name].append(_time(name, command))
                bar.update()
    return {
        name: {
            "seconds": statistics.median(seconds for seconds, _ in counted[1:]),
            "megabytes": statistics.median(megabytes for _, megabytes in counted[1:]),
        }
        for name, counted in runs.items()
    }


def peer_accuracy(python: Path, data: Path) -> dict[str, Any]:
    """detect-tumor's accuracy on all of `data`/Testing."""
    images = [
        (path, name) for name in LABELS for path in sorted((data / "Testing" / name).iterdir())
    ]
    with subprocess.Popen(
        [python, "-c", PEER_CLASSES], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as peer:
        found = []
        for path, _ in tqdm(images, desc=PEER, unit="image"):
            peer.stdin.write(f"{path.resolve()}\n")
            peer.stdin.flush()
            found.append(peer.stdout.readline().strip())
        peer.stdin.close()
    return {"images": len(images), "accuracy": accuracy_score([c for _, c in images], found)}


def _time(name: str, command: Sequence[str]) -> tuple[float, float]:
    started = time.perf_counter()
    result = subprocess.run(
        [GNU_TIME, "-v", *command], capture_output=True, text=True, cwd=ROOT, check=False
    )
    seconds = time.perf_counter() - started
    if result.returncode:
        raise BenchmarkError(f"{name}: {result.stderr.strip().splitlines()[0]}")
    (line,) = (li for li in result.stderr.splitlines() if "Maximum resident set size" in li)
    return seconds, int(line.split()[-1]) * 1024 / 1e6


def _commands(peer: Path | None) -> dict[str, list[str]]:
    image = str(next(iter(sorted(EXAMPLES.iterdir()))))
    commands = {
        "serve/infer.py": [sys.executable, "serve/infer.py", "--device", "cpu", image],
        "keras": [sys.executable, "-c", KERAS_WAY, str(MODELS / KERAS_NAME), image],
    }
    if peer:
        commands[PEER] = [str(peer), "-c", PEER_WAY, image]
    return commands


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m export.benchmark", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument(
        "--peer", type=Path, metavar="PYTHON", help="of an environment with detect-tumor"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="measure the peer's accuracy on DIR/Testing"
    )
    args = parser.parse_args(argv)
    try:
        figures: dict[str, Any] = {"processes": cold_start(_commands(args.peer))}
        if args.peer:
            version = subprocess.run(
                [args.peer, "-c", PEER_VERSION], capture_output=True, text=True, check=True
            )
            figures["peer_version"] = version.stdout.strip()
        figures |= {"rounds": ROUNDS, "cpu": _cpu(), "python": platform.python_version()}
        print(json.dumps(figures, indent=2))
        write_metrics(MODELS, "benchmark.cold_start", figures)
        if args.peer and args.data:
            accuracy = peer_accuracy(args.peer, args.data)
            print(json.dumps(accuracy))
            write_metrics(MODELS, "benchmark.peer", accuracy)
    except (BenchmarkError, OSError, subprocess.CalledProcessError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    print(f"wrote benchmark of {MODELS / METRICS_NAME}")
    return 0


def _cpu() -> str:
    """The processor's name and the number of cores this process may use."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next(
        (li.split(":")[1].strip() for li in lines if li.startswith("model name")), "unknown"
    )
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


if __name__ == "__main__":
    sys.exit(main())
