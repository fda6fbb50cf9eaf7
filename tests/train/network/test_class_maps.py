"""The closed form is Grad-CAM."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from serve.artifacts import KERAS_NAME, MODELS
from serve.formats.raster import load_pixels
from serve.names import LABELS
from tests.conftest import label_of
from train.data.dataset import UNKNOWN_TUMOUR
from train.network.class_maps import explained_suffix, maps_of_classes
from train.network.vgg16 import frozen_prefix, sees_pictures, trainable_suffix


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return keras.models.load_model(MODELS / KERAS_NAME, compile=False)


@pytest.fixture(scope="module")
def pixels(scans) -> np.ndarray:
    return np.stack([load_pixels(scan, 224) for scan in scans]).astype(np.float32)


@pytest.fixture(scope="module")
def features(model, pixels) -> np.ndarray:
    return pixels if sees_pictures(model) else frozen_prefix(model).predict_on_batch(pixels)


@pytest.fixture(scope="module")
def explained(model, features) -> dict[str, np.ndarray]:
    # as the attention command does, from a suffix that shares the model's layers
    return explained_suffix(trainable_suffix(model)).predict_on_batch(features)


@pytest.mark.slow
def test_equal_to_gradient_tape(model, pixels, explained):
    network = keras.Model(
        model.inputs[0], [model.get_layer("block5_conv3").output, model.get_layer("logits").output]
    )
    with tf.GradientTape(persistent=True) as tape:
        conv, logits = network(pixels, training=False)
        targets = tf.unstack(logits, axis=1)
    np.testing.assert_allclose(explained["logits"], logits.numpy(), atol=1e-3)
    for label, target in enumerate(targets):
        weights = tf.reduce_mean(tape.gradient(target, conv), axis=(1, 2))
        expected = tf.nn.relu(tf.einsum("nijk,nk->nij", conv, weights)).numpy()
        assert expected.max() > 0
        np.testing.assert_allclose(
            explained["maps"][:, label], expected, atol=1e-4 * expected.max(), rtol=1e-4
        )


def test_an_unknown_tumour_gets_the_likeliest_tumours_map(scans, explained):
    labels = np.array([LABELS.index(label_of(scan)) for scan in scans])
    tumours = labels != LABELS.index("notumor")
    assert (explained["logits"].argmax(axis=1) == labels).all()
    unknown = maps_of_classes(explained["maps"], np.full(len(scans), UNKNOWN_TUMOUR))
    known = maps_of_classes(explained["maps"], labels)
    np.testing.assert_array_equal(unknown[tumours], known[tumours])


def test_it_can_be_trained_through(model, features):
    """Neither kernel nor convolution is cut off from the maps' gradient."""
    network = explained_suffix(model)
    names = ("block5_conv3", "hidden", "logits")
    kernels = [model.get_layer(name).kernel.value for name in names]
    with tf.GradientTape() as tape:
        tape.watch(kernels)
        maps = network(features[:2], training=False)["maps"]
        total = tf.reduce_sum(maps)
    for name, gradient in zip(names, tape.gradient(total, kernels), strict=True):
        assert gradient is not None, name
        assert np.isfinite(gradient).all(), name
        assert np.abs(gradient).max() > 0, name
