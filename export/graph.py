"""The ONNX graph, a step at a time: each takes a model and gives a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from serve.names import FROZEN_POOL, INPUT_SIZE, LABELS, LAST_CONVOLUTION, MAP_CELLS

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

OPSET = 18
IR_VERSION = 8  # the first that has opset 18: old runtimes load it too
SMALLEST_HALVED = 1024  # elements; shorter arrays are not worth a Cast
SUMS = "cam/channels"
HALVED = ("Conv", "Relu", "MaxPool")


def convert_network(model: keras.Model) -> onnx.ModelProto:
    """Keras checkpoint -> ONNX from `rgb`, float32 (N, 224, 224, 3) from 0 to 255, to

    - `logits`, float32 (N, 4)
    - `hidden`, float32 (N, 128), and `convolved`, float32 (N, channels, 14, 14): the hidden layer
      and block5_conv3, from which Grad-CAM is made
    - `pooled`, float32 (N, 2 * channels): log(1 + mean) and log(1 + standard deviation) of each
      channel of block3_pool, from which the out-of-distribution score is made

    tf2onnx cannot take a Keras model that was loaded from a file, so a function is traced.
    """
    import keras
    import tensorflow as tf
    import tf2onnx

    names = (FROZEN_POOL, LAST_CONVOLUTION, "hidden", "logits")
    taps = keras.Model(model.input, {name: model.get_layer(name).output for name in names})

    @tf.function
    def network(rgb: tf.Tensor) -> dict[str, tf.Tensor]:
        found = taps(rgb, training=False)
        features = found[FROZEN_POOL]
        moments = (tf.reduce_mean(features, (1, 2)), tf.math.reduce_std(features, (1, 2)))
        return {
            "logits": found["logits"],
            "hidden": found["hidden"],
            "convolved": tf.transpose(found[LAST_CONVOLUTION], (0, 3, 1, 2)),
            "pooled": tf.math.log(1.0 + tf.concat(moments, axis=1)),
        }

    signature = [tf.TensorSpec((None, INPUT_SIZE, INPUT_SIZE, 3), tf.float32, name="rgb")]
    converted, _ = tf2onnx.convert.from_function(network, signature, opset=OPSET)
    rgb = [tensor for tensor in converted.graph.input if tensor.name == "rgb"]
    del converted.graph.input[:]  # folded constants stay listed as inputs
    converted.graph.input.extend(rgb)
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
    return _append(
        model,
        used=("logits",),
        initializers={"temperature": np.float32(temperature)},
        nodes=[
            ("Div", ["logits", "temperature"], "calibrated_logits", {}),
            ("Softmax", ["calibrated_logits"], "probabilities", {"axis": -1}),
        ],
        output=("probabilities", ["N", len(LABELS)]),
    )


def append_maps(
    model: onnx.ModelProto, hidden_kernel: np.ndarray, logits_kernel: np.ndarray
) -> onnx.ModelProto:
    """Replace `convolved` and `hidden` by the output `cam`: Grad-CAM of all classes at once.

    The head is Flatten, Dense, ReLU, Dense, so the gradient of a logit at the pooled map is a
    masked product of the two kernels, and max-pooling sends each gradient to one position: the
    channel weights are its sums over the pooled grid, divided by the 14x14 positions. Selvaraju
    et al., "Grad-CAM: visual explanations from deep networks", ICCV 2017.

    Args:
        hidden_kernel: float32 (7 * 7 * channels, 128).
        logits_kernel: float32 (128, 4).
    """
    units = hidden_kernel.shape[1]
    by_channel = hidden_kernel.reshape((MAP_CELLS // 2) ** 2, -1, units).sum(axis=0).T
    return _append(
        model,
        used=("convolved", "hidden"),
        initializers={
            "cam/zero": np.float32(0),
            "cam/unit_axis": np.array([1], np.int64),
            "cam/classes": logits_kernel.T,
            SUMS: (by_channel / MAP_CELLS**2).astype(np.float32),
            "cam/flat_shape": np.array([0, 0, -1], np.int64),
            "cam/map_shape": np.array([0, 0, MAP_CELLS, MAP_CELLS], np.int64),
            "cam/last_axis": np.array([2], np.int64),
            "cam/tiny": np.float32(np.finfo(np.float32).tiny),
        },
        nodes=[
            ("Greater", ["hidden", "cam/zero"], "cam/active", {}),
            ("Cast", ["cam/active"], "cam/mask", {"to": TensorProto.FLOAT}),
            ("Unsqueeze", ["cam/mask", "cam/unit_axis"], "cam/mask_of_class", {}),
            ("Mul", ["cam/mask_of_class", "cam/classes"], "cam/gradient", {}),
            ("MatMul", ["cam/gradient", SUMS], "cam/weights", {}),
            ("Reshape", ["convolved", "cam/flat_shape"], "cam/activations", {}),
            ("MatMul", ["cam/weights", "cam/activations"], "cam/signed", {}),
            ("Relu", ["cam/signed"], "cam/positive", {}),
            ("ReduceMax", ["cam/positive", "cam/last_axis"], "cam/largest", {}),
            ("Max", ["cam/largest", "cam/tiny"], "cam/scale", {}),
            ("Div", ["cam/positive", "cam/scale"], "cam/flat", {}),
            ("Reshape", ["cam/flat", "cam/map_shape"], "cam", {}),
        ],
        output=("cam", ["N", len(LABELS), MAP_CELLS, MAP_CELLS]),
    )


def append_ood_score(
    model: onnx.ModelProto, means: np.ndarray, whitening: np.ndarray
) -> onnx.ModelProto:
    """Replace `pooled` by the output `ood_score`: the squared Mahalanobis distance from the
    nearest class mean, per dimension.

    Lee et al., "A simple unified framework for detecting out-of-distribution samples and
    adversarial attacks", NeurIPS 2018.

    Args:
        means: float32 (classes, D).
        whitening: float32 (D, D), lower triangular; the upper right quarter, all zeros, is not
            stored.
    """
    size = len(whitening)
    return _append(
        model,
        used=("pooled",),
        initializers={
            "ood/means": means,
            "ood/left": np.ascontiguousarray(whitening[:, : size // 2]),
            "ood/right": np.ascontiguousarray(whitening[size // 2 :, size // 2 :]),
            "ood/middle": np.array([size // 2], np.int64),
            "ood/end": np.array([size], np.int64),
            "ood/class_axis": np.array([1], np.int64),
            "ood/last_axis": np.array([2], np.int64),
        },
        nodes=[
            ("Unsqueeze", ["pooled", "ood/class_axis"], "ood/row", {}),
            ("Sub", ["ood/row", "ood/means"], "ood/centred", {}),
            (
                "Slice",
                ["ood/centred", "ood/middle", "ood/end", "ood/last_axis"],
                "ood/second_half",
                {},
            ),
            ("MatMul", ["ood/centred", "ood/left"], "ood/whitened_left", {}),
            ("MatMul", ["ood/second_half", "ood/right"], "ood/whitened_right", {}),
            (
                "Concat",
                ["ood/whitened_left", "ood/whitened_right"],
                "ood/whitened",
                {"axis": 2},
            ),
            ("Mul", ["ood/whitened", "ood/whitened"], "ood/squared", {}),
            ("ReduceMean", ["ood/squared", "ood/last_axis"], "ood/distances", {"keepdims": 0}),
            ("ReduceMin", ["ood/distances", "ood/class_axis"], "ood_score", {"keepdims": 0}),
        ],
        output=("ood_score", ["N"]),
    )


def store_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store the weights in float16 and cast them back: half the file, float32 arithmetic.

    Grad-CAM's sums of weights, which float16 cannot hold, stay as they are.

    Raises:
        ValueError: a weight is not representable in float16, so the file would lie.
    """
    result = _copy(model)
    casts = []
    for tensor in result.graph.initializer:
        values = numpy_helper.to_array(tensor)
        small = values.dtype != np.float32 or values.size < SMALLEST_HALVED
        if small or tensor.name == SUMS:
            continue
        half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            raise ValueError(f"the weights {tensor.name} are not rounded to float16")
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}_float16"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    _prepend(result.graph, casts)
    return result


