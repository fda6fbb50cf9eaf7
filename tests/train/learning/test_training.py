"""A published checkpoint answers as it is, and only for what it is."""

from __future__ import annotations

import shutil

import keras
import numpy as np
import pytest

from serve.artifacts import KERAS_NAME, MODELS, sha256
from serve.command import UserError
from serve.metrics import write_metrics
from train.data.dataset import find_scans
from train.data.folds import Sides
from train.data.trained_on import record_sides
from train.learning.training import load_fit, predict_logits


@pytest.fixture
def testing(small_dataset):
    return find_scans(small_dataset, "Testing")[:4]


@pytest.fixture
def models(testing, tmp_path):
    """The committed checkpoint, said to be validated on one scan and tested on the others."""
    shutil.copy(MODELS / KERAS_NAME, tmp_path)
    write_metrics(tmp_path, "model", {"sha256": sha256(tmp_path / KERAS_NAME)}, {})
    tested = testing[1:]
    record_sides(Sides([], testing[:1], tested, [s.label for s in tested]), {}, tmp_path)
    return tmp_path


def test_a_published_model_is_tested_as_it_is(models, testing, tmp_path):
    done, sides = load_fit(models, testing, tmp_path / "cache")
    assert done.validation == sides.validation == testing[:1]
    assert sides.tested == testing[1:]
    model = keras.models.load_model(MODELS / KERAS_NAME, compile=False)
    logits = keras.Model(model.inputs, model.get_layer("logits").output)
    expected = logits.predict_on_batch(np.stack([s.pixels() for s in testing]).astype(np.float32))
    found = predict_logits(done, testing)
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())


def test_a_checkpoint_that_was_not_measured_is_refused(models, testing, tmp_path):
    write_metrics(models, "model", {"sha256": "0" * 64}, {})
    with pytest.raises(UserError, match=KERAS_NAME):
        load_fit(models, testing, tmp_path / "cache")


def test_a_model_that_left_no_patients_out_has_no_honest_figure(models, testing, tmp_path):
    record_sides(Sides(testing[:3], testing[3:], [], []), {}, models)
    with pytest.raises(UserError, match="left no patients out"):
        load_fit(models, testing, tmp_path / "cache")


def test_without_a_checkpoint_there_is_none(tmp_path):
    with pytest.raises(UserError, match="no model"):
        load_fit(tmp_path, [], tmp_path / "cache")
