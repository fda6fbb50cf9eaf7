"""Each step of the graph, alone."""

from __future__ import annotations

import keras
import numpy as np
import onnx
import onnxruntime as ort
import pytest
import tensorflow as tf
from onnx import TensorProto, helper
from PIL import Image

from export import graph
from serve.artifacts import INT8_NAME, MODELS, ONNX_NAME
from serve.detector import Detector, pool
from serve.formats.raster import load_pixels

CPU = ["CPUExecutionProvider"]


def passing(**shapes: list[str | int]) -> onnx.ModelProto:
    """A model whose outputs are its inputs, in_NAME."""
    inputs = [
        helper.make_tensor_value_info(f"in_{name}", TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    ]
    nodes = [helper.make_node("Identity", [f"in_{name}"], [name]) for name in shapes]
    return helper.make_model(
        helper.make_graph(nodes, "passing", inputs, outputs),
        opset_imports=[helper.make_opsetid("", graph.OPSET)],
        ir_version=graph.IR_VERSION,
    )


def run(model: onnx.ModelProto, **arrays: np.ndarray) -> dict[str, np.ndarray]:
    session = ort.InferenceSession(model.SerializeToString(), providers=CPU)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, arrays), strict=True))


def test_converted_network_gives_what_keras_gives(checkpoint, converted, scans):
    rgb = np.stack([load_pixels(scan, 224) for scan in scans[::4]]).astype(np.float32)
    names = ("logits", "hidden", "block5_conv3", "block3_pool")
    taps = keras.Model(checkpoint.input, [checkpoint.get_layer(name).output for name in names])
    logits, hidden, convolved, features = taps.predict_on_batch(rgb)
    found = run(converted, rgb=rgb)
    moments = features.mean(axis=(1, 2)), features.std(axis=(1, 2))
    for name, expected in {
        "logits": logits,
        "hidden": hidden,
        "convolved": convolved.transpose(0, 3, 1, 2),
        "pooled": np.log1p(np.concatenate(moments, axis=1)),
    }.items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-3, atol=1e-3, err_msg=name)


def test_calibration_divides_by_the_temperature():
    model = graph.append_calibration(passing(logits=["N", 4]), temperature=2.0)
    logits = np.array([[1, 2, 3, 4]], np.float32)
    (found,) = run(model, in_logits=logits).values()
    np.testing.assert_allclose(found, tf.nn.softmax(logits / 2), rtol=1e-6)


def test_maps_are_gradient_tapes():
    """On a head of random weights, any input: the closed form is Grad-CAM."""
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(7 * 7 * 512, 128)).astype(np.float32) / 100
    classes = rng.normal(size=(128, 4)).astype(np.float32)
    bias = rng.normal(size=128).astype(np.float32)
    convolved = tf.constant(np.maximum(rng.normal(size=(2, 14, 14, 512)), 0).astype(np.float32))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(convolved)
        pooled = tf.reshape(tf.nn.max_pool2d(convolved, 2, 2, "VALID"), (2, -1))
        hidden = tf.nn.relu(pooled @ kernel + bias)
        logits = tf.unstack(hidden @ classes, axis=1)
    model = graph.append_maps(
        passing(hidden=["N", 128], convolved=["N", 512, 14, 14]), kernel, classes
    )
    (found,) = run(
        model, in_hidden=hidden.numpy(), in_convolved=convolved.numpy().transpose(0, 3, 1, 2)
    ).values()
    for label, logit in enumerate(logits):
        weights = tf.reduce_mean(tape.gradient(logit, convolved), axis=(1, 2), keepdims=True)
        expected = tf.nn.relu(tf.reduce_sum(weights * convolved, axis=3)).numpy()
        expected /= expected.max(axis=(1, 2), keepdims=True)
        np.testing.assert_allclose(found[:, label], expected, atol=1e-4)


def test_a_map_without_evidence_is_all_zeros():
    model = graph.append_maps(
        passing(hidden=["N", 128], convolved=["N", 512, 14, 14]),
        np.ones((7 * 7 * 512, 128), np.float32),
        -np.ones((128, 4), np.float32),
    )
    (found,) = run(
        model,
        in_hidden=np.ones((1, 128), np.float32),
        in_convolved=np.ones((1, 512, 14, 14), np.float32),
    ).values()
    assert found.shape == (1, 4, 14, 14)
    assert (found == 0).all()


def test_score_is_the_detectors():
    rng = np.random.default_rng(0)
    features = rng.random((3, 14, 14, 8)).astype(np.float32)
    means = rng.random((4, 16)).astype(np.float32)
    whitening = np.tril(rng.random((16, 16))).astype(np.float32)
    moments = features.mean(axis=(1, 2)), features.std(axis=(1, 2))
    pooled = np.log1p(np.concatenate(moments, axis=1))
    model = graph.append_ood_score(passing(pooled=["N", 16]), means, whitening)
    (found,) = run(model, in_pooled=pooled).values()
    expected = Detector(means, whitening, threshold=1.0).score(pool(features))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_float16_storage_keeps_every_weight(converted):
    rounded = onnx.ModelProto()
    rounded.CopyFrom(converted)
    stored = graph.store_float16(rounded)
    assert stored.ByteSize() < 0.55 * converted.ByteSize()
    widened = {tensor.name: tensor for tensor in graph.widen_float16(stored).graph.initializer}
    for tensor in converted.graph.initializer:
        np.testing.assert_array_equal(
            onnx.numpy_helper.to_array(widened[tensor.name]), onnx.numpy_helper.to_array(tensor)
        )


def test_float16_storage_of_other_weights_is_refused():
    weights = np.full((64, 64), 0.1, np.float32)
    model = passing(x=["N", 64])
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "kernel"))
    with pytest.raises(ValueError, match="kernel are not rounded"):
        graph.store_float16(model)


def test_batches_and_sizes_of_any_kind(converted, scans):
    """Resizing in front of the network: any N, H and W."""
    model = graph.prepend_preprocessing(converted)
    for size in ((1, 1), (7, 900), (300, 200)):
        image = Image.open(scans[0]).convert("RGB").resize(size)
        found = run(model, image=np.stack([np.asarray(image)] * 2))
        assert found["logits"].shape == (2, 4)


def test_half_precision_computes_its_convolutions_in_float16():
    stored = onnx.load(MODELS / ONNX_NAME)
    half = onnx.shape_inference.infer_shapes(graph.half_precision(stored))
    kinds = {v.name: v.type.tensor_type.elem_type for v in half.graph.value_info}
    convolutions = [node for node in half.graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 13
    for node in convolutions:
        assert kinds[node.output[0]] == onnx.TensorProto.FLOAT16


def test_matrices_are_scaled_once_and_the_answers_stay(scans):
    int8 = onnx.load(MODELS / INT8_NAME)
    image = {"image": np.stack([load_pixels(scan, 224) for scan in scans[:2]])}
    answers = [
        ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(
            ["probabilities", "cam"], image
        )
        for model in (int8, graph.scale_once(int8))
    ]
    for before, after in zip(*answers, strict=True):
        np.testing.assert_allclose(after, before, atol=1e-5)
    matrices = {t.name for t in int8.graph.initializer if len(t.dims) == 2}
    left = [n for n in graph.scale_once(int8).graph.node if n.op_type == "DequantizeLinear"]
    assert not any(node.input[0] in matrices for node in left)