def widen_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Undo `store_float16`: the same weights, stored in float32."""
    result = _copy(model)
    stored = {tensor.name: tensor for tensor in result.graph.initializer}
    kept = []
    for node in result.graph.node:
        tensor = stored.get(node.input[0]) if node.op_type == "Cast" else None
        if tensor is None or tensor.data_type != TensorProto.FLOAT16:
            kept.append(node)
            continue
        values = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, node.output[0]))
    del result.graph.node[:]
    result.graph.node.extend(kept)
    return result


def scale_once(model: onnx.ModelProto) -> onnx.ModelProto:
    """Of int8 matrices the `DequantizeLinear`, as a Cast and a Mul: the same numbers.

    A runtime folds these two when it loads the file. ONNX Runtime keeps a DequantizeLinear for
    its int8 kernels, and where it has none, as for a matrix whose product stays float32, it
    computes all of it at every inference.
    """
    result = _copy(model)
    stored = {tensor.name: tensor for tensor in result.graph.initializer}
    nodes = []
    for node in result.graph.node:
        tensor = stored.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if tensor is None or tensor.data_type != TensorProto.INT8 or len(tensor.dims) != 2:
            nodes.append(node)
            continue
        values, scale, zero = node.input
        (axis,) = (found.i for found in node.attribute if found.name == "axis")
        if axis != 1 or numpy_helper.to_array(stored[zero]).any():
            raise ValueError(f"{values} is not quantized a column at a time, around 0")
        result.graph.initializer.remove(stored[zero])  # runtimes warn of what nothing uses
        cast = f"{values}/float32"
        nodes.append(helper.make_node("Cast", [values], [cast], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [cast, scale], [node.output[0]], name=node.name))
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result


def half_precision(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model with the arithmetic of its convolutions in float16, for GPUs."""
    result = widen_float16(model)
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


def _append(
    model: onnx.ModelProto,
    used: Sequence[str],
    initializers: Mapping[str, np.ndarray],
    nodes: Sequence[tuple[str, Sequence[str], str, Mapping[str, Any]]],
    output: tuple[str, Sequence[str | int]],
) -> onnx.ModelProto:
    """Add nodes (type, inputs, output, attributes; each named as its output) that make a float32
    output of other outputs, which `used` names and which are outputs no longer."""
    result = _copy(model)
    graph = result.graph
    for name, values in initializers.items():
        graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    for kind, inputs, made, attributes in nodes:
        graph.node.append(helper.make_node(kind, inputs, [made], name=made, **attributes))
    rest = [tensor for tensor in graph.output if tensor.name not in used]
    del graph.output[:]
    graph.output.extend(
        [*rest, helper.make_tensor_value_info(output[0], TensorProto.FLOAT, output[1])]
    )
    return result


def _prepend(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])
