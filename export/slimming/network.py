"""VGG16 of fewer channels: built, counted, and looked into."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from serve.names import LAST_CONVOLUTION
from serve.processors import has_bfloat16

# Channels of every convolution. The early layers, where the maps are large, cost most of the time
# for each channel; the late ones most of the bytes.
WIDTHS = {
    "block1_conv1": 16,
    "block1_conv2": 24,
    "block2_conv1": 48,
    "block2_conv2": 64,
    "block3_conv1": 128,
    "block3_conv2": 128,
    "block3_conv3": 128,
    "block4_conv1": 192,
    "block4_conv2": 192,
    "block4_conv3": 192,
    "block5_conv1": 256,
    "block5_conv2": 256,
    "block5_conv3": 256,
}
# Where the slim network is compared with the published one, and the convolution whose channels
# are there.
COMPARED = {
    "block3_pool": "block3_conv3",
    "block4_pool": "block4_conv3",
    LAST_CONVOLUTION: LAST_CONVOLUTION,
}


def resized(model: keras.Model, widths: Mapping[str, int], fast: bool = False) -> keras.Model:
    """The same network with other numbers of channels, fresh weights and no dropout.

    Args:
        widths: by the convolution's name; the others stay as they are.
        fast: let the convolutions compute in 16 bits where the processor is made for it.
    """
    config = model.get_config()
    for layer in config["layers"]:
        layer.pop("build_config", None)  # the shapes of the network as it was
        if layer["class_name"] == "Conv2D":
            layer["config"]["filters"] = widths.get(layer["name"], layer["config"]["filters"])
        elif layer["class_name"] == "Dropout":
            layer["config"]["rate"] = 0.0
        if fast and has_bfloat16() and layer["name"].startswith("block"):
            layer["config"]["dtype"] = "mixed_bfloat16"
        layer["config"].pop("trainable", None)
    return keras.Model.from_config(config)


def convolutions(model: keras.Model) -> list[keras.layers.Conv2D]:
    """In order."""
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]


def arithmetic(model: keras.Model) -> int:
    """Multiplications, each with its addition, that one picture takes."""
    kernels = [layer for layer in model.layers if layer.weights]
    places = (int(np.prod(layer.output.shape[1:-1])) for layer in kernels)
    return sum(
        n * int(np.prod(layer.kernel.shape)) for n, layer in zip(places, kernels, strict=True)
    )


def observed(model: keras.Model, channels: Mapping[str, np.ndarray] | None = None) -> keras.Model:
    """RGB 0 to 255, float32 (N, 224, 224, 3) -> what a network knows of it, float32, by name:
    the layers of `COMPARED`, `hidden` (N, 128), `logits` (N, 4) and `maps` (N, 4, 14, 14).

    Args:
        channels: of `COMPARED`, those to keep, by the convolution's name; by default all.
    """
    hidden, logits = model.get_layer("hidden"), model.get_layer("logits")
    found = {name: model.get_layer(name).output for name in COMPARED}
    maps = SignedMaps(hidden, logits)([found[LAST_CONVOLUTION], hidden.output])
    if channels is not None:
        found = {
            name: ops.take(tensor, channels[COMPARED[name]], axis=-1)
            for name, tensor in found.items()
        }
    found |= {"hidden": hidden.output, "logits": logits.output, "maps": maps}
    return keras.Model(model.input, {k: ops.cast(v, "float32") for k, v in found.items()})


class SignedMaps(keras.layers.Layer):
    """(block5_conv3, hidden) -> Grad-CAM of all classes before its ReLU, float32 (N, 4, 14, 14).

    In closed form, as `export.graph.append_maps` has it, which says why.
    """

    def __init__(self, hidden: keras.layers.Dense, logits: keras.layers.Dense) -> None:
        super().__init__(name="signed_maps", dtype="float32")
        self._hidden, self._logits = hidden, logits

    def call(self, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        convolved, hidden = inputs
        kernel = ops.convert_to_tensor(self._hidden.kernel)
        by_channel = ops.sum(ops.reshape(kernel, (-1, convolved.shape[3], kernel.shape[1])), axis=0)
        active = ops.cast(hidden > 0, "float32")
        gradient = active[:, :, None] * ops.convert_to_tensor(self._logits.kernel)
        weights = ops.einsum("nuc,ku->nck", gradient, by_channel)
        places = convolved.shape[1] * convolved.shape[2]
        return ops.einsum("nijk,nck->ncij", convolved, weights) / places
