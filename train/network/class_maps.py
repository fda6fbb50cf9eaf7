"""Grad-CAM in closed form: one forward pass, and differentiable.

The head is Flatten, Dense, ReLU, Dense, so the gradient of a logit at the pooled map is a masked
product of the two kernels, and max-pooling sends each value to one position: the channel weights
are its sums over the pooled grid, divided by the 14x14 positions. Selvaraju et al., "Grad-CAM:
visual explanations from deep networks", ICCV 2017.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from serve.names import LABELS, LAST_CONVOLUTION, TUMOURS
from train.data.dataset import UNKNOWN_TUMOUR
from train.network.vgg16 import run_trained

MAPS = len(LABELS) + 1  # a map a class, and the likeliest tumour's
assert range(MAPS)[UNKNOWN_TUMOUR] == len(LABELS)  # a label is the index of its map


class ClassMaps(keras.layers.Layer):
    """(block5_conv3, hidden, logits) -> float32 (N, 5, 14, 14), not negative.

    The first four are the maps of the classes; the last is that of the likeliest tumour class,
    for a tumour whose type is unknown.
    """

    def __init__(self, hidden: keras.layers.Dense, logits: keras.layers.Dense) -> None:
        super().__init__(name="maps", dtype="float32")
        self._hidden, self._logits = hidden, logits

    def call(self, inputs: list[keras.KerasTensor]) -> keras.KerasTensor:
        conv, hidden, logits = inputs
        kernel = ops.convert_to_tensor(self._hidden.kernel)
        classes = ops.convert_to_tensor(self._logits.kernel)
        channels = ops.sum(ops.reshape(kernel, (-1, conv.shape[3], kernel.shape[1])), axis=0)
        active = ops.cast(hidden > 0, "float32")
        # gradient of each logit at the hidden layer, then at each channel
        at_hidden = active[:, :, None] * classes
        weights = ops.einsum("nuc,ku->nck", at_hidden, channels) / (conv.shape[1] * conv.shape[2])
        maps = ops.relu(ops.einsum("nijk,nck->ncij", conv, weights))
        tumour = ops.argmax(ops.take(logits, TUMOURS, axis=1), axis=1)
        chosen = ops.one_hot(ops.take(ops.convert_to_tensor(TUMOURS), tumour), len(LABELS))
        likeliest = ops.einsum("nc,ncij->nij", chosen, maps)
        return ops.concatenate([maps, likeliest[:, None]], axis=1)


def explained_suffix(model: keras.Model) -> keras.Model:
    """What `trainable_suffix` takes -> {"logits": (N, 4), "maps": (N, 5, 14, 14)}.

    Made of `model`'s own layers: what is trained here is trained there.
    """
    features, outputs = run_trained(model)
    maps = ClassMaps(model.get_layer("hidden"), model.get_layer("logits"))
    tensors = [outputs[name] for name in (LAST_CONVOLUTION, "hidden", "logits")]
    found = {"logits": outputs["logits"], "maps": maps(tensors)}
    return keras.Model(features, found, name="explained")


def maps_of_classes(maps: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Each scan's own map, (N, 14, 14), of (N, 5, 14, 14) and labels (N,), unknown ones too."""
    return maps[np.arange(len(maps)), labels]
