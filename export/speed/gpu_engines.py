"""What export.gpu_benchmark times: each engine is built and timed in a process of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx

from export import graph
from export.speed.networks import Precision, jax_network, read_network, torch_network
from serve.artifacts import MODELS, ONNX_NAME
from serve.providers import CUDA
from serve.session import Session

WARM_UP = 3  # the first runs choose their algorithms
ROUNDS = 5  # at least, and a second of them
Run = Callable[[np.ndarray], np.ndarray]  # uint8 (N, 224, 224, 3) -> probabilities (N, 4)


def onnx_runtime(precision: Precision, provider: str = CUDA) -> dict[str, Run]:
    """The session that serve/infer.py opens, without maps and with them; in float16, of a file
    with such convolutions."""
    path = MODELS / ONNX_NAME
    with TemporaryDirectory() as folder:
        if precision == "float16":
            half = Path(folder) / "half.onnx"
            onnx.save(graph.half_precision(onnx.load(path)), half)
            path = half
        session = Session(path, provider, threads=len(os.sched_getaffinity(0)), insist=True)

    def run(maps: Sequence[str], pixels: np.ndarray) -> np.ndarray:
        return session.run(["probabilities", "ood_score", *maps], pixels)["probabilities"]

    return {
        f"onnx_{precision}": partial(run, []),
        f"onnx_{precision}_maps": partial(run, ["cam"]),
    }


def torch(precision: Precision) -> dict[str, Run]:
    return {
        f"torch_{precision}": torch_network(read_network(MODELS / ONNX_NAME), "cuda", precision)
    }


def jax(precision: Precision) -> dict[str, Run]:
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    return {f"jax_{precision}": jax_network(read_network(MODELS / ONNX_NAME), precision)}


ENGINES = {"onnx": onnx_runtime, "torch": torch, "jax": jax}


def versions() -> dict[str, str]:
    """Of what is measured besides ONNX Runtime, where it is installed."""
    return {name: version(name) for name in ("torch", "jax") if find_spec(name)}


def measure(
    engine: str, precision: Precision, images: np.ndarray, batches: Sequence[int]
) -> dict[str, Any]:
    """Build an engine and time it, from pixels in memory to answers in memory.

    Args:
        engine: of `ENGINES`.
        precision: of its convolutions.
        images: uint8 (N, 224, 224, 3).
        batches: sizes.

    Returns:
        probabilities, float32 (N, 4) of the images, by name of what was timed; and rows, one each
        of these and batch size: milliseconds an image, median and 95th percentile, and seconds up
        to the first answer.
    """
    started = time.perf_counter()
    runs = ENGINES[engine](precision)
    answers = {name: run(images) for name, run in runs.items()}
    loaded = time.perf_counter() - started
    rows = []
    for batch in batches:
        pixels = np.resize(images, (batch, *images.shape[1:]))
        for name, run in runs.items():
            taken = np.array(_times(run, pixels)) * 1000 / batch
            rows.append(
                {
                    "engine": name,
                    "batch": batch,
                    "rounds": len(taken),
                    "milliseconds": float(np.median(taken)),
                    "milliseconds_95": float(np.percentile(taken, 95)),
                    "images_per_second": float(1000 / np.median(taken)),
                    "load_seconds": loaded,
                }
            )
    return {"probabilities": answers, "rows": rows}


def _times(run: Run, pixels: np.ndarray) -> list[float]:
    """Seconds of each round."""
    for _ in range(WARM_UP):
        run(pixels)
    times: list[float] = []
    while len(times) < ROUNDS or sum(times) < 1:
        started = time.perf_counter()
        run(pixels)
        times.append(time.perf_counter() - started)
    return times
