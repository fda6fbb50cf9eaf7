"""The GPU's benchmark: what can be tried of it where there is no GPU."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from export import gpu_benchmark
from serve.artifacts import MODELS, ONNX_NAME
from serve.formats.raster import load_pixels
from serve.names import INPUT_SIZE
from serve.providers import CPU, DeviceError, choose_provider


def has_gpu() -> bool:
    try:
        choose_provider("cuda")
    except DeviceError:
        return False
    return True


@pytest.fixture(scope="module")
def stored() -> onnx.ModelProto:
    return onnx.load(MODELS / ONNX_NAME)


def test_half_precision_computes_its_convolutions_in_float16(stored):
    half = onnx.shape_inference.infer_shapes(gpu_benchmark.half_precision(stored))
    kinds = {v.name: v.type.tensor_type.elem_type for v in half.graph.value_info}
    convolutions = [node for node in half.graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 13
    for node in convolutions:
        assert kinds[node.output[0]] == onnx.TensorProto.FLOAT16


def test_half_precision_gives_the_same_answers(stored, scans):
    pixels = np.stack([load_pixels(scan, INPUT_SIZE) for scan in scans[:4]])
    answers = [
        ort.InferenceSession(model.SerializeToString(), providers=[CPU]).run(
            ["probabilities"], {"image": pixels}
        )[0]
        for model in (stored, gpu_benchmark.half_precision(stored))
    ]
    assert not np.array_equal(*answers)
    np.testing.assert_allclose(*answers, atol=1e-2)


@pytest.mark.skipif(has_gpu(), reason="there is a GPU here")
def test_without_a_gpu_it_says_so(run_here):
    done = run_here("export.gpu_benchmark")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: no GPU to run on")
    assert "Traceback" not in done.stderr
