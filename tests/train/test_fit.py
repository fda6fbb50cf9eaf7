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

from serve.artifacts import EXAMPLES, MODELS, OOD_NAME
from serve.command import UserError
from serve.trained_on import read_trained_on
from tests.conftest import ROOT, run
from train.data.dataset import find_scans
from train.fit import main

pytestmark = pytest.mark.slow

EPOCHS = 4


def fit_command(data, weights, folder, epochs=EPOCHS):
    return [
        *("-m", "train.fit", "--recipe", "robust", "--data", data, "--epochs", str(epochs)),
        *("--base-weights", weights),
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
    assert f"Keras against ONNX on {len(list(EXAMPLES.iterdir()))} images" in done.stdout
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


def test_what_was_trained_on_is_written_down(trained, small_dataset):
    rows = read_trained_on(trained / "models")
    names = [scan.name for scan in find_scans(small_dataset, "Training")]
    assert sorted(row.file for row in rows) == sorted(names)
    assert {row.side for row in rows} == {"training", "validation"}
    assert {row.fold for row in rows} == {""}  # none of them is in train/patient_folds.csv


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--recipe", "robust", "--train-on", "patient", "--br35h", "."), "--recipe broad"),
        (("--recipe", "deep", "--train-on", "patient", "--br35h", "."), "--recipe broad"),
        (("--recipe", "broad", "--collections", "."), "--train-on patient"),
    ],
)
def test_other_hospitals_are_of_the_broad_recipe_and_parted_by_patient(
    options, message, small_dataset
):
    with pytest.raises(UserError, match=message):
        main([*options, "--data", str(small_dataset)])
