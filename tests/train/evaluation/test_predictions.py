"""Saved answers are read as they were given."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy.special import softmax

from serve.command import UserError
from serve.names import LABELS
from train.evaluation.predictions import PREDICTIONS, read_predictions, write_predictions
from train.evaluation.predictions import Tested as Answers

KAGGLE = PREDICTIONS / "kaggle.csv"


def test_answers_are_read_as_they_were_written(placed_scans, tmp_path):
    rng = np.random.default_rng(0)
    logits, temperature = rng.normal(size=(3, 4)) * 2, np.array([[0.5], [1.0], [2.0]])
    tested = Answers(placed_scans[:3], np.array([0, 1, 3]), logits, temperature)
    write_predictions(tested, tmp_path / "kaggle.csv")
    found = read_predictions(tmp_path / "kaggle.csv")
    assert found.labels.tolist() == [0, 1, 3]
    np.testing.assert_allclose(found.calibrated, softmax(logits / temperature, axis=1), rtol=1e-3)
    np.testing.assert_allclose(found.uncalibrated, softmax(logits, axis=1), rtol=1e-2)
    assert found.predicted.tolist() == logits.argmax(axis=1).tolist()


def test_uncalibrated_probabilities_are_found_again():
    rows = list(csv.DictReader(KAGGLE.open(newline="", encoding="utf-8")))
    logs = np.log([[float(row[name]) for name in LABELS] for row in rows])
    temperature = np.array([[float(row["temperature"])] for row in rows])
    found = read_predictions(KAGGLE).uncalibrated
    np.testing.assert_allclose(found, softmax(temperature * logs, axis=1), atol=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "file,label,temperature,glioma,meningioma,notumor,pituitary\n",
        "file,label,temperature,glioma,meningioma,notumor,pituitary\na.jpg,cat,1,1,0,0,0\n",
        "file,label,temperature,glioma,meningioma,notumor,pituitary\na.jpg,glioma,1,1,0\n",
    ],
    ids=["empty", "no rows", "unknown class", "short row"],
)
def test_no_table_of_predictions_is_an_error(text, tmp_path):
    path = tmp_path / "kaggle.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"kaggle\.csv"):
        read_predictions(path)
