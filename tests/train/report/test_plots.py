"""The pictures are written, of a size that can be read, and small together."""

from __future__ import annotations

import numpy as np
from PIL import Image

from serve.artifacts import MODELS
from serve.metrics import read_metrics
from train.evaluation.predictions import PREDICTIONS, read_protocols
from train.report.plots import PICTURES, draw, wrapped

NAMES = {*PICTURES, "figures"}


def check_pictures(paths):
    assert {path.stem for path in paths} == NAMES
    for path in paths:
        with Image.open(path) as image:
            image.load()
        assert image.format == "PNG"
        assert 900 <= image.width <= 2600, path.name
        grey = np.asarray(image.convert("L"))
        assert len(np.unique(grey)) > 10, f"{path.name} is blank"
        frame = (grey[:8], grey[-8:], grey[:, :8], grey[:, -8:])
        assert all((edge == 255).all() for edge in frame), f"{path.name} is cut off"


def test_pictures_of_one_protocol(tmp_path):
    one = {"kaggle": read_protocols(PREDICTIONS)["kaggle"]}
    check_pictures(draw(read_metrics(), one, tmp_path))


def test_pictures_of_every_protocol(tmp_path):
    check_pictures(draw(read_metrics(), read_protocols(PREDICTIONS), tmp_path))


def test_three_protocols_fit(tmp_path):
    tested = dict.fromkeys(("seed", "kaggle", "patient"), read_protocols(PREDICTIONS)["kaggle"])
    metrics = read_metrics()
    for part in ("protocols", "calibration"):
        metrics[part]["patient"] = metrics[part]["kaggle"]
    check_pictures(draw(metrics, tested, tmp_path))


def test_a_heading_is_wrapped_to_its_column():
    headings = wrapped("published\nthis very model, patients left out", 17).splitlines()
    assert headings == ["published", "this very model,", "patients left out"]


def test_nothing_measured_draws_nothing(tmp_path):
    assert draw({}, {}, tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_the_committed_pictures_are_there_and_small():
    pictures = list((MODELS / "report").glob("*.png"))
    pictures = [path for path in pictures if not path.stem.startswith("copies_")]  # not committed
    assert {path.stem for path in pictures} >= NAMES
    assert sum(path.stat().st_size for path in pictures) < 3e6
