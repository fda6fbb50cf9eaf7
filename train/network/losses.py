"""What a training is asked for: the class, and evidence that lies on the tumour.

Both are written with keras.ops, so they run on any backend.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import ops

from serve.names import LABELS, MAP_CELLS, NOTUMOR, TUMOURS
from train.data.dataset import UNKNOWN_TUMOUR
from train.network.class_maps import MAPS

NOTHING = 1e-2  # a map whose sum is far below this points nowhere
SOME = 1.0  # a map of this sum is half as bad as one of any size, where none belongs

Tensor = keras.KerasTensor
Loss = Callable[[Tensor, Tensor], Tensor]


def class_loss(smoothing: float) -> Loss:
    """Cross-entropy with smoothed labels; of an unknown tumour, -log P(any tumour).

    Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016.

    Returns:
        (labels (N,), logits (N, 4)) -> (N,)
    """

    def loss(labels: Tensor, logits: Tensor) -> Tensor:
        labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
        log_p = ops.log_softmax(logits, axis=1)
        target = ops.one_hot(ops.maximum(labels, 0), len(LABELS), dtype=log_p.dtype)
        target = (1 - smoothing) * target + smoothing / len(LABELS)
        known = -ops.sum(target * log_p, axis=1)
        any_tumour = -ops.logsumexp(ops.take(log_p, TUMOURS, axis=1), axis=1)
        return ops.where(labels == UNKNOWN_TUMOUR, any_tumour, known)

    return loss


def attention_loss(emptiness: float) -> Loss:
    """How far the maps are from where they are wanted (train/pictures/examples.py says where).

    Ross et al., "Right for the right reasons", IJCAI 2017; Li et al., "Tell me where to look:
    guided attention inference network", CVPR 2018.

    Returns:
        (wanted (N, 5, 14, 14), maps (N, 5, 14, 14)) -> (N,)
    """

    def loss(wanted: Tensor, maps: Tensor) -> Tensor:
        somewhere = ops.cast(ops.any(wanted > 0, axis=(2, 3)), maps.dtype)
        nowhere = ops.cast(ops.any(wanted < 0, axis=(2, 3)), maps.dtype)
        outside = ops.sum(somewhere * outside_tumour(wanted, maps), axis=1)
        evidence = ops.sum(nowhere * without_tumour(maps), axis=1)
        return outside + emptiness * evidence / ops.maximum(ops.sum(nowhere, axis=1), 1)

    return loss


def outside_tumour(wanted: Tensor, maps: Tensor) -> Tensor:
    """The share of a map's sum, (...), that is not where it is wanted, (..., 14, 14).

    An empty map costs 1, as one that lies wholly elsewhere: were it free, all would be empty.
    """
    inside = ops.sum(maps * ops.maximum(wanted, 0), axis=(-2, -1))
    return 1 - inside / (ops.sum(maps, axis=(-2, -1)) + NOTHING)


def without_tumour(maps: Tensor) -> Tensor:
    """What evidence costs where there is none to be had, (...): 0 for an empty map, below 1."""
    total = ops.sum(maps, axis=(-2, -1))
    return total / (total + SOME)


def accuracy(labels: Tensor, logits: Tensor) -> Tensor:
    """1 where the answer is right, (N,); for an unknown tumour any tumour is."""
    labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
    answer = ops.cast(ops.argmax(logits, axis=1), "int32")
    tumour = answer != NOTUMOR
    return ops.where(labels == UNKNOWN_TUMOUR, tumour, answer == labels)


class Pointed(keras.metrics.Mean):
    """The pointing game: the share of the outlined tumours on which their map's maximum lies."""

    def __init__(self) -> None:
        super().__init__(name="pointed")

    def update_state(self, wanted: Tensor, maps: Tensor, sample_weight: None = None) -> None:
        wanted, maps = (ops.reshape(t, (-1, MAPS, MAP_CELLS * MAP_CELLS)) for t in (wanted, maps))
        peak = ops.argmax(maps, axis=2)
        hit = ops.take_along_axis(wanted, peak[:, :, None], axis=2)[:, :, 0] > 0
        hit = ops.logical_and(hit, ops.any(maps > 0, axis=2))
        super().update_state(hit, sample_weight=ops.any(wanted > 0, axis=2))
