"""python -m train.report, from the marks of a page to its pictures."""

from __future__ import annotations

import shutil

import pytest

from serve.artifacts import KERAS_NAME, METRICS_NAME, MODELS
from serve.command import UserError
from serve.metrics import CHECKPOINT, read_metrics, write_metrics
from tests.conftest import run
from train.report import __main__ as command
from train.report.blocks import BLOCKS, fill, render
from train.report.writing import NOT_MEASURED


def page_of(name):
    return f"<!-- figures: {name} -->\n<!-- end of figures -->\n"


def test_the_command_writes_everything_and_names_what_is_missing(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("".join(page_of(name) for name in BLOCKS), encoding="utf-8")
    done = run(
        "-m", "train.report", "--readme", page, "--output", tmp_path, "--csv", tmp_path / "tables"
    )
    assert done.returncode == 0, done.stderr
    names = {"confusion", "roc", "reliability", "confidence", "figures"}
    assert {path.stem for path in tmp_path.glob("*.png")} == names
    tables = names | {"attention", "hospitals", "unseen", "refusal"}
    assert {path.stem for path in (tmp_path / "tables").iterdir()} == tables
    metrics = read_metrics()
    assert page.read_text(encoding="utf-8") == fill(page.read_text(encoding="utf-8"), metrics)
    for name in BLOCKS:
        missing = render(name, metrics) in ("", NOT_MEASURED)
        assert (f"not measured yet: block {name}\n" in done.stdout) == missing


@pytest.mark.parametrize("section", ["model", "protocols.published", "serving"])
def test_figures_of_another_checkpoint_are_refused(section, tmp_path, monkeypatch):
    models, page = tmp_path / "models", tmp_path / "page.md"
    models.mkdir()
    for name in (KERAS_NAME, METRICS_NAME):
        shutil.copy(MODELS / name, models)
    write_metrics(models, section, {"sha256": "0" * 64}, {CHECKPOINT: "0" * 64})
    page.write_text(page_of("honest"), encoding="utf-8")
    monkeypatch.setattr(command, "MODELS", models)
    with pytest.raises(UserError, match=rf"{section} is of the checkpoint 0{{12}}, not of "):
        command.main(["--readme", str(page), "--output", str(tmp_path / "report")])
    assert page.read_text(encoding="utf-8") == page_of("honest")
    assert not (tmp_path / "report").exists()


def test_the_command_refuses_an_unknown_mark_and_writes_nothing(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(page_of("kaggle") + page_of("nonsense"), encoding="utf-8")
    before = page.read_text(encoding="utf-8")
    done = run("-m", "train.report", "--readme", page, "--output", tmp_path)
    assert done.returncode == 1
    assert "nonsense" in done.stderr
    assert [page] == list(tmp_path.iterdir())
    assert page.read_text(encoding="utf-8") == before
