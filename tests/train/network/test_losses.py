"""The losses by hand, and that they can be descended."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from serve.names import MAP_CELLS, TUMOURS
from train.data.dataset import UNKNOWN_TUMOUR
from train.network.class_maps import MAPS
from train.network.losses import (
    Pointed,
    accuracy,
    attention_loss,
    class_loss,
    outside_tumour,
    without_tumour,
)

GLIOMA, NOTUMOR = 0, 2
P = np.array([[0.5, 0.2, 0.2, 0.1]], np.float32)


def value(loss, *arguments) -> np.ndarray:
    return keras.ops.convert_to_numpy(loss(*map(keras.ops.convert_to_tensor, arguments)))


def empty(images: int = 1) -> np.ndarray:
    return np.zeros((images, MAPS, MAP_CELLS, MAP_CELLS), np.float32)


@pytest.mark.parametrize(
    ("label", "smoothing", "expected"),
    [
        (GLIOMA, 0.0, -np.log(0.5)),
        (NOTUMOR, 0.0, -np.log(0.2)),
        (GLIOMA, 0.2, -0.8 * np.log(0.5) - 0.05 * np.log(P).sum()),
        (UNKNOWN_TUMOUR, 0.2, -np.log(0.8)),  # any of the three tumours
    ],
)
def test_class_loss_by_hand(label, smoothing, expected):
    # logits are log-probabilities but for a constant
    found = value(class_loss(smoothing), np.array([label]), np.log(P) + 3)
    assert found == pytest.approx([expected], rel=1e-5)


def test_an_unknown_tumour_is_right_with_any_tumour_class():
    logits = np.eye(4, dtype=np.float32)
    assert value(accuracy, np.full(4, UNKNOWN_TUMOUR), logits).tolist() == [1, 1, 0, 1]
    assert value(accuracy, np.array([0, 1, 2, 0]), logits).tolist() == [1, 1, 1, 0]


def test_outside_by_hand():
    wanted, maps = empty()[0, 0], empty()[0, 0]
    wanted[3, 4], wanted[3, 5] = 1, 0.5
    maps[3, 4], maps[3, 5], maps[9, 9] = 2, 2, 4
    assert value(outside_tumour, wanted, maps) == pytest.approx(1 - 3 / 8.01)
    assert value(outside_tumour, wanted, 0 * maps) == 1, "an empty map must not be free"


def test_evidence_without_a_tumour_by_hand():
    maps = empty()[0, 0]
    assert value(without_tumour, maps) == 0
    maps[0, 0] = 3
    assert value(without_tumour, maps) == pytest.approx(0.75)


def test_attention_loss_asks_of_each_image_what_is_wanted():
    wanted, maps = empty(4), empty(4)
    wanted[0, GLIOMA, 3, 4] = 1
    maps[0, GLIOMA, 3, 4] = maps[0, NOTUMOR, 9, 9] = 9.99  # the other map is free
    wanted[1, UNKNOWN_TUMOUR, 3, 4] = 1
    maps[1, UNKNOWN_TUMOUR, 9, 9] = 5
    wanted[2, TUMOURS] = -1
    maps[2, TUMOURS[0], 5, 5] = maps[2, NOTUMOR, 5, 5] = 1
    maps[3] = 7  # of no known place: nothing is asked
    found = value(attention_loss(emptiness=0.6), wanted, maps)
    assert found == pytest.approx([0.001, 1, 0.6 * 0.5 / 3, 0], abs=1e-5)


def test_gradients_are_finite_and_point_to_the_tumour():
    wanted = empty(3)
    wanted[0, GLIOMA, 3, 4] = 1
    wanted[1, TUMOURS] = -1
    maps = tf.Variable(np.concatenate([np.ones_like(wanted[:2]), empty()]))
    logits = tf.Variable(np.array([[90.0, -90, 0, 0]] * 3, np.float32))
    labels = np.array([1, 2, UNKNOWN_TUMOUR])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(attention_loss(1.0)(tf.constant(wanted), maps))
        loss += tf.reduce_sum(class_loss(0.1)(tf.constant(labels), logits))
    for gradient in tape.gradient(loss, [maps, logits]):
        assert np.isfinite(gradient).all()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(attention_loss(1.0)(tf.constant(wanted), maps))
    slope = tape.gradient(loss, maps).numpy()
    assert slope[0, GLIOMA, 3, 4] < 0 < slope[0, GLIOMA, 9, 9]
    assert (slope[1, TUMOURS] > 0).all()
    assert not slope[0, NOTUMOR].any()


def test_pointed_counts_outlined_tumours_only():
    wanted, maps = empty(4), empty(4)
    wanted[:2, GLIOMA, 3, 4], wanted[:2, GLIOMA, 3, 5] = 1, 0.1
    maps[0, GLIOMA, 3, 5] = maps[1, GLIOMA, 9, 9] = maps[3, GLIOMA, 9, 9] = 2
    wanted[2, TUMOURS] = -1
    metric = Pointed()
    metric.update_state(wanted, maps)
    assert float(metric.result()) == 0.5
    metric.update_state(wanted[:1], 0 * maps[:1])  # an empty map points nowhere
    assert float(metric.result()) == pytest.approx(1 / 3)
