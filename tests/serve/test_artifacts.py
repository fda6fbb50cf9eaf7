"""Figures are written whole, one writer at a time."""

from __future__ import annotations

import subprocess
import sys

from serve.artifacts import read_metrics, write_metrics
from tests.conftest import ROOT

WRITE = """
import sys
from pathlib import Path
from serve.artifacts import write_metrics
for number in range(10):
    write_metrics(Path(sys.argv[1]), f"{sys.argv[2]}.n{number}", {"x": number})
"""


def test_writers_at_the_same_time_lose_nothing(tmp_path):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE, tmp_path, name], cwd=ROOT) for name in "abcd"
    ]
    assert [writer.wait() for writer in writers] == [0] * 4
    metrics = read_metrics(tmp_path)
    assert {name: len(own) for name, own in metrics.items()} == dict.fromkeys("abcd", 10)


def test_other_sections_stay(tmp_path):
    write_metrics(tmp_path, "protocols.seed", {"accuracy": 0.5})
    write_metrics(tmp_path, "protocols.kaggle", {"accuracy": 0.6})
    write_metrics(tmp_path, "calibration.temperature", 1.5)
    assert read_metrics(tmp_path) == {
        "protocols": {"seed": {"accuracy": 0.5}, "kaggle": {"accuracy": 0.6}},
        "calibration": {"temperature": 1.5},
    }
