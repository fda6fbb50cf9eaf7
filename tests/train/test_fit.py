"""From images to a checkpoint, an ONNX model and an answer, interrupted or not."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from serve.artifacts import KERAS_NAME, MODELS, OOD_NAME, write_metrics
from serve.command import UserError
from tests.conftest import ROOT, run
from train.data.dataset import find_scans
from train.fit import load_fit, predict_logits
from train.folds import Sides
from train.recipes import RECIPES

EPOCHS = 4


def fit_command(data, weights, folder, epochs=EPOCHS):
    return [
        *("-m", "train.fit", "--data", data, "--base-weights", weights, "--epochs", str(epochs)),
        *("--output", folder / "models", "--cache", folder / "cache"),
    ]


def weights_of(folder):
    return keras.models.load_model(folder / "models" / "brain_tumor_vgg16.keras").get_weights()


@pytest.fixture(scope="module")
def trained(small_dataset, base_weights, tmp_path_factory):
    """An uninterrupted training of a few epochs."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    done = run(*fit_command(small_dataset, base_weights, folder))
    assert done.returncode == 0, done.stderr
    return folder


def test_from_images_to_onnx_to_an_answer(trained, scans):
    models = trained / "models"
    onnx_path = models / "brain_tumor_vgg16.onnx"
    shutil.copy(MODELS / OOD_NAME, models)  # of the frozen layers, so it fits this model as well
    done = run(
        *("-m", "export.to_onnx"),
        *("--checkpoint", models / "brain_tumor_vgg16.keras", "--output", onnx_path),
    )
    assert done.returncode == 0, done.stderr
    assert "Keras against ONNX on 8 images" in done.stdout
    done = run("serve/infer.py", "--json", "--model", onnx_path, *scans)
    assert done.returncode == 0, done.stderr
    assert len([json.loads(line)["label"] for line in done.stdout.splitlines()]) == len(scans)


def test_what_a_training_leaves(trained):
    report = trained / "models" / "report"
    log = list(csv.DictReader((report / "training_history.csv").open(newline="", encoding="utf-8")))
    assert [row["epoch"] for row in log] == [str(epoch + 1) for epoch in range(EPOCHS)]
    assert (report / "training_history.png").stat().st_size > 10_000
    metrics = json.loads((trained / "models" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["model"]["epochs"] == EPOCHS
    assert len(metrics["model"]["sha256"]) == 64


def test_weights_are_rounded_and_only_the_end_is_trained(trained, base_weights):
    model = keras.models.load_model(trained / "models" / "brain_tumor_vgg16.keras")
    vgg16 = keras.applications.VGG16(include_top=False, weights=None, input_shape=(224, 224, 3))
    vgg16.load_weights(base_weights)
    for array in model.get_weights():
        assert np.array_equal(array, array.astype(np.float16).astype(np.float32))
    for layer in vgg16.layers[1:]:
        if layer.weights:
            same = np.array_equal(
                layer.get_weights()[0], model.get_layer(layer.name).get_weights()[0]
            )
            assert same == (not layer.name.startswith("block5")), layer.name


def test_killed_in_an_epoch_it_ends_with_the_same_weights(
    trained, small_dataset, base_weights, tmp_path
):
    command = fit_command(small_dataset, base_weights, tmp_path)
    for epochs_before in (1, 3):
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 300
        while process.poll() is None and epochs_in(tmp_path) < epochs_before:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "models").exists(), "it was killed too late"
    done = run(*command)
    assert done.returncode == 0, done.stderr
    assert "resuming after epoch" in done.stdout
    for ours, theirs in zip(weights_of(tmp_path), weights_of(trained), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def epochs_in(folder) -> int:
    logs = list(folder.glob("cache/run-*/history.csv"))
    return len(logs[0].read_text(encoding="utf-8").splitlines()) - 1 if logs else 0


def test_evaluate_writes_its_protocol(small_dataset, base_weights, tmp_path):
    done = run(
        *("-m", "train.evaluate", "--protocol", "kaggle", "--epochs", "1"),
        *("--data", small_dataset, "--base-weights", base_weights),
        *("--output", tmp_path / "models", "--cache", tmp_path / "cache"),
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "models" / "metrics.json").read_text(encoding="utf-8"))[
        "protocols"
    ]["kaggle"]
    assert figures["images"] == 16
    assert figures["accuracy_ci"][0] <= figures["accuracy"] <= figures["accuracy_ci"][1]
    # Testing holds the mirror images of Training's
    assert figures["images_without_duplicates"] == 0
    predictions = tmp_path / "models" / "predictions" / "kaggle.csv"
    assert len(predictions.read_text(encoding="utf-8").splitlines()) == 17
    assert set(figures["per_class"]) == {"glioma", "meningioma", "notumor", "pituitary"}
    assert set(figures["confidence"]) == {
        "mean_right",
        "mean_wrong",
        "share_above_90",
        "accuracy_above_90",
    }


def test_another_recipes_figures_stand_apart(small_dataset, base_weights, tmp_path):
    done = run(
        *("-m", "train.evaluate", "--protocol", "kaggle", "--recipe", "seed", "--epochs", "1"),
        *("--data", small_dataset, "--base-weights", base_weights),
        *("--output", tmp_path / "models", "--cache", tmp_path / "cache"),
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "models" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics.keys() == {"recipes"}
    assert metrics["recipes"]["seed"]["protocols"]["kaggle"]["images"] == 16
    assert not (tmp_path / "models" / "predictions").exists()


def test_bad_input_is_one_line(small_dataset, base_weights, tmp_path):
    (tmp_path / "bad.h5").write_bytes(b"no weights")
    for data, weights, message in (
        (tmp_path / "none", base_weights, "no such folder"),
        (small_dataset, tmp_path / "none.h5", "--base-weights"),
        (small_dataset, tmp_path / "bad.h5", "not VGG16's no-top weights"),
    ):
        done = run(*fit_command(data, weights, tmp_path))
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        (error,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
        assert message in error


def published(folder, trained_on):
    """A folder with the committed checkpoint, said to be trained on that."""
    shutil.copy(MODELS / KERAS_NAME, folder)
    write_metrics(folder, "model", {"trained_on": trained_on})


def test_a_published_model_is_tested_as_it_is(small_dataset, tmp_path):
    published(tmp_path, "patient, 9 images")
    tested = find_scans(small_dataset, "Testing")[:4]
    done = load_fit(tmp_path, Sides([], [], tested, []), tmp_path / "cache")
    model = keras.models.load_model(MODELS / KERAS_NAME, compile=False)
    logits = keras.Model(model.inputs, model.get_layer("logits").output)
    expected = logits.predict_on_batch(np.stack([s.pixels() for s in tested]).astype(np.float32))
    found = predict_logits(done, tested)
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())


def test_a_model_that_left_no_patients_out_has_no_honest_figure(tmp_path):
    published(tmp_path, "Training, 9 images")
    with pytest.raises(UserError, match="left no patients out"):
        load_fit(tmp_path, Sides([], [], [], []), tmp_path / "cache")


def test_the_seed_recipe_is_as_documented():
    recipe = RECIPES["seed"]
    assert (recipe.learning_rate, recipe.batch_size, recipe.epochs) == (1e-4, 32, 15)
    assert (recipe.patience, recipe.validation) == (5, 0.2)
    assert (recipe.dropout_flat, recipe.hidden_units, recipe.dropout_hidden) == (0.3, 128, 0.2)
