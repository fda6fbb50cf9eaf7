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
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

    from serve.classifier import BrainTumorClassifier

ROOT = Path(__file__).resolve().parents[2]
MATRIX = 2048  # rows and columns of the products that stand for the arithmetic limit
FLOAT32_NAME, INT8_NAME = "brain_tumor_vgg16.onnx", "brain_tumor_vgg16.int8.onnx"
SMALL_NAME = "brain_tumor_vgg16.small.onnx"
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
    classify = _classifier(FLOAT32_NAME, threads).predict_pixels
    return lambda pixels: classify(pixels, [""] * len(pixels))


def onnx_float32_maps(threads: int) -> Run:
    explain = _classifier(FLOAT32_NAME, threads).explain_pixels
    return lambda pixels: explain(pixels, [""] * len(pixels))


def onnx_int8(threads: int) -> Run:
    classify = _classifier(INT8_NAME, threads).predict_pixels
    return lambda pixels: classify(pixels, [""] * len(pixels))


def onnx_int8_maps(threads: int) -> Run:
    explain = _classifier(INT8_NAME, threads).explain_pixels
    return lambda pixels: explain(pixels, [""] * len(pixels))


def onnx_small(threads: int) -> Run:
    classify = _classifier(SMALL_NAME, threads).predict_pixels
    return lambda pixels: classify(pixels, [""] * len(pixels))


def onnx_small_maps(threads: int) -> Run:
    explain = _classifier(SMALL_NAME, threads).explain_pixels
    return lambda pixels: explain(pixels, [""] * len(pixels))


def detect_tumor(threads: int) -> Run:
    """The package's own call on one decoded picture; it takes as many threads as it likes."""
    from detect_tumor import TumorDetector
    from PIL import Image

    detector = TumorDetector()
    detector.predict(Image.new("RGB", (224, 224)))
    return lambda pixels: detector.predict(Image.fromarray(pixels[0]))


def openvino_float32(threads: int) -> Run:
    """OpenVINO's own runtime on our file; where the processor has bfloat16 it takes that."""
    return _openvino(FLOAT32_NAME, threads)


def openvino_int8(threads: int) -> Run:
    return _openvino(INT8_NAME, threads)


def openvino_small(threads: int) -> Run:
    return _openvino(SMALL_NAME, threads)


def torch_eager(threads: int) -> Run:
    return _torch(threads, compiled=False)


def torch_compiled(threads: int) -> Run:
    return _torch(threads, compiled=True)


def litert_int8(threads: int) -> Run:
    """The Keras model, quantized by TensorFlow Lite's converter on the pictures that are timed."""
    from ai_edge_litert.interpreter import Interpreter

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        content = alone.submit(_lite_model, sys.argv[3]).result()  # TensorFlow's memory ends there
    interpreter = Interpreter(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    (image,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(pixels: np.ndarray) -> list[np.ndarray]:
        answers = []
        for one in pixels:  # the converter keeps the batch that it has seen
            interpreter.set_tensor(image["index"], one[None].astype(np.float32))
            interpreter.invoke()
            answers.append(interpreter.get_tensor(answer["index"]))
        return answers

    return run


def product_numpy_float32(threads: int) -> Run:
    """A product of two MATRIX x MATRIX matrices, whatever the pictures, as all that follow.

    OpenBLAS reads the number of threads from the environment when NumPy is imported.
    """
    a = _square(np.float32)
    return lambda pixels: a @ a


def product_onnx_float32(threads: int) -> Run:
    return _onnx_product("MatMul", np.float32, threads)


def product_onnx_int8(threads: int) -> Run:
    return _onnx_product("MatMulInteger", np.int8, threads)


def product_torch_float32(threads: int) -> Run:
    import torch

    torch.set_num_threads(threads)
    a = torch.from_numpy(_square(np.float32))
    return lambda pixels: a @ a


def product_torch_int8(threads: int) -> Run:
    import torch

    torch.set_num_threads(threads)
    a = torch.from_numpy(_square(np.int8))
    return lambda pixels: torch._int_mm(a, a)


ENGINES: dict[str, Callable[[int], Run]] = {
    function.__name__: function
    for function in (
        *(keras_predict, keras_call, keras_maps),
        *(onnx_float32, onnx_float32_maps, onnx_int8, onnx_int8_maps),
        *(onnx_small, onnx_small_maps),
        *(openvino_float32, openvino_int8, openvino_small),
        *(torch_eager, torch_compiled, litert_int8),
        detect_tumor,
        *(product_numpy_float32, product_onnx_float32, product_torch_float32),
        *(product_onnx_int8, product_torch_int8),
    )
}
SMALL = [name for name in ENGINES if "small" in name]  # of the small file
PRODUCTS = [name for name in ENGINES if name.startswith("product_")]
NEEDED = {  # packages of the peers', which requirements-bench.txt has
    **dict.fromkeys(("openvino_float32", "openvino_int8", "openvino_small"), "openvino"),
    **dict.fromkeys(("torch_eager", "torch_compiled"), "torch"),
    **dict.fromkeys(("product_torch_float32", "product_torch_int8"), "torch"),
    "litert_int8": "ai_edge_litert",
}


def _classifier(name: str, threads: int) -> BrainTumorClassifier:
    from serve.classifier import BrainTumorClassifier

    return BrainTumorClassifier(ROOT / "models" / name, device="cpu", threads=threads)


def _lite_model(images: str) -> bytes:
    import tensorflow as tf

    model = _keras_model(threads=1)
    shape = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    function = tf.function(lambda x: model(x, training=False), input_signature=[shape])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    pictures = np.load(images).astype(np.float32)
    converter.representative_dataset = lambda: ([picture[None]] for picture in pictures)
    return converter.convert()


def _openvino(name: str, threads: int) -> Run:
    """Without the maps, which nobody asks for."""
    import openvino

    core = openvino.Core()
    model = core.read_model(ROOT / "models" / name)
    (maps,) = (one for one in model.get_results() if "cam" in one.get_output_tensor(0).names)
    model.remove_result(maps)
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    return lambda pixels: request.infer([pixels])


def _torch(threads: int, compiled: bool) -> Run:
    import torch

    from export.speed.networks import read_network, torch_network

    torch.set_num_threads(threads)
    network = read_network(ROOT / "models" / FLOAT32_NAME)
    return torch_network(network, "cpu", compiled=compiled)


def _square(kind: type[np.generic]) -> np.ndarray:
    return np.random.default_rng(0).integers(-127, 128, (MATRIX, MATRIX)).astype(kind)


def _onnx_product(operator: str, kind: type[np.generic], threads: int) -> Run:
    """With the second matrix constant, as weights are."""
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    of = TensorProto.FLOAT if kind is np.float32 else TensorProto.UINT8
    made = TensorProto.FLOAT if kind is np.float32 else TensorProto.INT32
    axes = [MATRIX, MATRIX]
    graph = helper.make_graph(
        [helper.make_node(operator, ["a", "b"], ["c"])],
        operator,
        [helper.make_tensor_value_info("a", of, axes)],
        [helper.make_tensor_value_info("c", made, axes)],
        [numpy_helper.from_array(_square(kind), "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    a = np.abs(_square(np.int16)).astype(np.float32 if kind is np.float32 else np.uint8)
    return lambda pixels: session.run(None, {"a": a})


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
