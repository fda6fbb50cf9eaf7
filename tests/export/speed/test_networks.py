"""The peers' networks give the answers of the ONNX file."""

from __future__ import annotations

import numpy as np
import pytest

from export.speed import networks
from serve.artifacts import MODELS, ONNX_NAME
from serve.classifier import BrainTumorClassifier
from serve.formats.raster import load_pixels
from serve.names import INPUT_SIZE


@pytest.fixture(scope="module")
def network():
    return networks.read_network(MODELS / ONNX_NAME)


@pytest.fixture(scope="module")
def pixels(scans):
    return np.stack([load_pixels(scan, INPUT_SIZE) for scan in scans[:3]])


@pytest.fixture(scope="module")
def reference(pixels):
    classifier = BrainTumorClassifier("fp32", "cpu")
    return classifier._session.run(["probabilities"], pixels)["probabilities"]


def test_the_network_is_vgg16(network):
    assert [len(block) for block in network.blocks] == [2, 2, 3, 3, 3]
    assert [kernel.shape for kernel, _ in network.head] == [(7 * 7 * 512, 128), (128, 4)]


@pytest.mark.parametrize(("precision", "most"), [("float32", 1e-5), ("float16", 1e-2)])
def test_pytorch_answers_as_the_file(network, pixels, reference, precision, most):
    pytest.importorskip("torch", reason="needs PyTorch")
    found = networks.torch_network(network, "cpu", precision)(pixels)
    np.testing.assert_allclose(found, reference, atol=most)


@pytest.mark.parametrize(("precision", "most"), [("float32", 1e-5), ("float16", 1e-2)])
def test_jax_answers_as_the_file(network, pixels, reference, precision, most):
    pytest.importorskip("jax", reason="needs JAX")
    found = networks.jax_network(network, precision)(pixels)
    np.testing.assert_allclose(found, reference, atol=most)
