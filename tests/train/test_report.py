"""Every figure of the README comes from models/metrics.json."""

from __future__ import annotations

import pytest

from serve.artifacts import read_metrics
from train.report import BLOCK, BLOCKS, README, fill


def test_the_readme_says_what_was_measured():
    text = README.read_text(encoding="utf-8")
    assert {match[1] for match in BLOCK.findall(text)} == set(BLOCKS)
    assert fill(text, read_metrics()) == text


def test_a_changed_figure_changes_the_readme():
    metrics = read_metrics()
    metrics["protocols"]["kaggle"]["accuracy"] = 0.123
    assert "12.3 %" in fill(README.read_text(encoding="utf-8"), metrics)


def test_a_figure_that_was_never_measured_is_an_error():
    with pytest.raises(KeyError):
        fill("<!-- figures: kaggle -->\n<!-- end of figures -->", {})
