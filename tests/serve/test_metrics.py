"""Figures are written whole, one writer at a time, and quoted of the checkpoint they are of."""

from __future__ import annotations

import subprocess
import sys

import pytest

from serve.artifacts import METRICS_NAME
from serve.command import UserError
from serve.metrics import CHECKPOINT, read_metrics, require_current, write_metrics
from tests.conftest import ROOT

ONE, OTHER = "a" * 64, "b" * 64
WRITE = """
import sys
from pathlib import Path
from serve.metrics import write_metrics
for number in range(10):
    write_metrics(Path(sys.argv[1]), f"{sys.argv[2]}.n{number}", {"x": number}, {})
"""


@pytest.fixture
def models(tmp_path):
    """Figures of one checkpoint, and of recipes."""
    write_metrics(tmp_path, "model", {"sha256": ONE}, {CHECKPOINT: ONE})
    write_metrics(tmp_path, "calibration.temperature", 1.5, {CHECKPOINT: ONE})
    write_metrics(tmp_path, "protocols.published", {"accuracy": 0.5}, {CHECKPOINT: ONE})
    write_metrics(tmp_path, "protocols.patient", {"accuracy": 0.5}, {"recipe": OTHER})
    write_metrics(
        tmp_path, "recipes.old.protocols.published", {"accuracy": 0.5}, {CHECKPOINT: OTHER}
    )
    return tmp_path


def test_writers_at_the_same_time_lose_nothing(tmp_path):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE, tmp_path, name], cwd=ROOT) for name in "abcd"
    ]
    assert [writer.wait() for writer in writers] == [0] * 4
    metrics = read_metrics(tmp_path)
    assert {name: len(own) for name, own in metrics.items()} == dict.fromkeys("abcd", 10)


def test_a_section_says_what_it_is_of_and_others_stay(tmp_path):
    write_metrics(tmp_path, "protocols.seed", {"accuracy": 0.5}, {"recipe": "a"})
    write_metrics(tmp_path, "protocols.kaggle", {"accuracy": 0.6}, {"recipe": "b"})
    write_metrics(tmp_path, "calibration.temperature", 1.5, {CHECKPOINT: "c"})
    write_metrics(tmp_path, "calibration.seed", {"ece_after": 0.1}, {"recipe": "a"})
    assert read_metrics(tmp_path) == {
        "protocols": {
            "seed": {"accuracy": 0.5, "of": {"recipe": "a"}},
            "kaggle": {"accuracy": 0.6, "of": {"recipe": "b"}},
        },
        "calibration": {
            "temperature": 1.5,
            "of": {CHECKPOINT: "c"},
            "seed": {"ece_after": 0.1, "of": {"recipe": "a"}},
        },
    }


@pytest.mark.parametrize("content", ["{", "[]", "1", ""])
def test_what_holds_no_figures_is_named(content, tmp_path):
    (tmp_path / METRICS_NAME).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=METRICS_NAME):
        read_metrics(tmp_path)


def test_figures_of_this_checkpoint_and_of_recipes_pass(models):
    require_current(read_metrics(models), ONE)
    require_current({}, ONE)


@pytest.mark.parametrize("of", [{CHECKPOINT: OTHER}, {"recipe": ONE}, {}])
@pytest.mark.parametrize(
    ("section", "value", "command"),
    [
        ("export.int8", {"images": 1}, "export.quantize"),
        ("calibration.temperature", 1.4, "train.fit"),
        ("protocols.published", {"accuracy": 1}, "train.evaluate --protocol published"),
        ("serving", {"answers": 1}, "tests.serve.app.load"),
    ],
)
def test_figures_of_another_checkpoint_are_refused_by_name(section, value, command, of, models):
    write_metrics(models, section, value, of)
    with pytest.raises(UserError) as error:
        require_current(read_metrics(models), ONE)
    assert str(error.value).count(" is of ") == 1
    assert f"{section} is of " in str(error.value)
    assert f"(python -m {command} measures it)" in str(error.value)
    require_current(read_metrics(models), ONE, ["model"])


def test_a_section_that_nobody_listed_is_refused_too(models):
    write_metrics(models, "attention.published", {"pointing_game": 1}, {CHECKPOINT: OTHER})
    with pytest.raises(UserError, match=r"attention\.published is of the checkpoint bbbb"):
        require_current(read_metrics(models), ONE)


def test_a_new_model_makes_all_others_old(models):
    write_metrics(models, "model", {"sha256": OTHER}, {CHECKPOINT: OTHER})
    for checkpoint in (OTHER, ONE):  # of the new file, and where the file is not yet there
        with pytest.raises(UserError, match=r"protocols\.published is of the checkpoint aaaa"):
            require_current(read_metrics(models), checkpoint)
