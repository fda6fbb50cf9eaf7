"""Measure speed on this machine's GPU: python -m export.gpu_benchmark

ONNX Runtime in float32, as it is served (its convolutions may use TF32), with maps, and with its
convolutions in float16, beside the Keras model on Keras's own backend; pixels from memory,
answers back to memory, the engines in turn round by round. Writes benchmark.gpu of
models/metrics.json.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from tqdm import tqdm

from export import graph
from export.checkpoint import load_checkpoint
from export.metadata import of_model
from serve.artifacts import EXAMPLES, KERAS_NAME, METRICS_NAME, MODELS, ONNX_NAME
from serve.command import run
from serve.formats.raster import load_pixels
from serve.metrics import write_metrics
from serve.names import INPUT_SIZE
from serve.providers import choose_provider

BATCHES = (1, 8, 64, 256)
ROUNDS = 20  # after WARM_UP
WARM_UP = 3
HALVED = ("Conv", "Relu", "MaxPool")
Run = Callable[[np.ndarray], Any]  # uint8 (N, 224, 224, 3) -> probabilities first


def half_precision(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model with the arithmetic of its convolutions in float16."""
    result = graph.widen_float16(model)
    stored = {tensor.name: tensor for tensor in result.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    halved: set[str] = set()

    def halve(name: str) -> str:
        half = f"{name}/half"
        if half not in halved and name in stored:
            values = numpy_helper.to_array(stored[name]).astype(np.float16)
            result.graph.initializer.append(numpy_helper.from_array(values, half))
        elif half not in halved:
            nodes.append(helper.make_node("Cast", [name], [half], to=TensorProto.FLOAT16))
        halved.add(half)
        return half

    for node in result.graph.node:
        if node.op_type not in HALVED or node.name.startswith("cam/"):
            nodes.append(node)
        else:
            inputs, (name,) = [halve(name) for name in node.input], node.output
            halved.add(f"{name}/half")
            nodes.append(node)
            del node.input[:], node.output[:]
            node.input.extend(inputs)
            node.output.append(f"{name}/half")
            nodes.append(
                helper.make_node("Cast", [f"{name}/half"], [name], to=TensorProto.FLOAT)
            )  # ONNX Runtime drops it where nobody asks for it
    del result.graph.node[:], result.graph.value_info[:]
    result.graph.node.extend(nodes)
    return result


def engines(provider: str) -> dict[str, Run]:
    """What is measured, by name."""
    stored = onnx.load(MODELS / ONNX_NAME)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    float32, float16 = (
        ort.InferenceSession(model.SerializeToString(), options, providers=[provider])
        for model in (stored, half_precision(stored))
    )
    model = load_checkpoint(MODELS / KERAS_NAME)
    answers, maps = ["probabilities", "ood_score"], ["probabilities", "ood_score", "cam"]
    return {
        "onnx_float32": lambda pixels: float32.run(answers, {"image": pixels}),
        "onnx_float32_maps": lambda pixels: float32.run(maps, {"image": pixels}),
        "onnx_float16": lambda pixels: float16.run(answers, {"image": pixels}),
        "keras_predict": lambda pixels: model.predict(pixels, batch_size=len(pixels), verbose=0),
    }


def measure(runs: dict[str, Run], images: np.ndarray) -> list[dict[str, Any]]:
    """Milliseconds an image, median and 95th percentile, by engine and batch size."""
    rows = []
    for batch in tqdm(BATCHES, desc="batch sizes"):
        pixels = np.resize(images, (batch, *images.shape[1:]))
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(WARM_UP + ROUNDS):
            for name, answer in runs.items():
                started = time.perf_counter()
                answer(pixels)
                times[name].append((time.perf_counter() - started) * 1000 / batch)
        for name, taken in times.items():
            median = statistics.median(taken[WARM_UP:])
            rows.append(
                {
                    "engine": name,
                    "batch": batch,
                    "milliseconds": median,
                    "milliseconds_95": float(np.percentile(taken[WARM_UP:], 95)),
                    "images_per_second": 1000 / median,
                }
            )
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    argparse.ArgumentParser(
        prog="python -m export.gpu_benchmark", description=__doc__.split(":")[0] + "."
    ).parse_args(argv)
    provider = choose_provider("cuda")
    card = _card()
    images = np.stack([load_pixels(path, INPUT_SIZE) for path in sorted(EXAMPLES.iterdir())])
    runs = engines(provider)
    float32, float16 = (runs[name](images)[0] for name in ("onnx_float32", "onnx_float16"))
    figures = {
        "card": card,
        "provider": provider,
        "onnxruntime": ort.__version__,
        "keras_backend": keras.backend.backend(),
        "rounds": ROUNDS,
        "float16_largest_difference": float(np.abs(float32 - float16).max()),
        "rows": measure(runs, images),
    }
    for row in figures["rows"]:
        print(f"{row['engine']:18} {row['batch']:4} {row['images_per_second']:9.1f} images/s")
    write_metrics(MODELS, "benchmark.gpu", figures, of_model(MODELS / ONNX_NAME))
    print(f"wrote benchmark.gpu of {MODELS / METRICS_NAME}")
    return 0


def _card() -> str:
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()[0]


if __name__ == "__main__":
    sys.exit(run(main))
