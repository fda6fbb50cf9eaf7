"""python -m train.audit on the published dataset."""

from __future__ import annotations

import json

import pytest

from tests.conftest import DATASET, PATIENTS, SLICES, needs_dataset, run

pytestmark = pytest.mark.slow


@needs_dataset
def test_proven_pairs_of_the_published_dataset_are_found(tmp_path):
    tables = ("--slices", SLICES, "--patients", PATIENTS)
    done = run("-m", "train.audit", "--data", DATASET, *tables, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["audit"]
    assert figures["search"]["found_share"] >= 0.98
    assert figures["search"]["false_share"] <= 0.01
    assert (tmp_path / "report" / "duplicates.png").stat().st_size > 10_000
