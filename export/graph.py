"""The ONNX graph, a step at a time: each takes a model and gives a new one."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from onnx import TensorProto, helper, numpy_helper

from serve.artifacts import INPUT_SIZE, LABELS

OPSET = 18
IR_VERSION = 8  # the first that has opset 18: old runtimes load it too
SMALLEST_HALVED = 1024  # elements; shorter arrays are not worth a Cast


def convert_logits(model: keras.Model) -> onnx.ModelProto:
    """Keras checkpoint -> ONNX from `rgb`, float32 (N, 224, 224, 3) from 0 to 255, to
    `logits`, float32 (N, 4).

    tf2onnx cannot take a Keras model that was loaded from a file, so a function is traced.
    """
    logits = keras.Model(model.input, model.get_layer("logits").output)

    @tf.function
    def network(rgb: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"logits": logits(rgb, training=False)}

    signature = [tf.TensorSpec((None, INPUT_SIZE, INPUT_SIZE, 3), tf.float32, name="rgb")]
    converted, _ = tf2onnx.convert.from_function(network, signature, opset=OPSET)
    del converted.opset_import[:]
    converted.opset_import.append(helper.make_opsetid("", OPSET))
    return converted


def prepend_preprocessing(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace the input `rgb` by `image`, uint8 (N, H, W, 3), resized inside the graph.

    Antialiased linear interpolation, the filter of Pillow's BILINEAR.
    """
    result = _copy(model)
    graph = result.graph
    planes = np.array([3, INPUT_SIZE, INPUT_SIZE], np.int64)
    graph.initializer.append(numpy_helper.from_array(planes, "resized_planes_shape"))
    nodes = [
        helper.make_node("Transpose", ["image"], ["image_planes"], perm=[0, 3, 1, 2]),
        # All four sizes and no `axes`: ONNX Runtime's transpose optimizer breaks the latter,
        # and its CUDA provider resizes planes only.
        helper.make_node("Shape", ["image"], ["batch"], start=0, end=1),
        helper.make_node("Concat", ["batch", "resized_planes_shape"], ["sizes"], axis=0),
        helper.make_node(
            "Resize",
            ["image_planes", "", "", "sizes"],
            ["resized_planes"],
            mode="linear",
            antialias=1,
            exclude_outside=1,
            coordinate_transformation_mode="half_pixel",
        ),
        helper.make_node("Transpose", ["resized_planes"], ["resized"], perm=[0, 2, 3, 1]),
        helper.make_node("Cast", ["resized"], ["rgb"], to=TensorProto.FLOAT),
    ]
    _prepend(graph, nodes)
    del graph.input[:]
    graph.input.append(
        helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])
    )
    return result


def append_calibration(model: onnx.ModelProto, temperature: float) -> onnx.ModelProto:
    """Replace the output `logits` by `probabilities` = softmax(logits / temperature).

    Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    result = _copy(model)
    graph = result.graph
    graph.initializer.append(
        numpy_helper.from_array(np.array(temperature, np.float32), "temperature")
    )
    graph.node.extend(
        [
            helper.make_node("Div", ["logits", "temperature"], ["calibrated_logits"]),
            helper.make_node("Softmax", ["calibrated_logits"], ["probabilities"], axis=-1),
        ]
    )
    del graph.output[:]
    graph.output.append(
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(LABELS)])
    )
    return result


def store_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store the weights in float16 and cast them back: half the file, float32 arithmetic.

    Raises:
        ValueError: a weight is not representable in float16, so the file would lie.
    """
    result = _copy(model)
    casts = []
    for tensor in result.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SMALLEST_HALVED:
            continue
        half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            raise ValueError(f"the weights {tensor.name} are not rounded to float16")
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}_float16"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    _prepend(result.graph, casts)
    return result


def stamp(model: onnx.ModelProto, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """Set the metadata properties, and the producer's fields."""
    result = _copy(model)
    helper.set_model_props(result, dict(metadata))
    result.producer_name = "brain_tumor_vgg16"
    result.producer_version = metadata["model_version"]
    result.doc_string = metadata["intended_use"]
    result.graph.name = "brain_tumor_vgg16"
    result.graph.doc_string = ""
    result.ir_version = IR_VERSION
    return result


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def _prepend(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])
