"""The closed form is Grad-CAM, and the figures are what their names say."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from serve.artifacts import KERAS_NAME, MODELS
from serve.images import load_pixels
from tests.conftest import label_of
from train.attention import CELLS, GradCam, Outlined, head_of, look, moved_mask, painted, summarize
from train.dataset import UNKNOWN_TUMOUR, find_scans
from train.model import frozen_prefix, trainable_suffix

LABELS = ("glioma", "meningioma", "notumor", "pituitary")


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return keras.models.load_model(MODELS / KERAS_NAME, compile=False)


@pytest.fixture(scope="module")
def features(model, scans) -> np.ndarray:
    pixels = np.stack([load_pixels(scan, 224) for scan in scans]).astype(np.float32)
    return frozen_prefix(model).predict_on_batch(pixels)


@pytest.mark.parametrize("label", range(4))
def test_closed_form_equals_gradient_tape(model, scans, features, label):
    found, _ = GradCam(trainable_suffix(model))(features, np.full(len(scans), label))
    network = keras.Model(
        model.inputs, [model.get_layer("block5_conv3").output, model.get_layer("logits").output]
    )
    pixels = np.stack([load_pixels(scan, 224) for scan in scans]).astype(np.float32)
    with tf.GradientTape() as tape:
        conv, logits = network(pixels, training=False)
        target = logits[:, label]
    weights = tf.reduce_mean(tape.gradient(target, conv), axis=(1, 2))
    expected = tf.nn.relu(tf.einsum("nijk,nk->nij", conv, weights)).numpy()
    assert expected.max() > 0
    np.testing.assert_allclose(found, expected, atol=1e-3 * expected.max())


def test_an_unknown_tumour_gets_the_likeliest_tumours_map(model, scans, features):
    cam = GradCam(trainable_suffix(model))
    labels = np.array([LABELS.index(label_of(scan)) for scan in scans])
    tumours = labels != 2
    unknown, logits = cam(features, np.full(len(scans), UNKNOWN_TUMOUR))
    known, _ = cam(features, labels)
    assert (logits.argmax(axis=1) == labels).all()
    np.testing.assert_array_equal(unknown[tumours], known[tumours])


def test_pointing_energy_and_chance_by_hand(small_dataset):
    scans = find_scans(small_dataset, "Testing")[:2]
    maps = np.zeros((2, CELLS, CELLS))
    maps[:, 3, 4], maps[:, 10, 10] = 3, 1
    masks = np.zeros((2, 224, 224), bool)
    masks[0, 3 * 16 : 4 * 16, 4 * 16 : 5 * 16] = True  # the whole of the hottest cell
    masks[1, 10 * 16 : 11 * 16, 10 * 16 : 10 * 16 + 8] = True  # half of the other one
    logits = np.array([[5.0, 0, 0, 0], [0, 5.0, 0, 0]])
    looked = look(maps, logits, Outlined(scans, np.array([0, 0]), masks))
    assert looked.pointed.tolist() == [True, False]
    assert looked.energy.tolist() == pytest.approx([0.75, 0.125])
    assert looked.right.tolist() == [True, False]
    assert looked.chance[0] == pytest.approx(256 / head_of(scans[0].pixels()).sum())
    figures = summarize(looked)
    assert figures["pointing_game"] == {"glioma": 1.0, "all": 1.0}
    assert figures["pointing_game_wrong"] == {"glioma": 0.0, "all": 0.0}


def test_a_patch_elsewhere_has_the_same_area_and_lies_in_the_head(scans):
    pixels = load_pixels(scans[0], 224)
    mask = np.zeros((224, 224), bool)
    mask[100:120, 90:110] = True
    moved = moved_mask(mask, head_of(pixels), np.random.default_rng(0))
    assert moved.sum() == mask.sum()
    assert not (moved & mask).any()
    result = painted(pixels, moved, mask)
    assert np.array_equal(result[~moved], pixels[~moved])
    assert len(np.unique(result[moved].reshape(-1, 3), axis=0)) == 1
