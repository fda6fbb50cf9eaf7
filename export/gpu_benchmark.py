"""Measure speed on this machine's GPU: python -m export.gpu_benchmark

- ONNX Runtime in float32, as it is served (its convolutions may use TF32), and with its
  convolutions in float16, with maps and without, beside PyTorch and JAX where they are installed,
  with the same weights; pixels from memory, answers back to memory; one engine after another,
  each alone on the card
- how far each engine's answers are from those of the float32 file on the CPU
- how fast serve/infer.py answers a folder of pictures, and what holds it up

Writes benchmark.gpu of models/metrics.json.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import cycle, islice
from multiprocessing import get_context
from os import devnull
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import numpy as np
import onnxruntime as ort

from export.metadata import of_model
from export.speed import gpu_engines
from export.speed.networks import Precision
from serve.artifacts import EXAMPLES, METRICS_NAME, MODELS, ONNX_NAME
from serve.command import one_line, run
from serve.formats.raster import load_pixels
from serve.metrics import write_metrics
from serve.names import INPUT_SIZE
from serve.providers import CPU, choose_provider

BATCHES = (1, 8, 64, 256)
FOLDER_BATCH = 32  # the largest that serve/infer.py takes
FOLDER_IMAGES = 8192


def measure_engines(images: np.ndarray) -> dict[str, Any]:
    """Every engine that is installed; a peer that fails is left out, and it is said why."""
    reference = gpu_engines.onnx_runtime("float32", CPU)["onnx_float32"](images)
    rows: list[dict[str, Any]] = []
    differences: dict[str, float] = {}
    for engine in ("onnx", *gpu_engines.versions()):
        for precision in get_args(Precision):
            try:
                measured = _alone(engine, precision, images, BATCHES)
            except Exception as error:  # whatever a framework raises
                if engine == "onnx":
                    raise
                print(f"{engine} {precision}: left out ({one_line(error)})", flush=True)
                continue
            rows += measured["rows"]
            for row in measured["rows"]:
                print(_line(row), flush=True)
            for name, probabilities in measured["probabilities"].items():
                differences[name] = float(np.abs(probabilities - reference).max())
    return {"rows": rows, "largest_difference": differences}


def measure_folder(images: np.ndarray) -> dict[str, Any]:
    """Images a second of serve/infer.py on a folder of JPEGs, of reading them, and of the card."""
    paths = islice(cycle(sorted(EXAMPLES.iterdir())), FOLDER_IMAGES)
    with TemporaryDirectory() as temporary:
        links = [Path(temporary) / f"{number:05}.jpg" for number in range(FOLDER_IMAGES)]
        for link, path in zip(links, paths, strict=True):
            link.symlink_to(path)
        started = time.perf_counter()
        with ThreadPoolExecutor() as pool:  # as many threads as serve/infer.py has
            list(pool.map(_read, links))
        decoding = len(links) / (time.perf_counter() - started)
        command = ["--device", "cuda", "--batch-size", str(FOLDER_BATCH), "--csv", devnull]
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "serve/infer.py", *command, temporary], cwd=MODELS.parent, check=True
        )
        whole = len(links) / (time.perf_counter() - started)
    card = _alone("onnx", "float32", images, [FOLDER_BATCH])["rows"][0]["images_per_second"]
    return {
        "images": FOLDER_IMAGES,
        "batch": FOLDER_BATCH,
        "images_per_second": whole,
        "decoding_images_per_second": decoding,
        "card_images_per_second": card,
        "bound_by": "decoding" if decoding < card else "the card",
    }


def _alone(
    engine: str, precision: Precision, images: np.ndarray, batches: Sequence[int]
) -> dict[str, Any]:
    """In a process of its own: what one engine holds of the card's memory, another may need."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(gpu_engines.measure, engine, precision, images, batches).result()


def _read(path: Path) -> None:
    load_pixels(path, INPUT_SIZE)


def _line(row: dict[str, Any]) -> str:
    return f"{row['engine']:18} {row['batch']:4} {row['images_per_second']:9.1f} images/s"


def main(argv: Sequence[str] | None = None) -> int:
    argparse.ArgumentParser(
        prog="python -m export.gpu_benchmark", description=__doc__.split(":")[0] + "."
    ).parse_args(argv)
    provider = choose_provider("cuda")
    card = _card()
    images = np.stack([load_pixels(path, INPUT_SIZE) for path in sorted(EXAMPLES.iterdir())])
    figures = measure_engines(images)
    figures |= {
        "card": card,
        "provider": provider,
        "onnxruntime": ort.__version__,
        "versions": gpu_engines.versions(),
    }
    of = of_model(MODELS / ONNX_NAME)
    write_metrics(MODELS, "benchmark.gpu", figures, of)  # a lent card may be gone before the rest
    figures["folder"] = measure_folder(images)
    print(figures["folder"])
    write_metrics(MODELS, "benchmark.gpu", figures, of)
    print(f"wrote benchmark.gpu of {MODELS / METRICS_NAME}")
    return 0


def _card() -> str:
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()[0]


if __name__ == "__main__":
    sys.exit(run(main))
