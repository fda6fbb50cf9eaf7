"""python -m train.evaluate writes the figures of its protocol."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest

from serve.artifacts import KERAS_NAME, MODELS
from serve.command import UserError
from serve.metrics import CHECKPOINT, of_checkpoint, read_metrics, require_current, write_metrics
from serve.trained_on import TrainedOn, write_trained_on
from tests.conftest import run
from train.data.dataset import find_scans
from train.evaluate import main
from train.recipes import DEFAULT_RECIPE, RECIPES

pytestmark = pytest.mark.slow


def test_the_default_recipe_writes_its_protocol(small_dataset, base_weights, tmp_path, monkeypatch):
    short = dataclasses.replace(RECIPES[DEFAULT_RECIPE], draws=16, batch_size=8, views=2, soup=1)
    monkeypatch.setitem(RECIPES, DEFAULT_RECIPE, short)
    words = ["--protocol", "kaggle", "--epochs", "1", "--data", small_dataset]
    words += ["--base-weights", base_weights, "--output", tmp_path / "models"]
    assert main([*map(str, words), "--cache", str(tmp_path / "cache")]) == 0
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
    assert figures["of"].keys() == {"recipe", "data"}
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


def test_the_published_model_is_tested_on_what_it_left_out(small_dataset, tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    shutil.copy(MODELS / KERAS_NAME, models)
    of = of_checkpoint(models / KERAS_NAME)
    write_metrics(models, "model", {"sha256": of[CHECKPOINT], "recipe": "robust"}, of)
    scans = find_scans(small_dataset, "Testing")
    sides = ["validation", "test"] * (len(scans) // 2)
    rows = [TrainedOn(scan.name, side, "") for scan, side in zip(scans, sides, strict=True)]
    write_trained_on(rows, models)
    done = run(
        *("-m", "train.evaluate", "--protocol", "published", "--data", small_dataset),
        *("--output", models, "--cache", tmp_path / "cache"),
    )
    assert done.returncode == 0, done.stderr
    metrics = read_metrics(models)
    assert metrics["protocols"]["published"]["images"] == len(scans) // 2
    assert metrics["protocols"]["published"]["of"].items() >= of.items()
    require_current(metrics, of[CHECKPOINT])
    lines = (models / "predictions" / "published.csv").read_text(encoding="utf-8").splitlines()
    tested = [row.file for row in rows if row.side == "test"]
    assert [line.split(",")[0] for line in lines[1:]] == tested


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--protocol", "unseen"), "--br35h DIR"),
        (("--protocol", "hospitals"), "--br35h DIR"),
        (("--protocol", "patient", "--recipe", "robust", "--collections", "."), "--recipe broad"),
        (("--protocol", "kaggle", "--recipe", "broad", "--br35h", "."), "`unseen`"),
        (("--protocol", "kaggle", "--fold", "0"), "--fold"),
    ],
)
def test_what_does_not_fit_together_is_refused(options, message, small_dataset):
    with pytest.raises(UserError, match=message):
        main([*options, "--data", str(small_dataset)])
