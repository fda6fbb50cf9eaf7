"""Healthy series that are called a tumour, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from serve.names import NOTUMOR
from serve.tumours import Answers
from train.data.dataset import Scan
from train.evaluation.runs import healthy_runs


def slices_of(numbers: dict[str, float], label: int = NOTUMOR) -> tuple[list[Scan], list[float]]:
    """Scans of a person and how probable a tumour is in each, by the slice's number."""
    scans = [Scan(Path(f"{name}.jpg"), "tcga_lgg_t1c", label, digest=name) for name in numbers]
    return scans, list(numbers.values())


def answers_of(scans: list[Scan], tumour: list[float]) -> Answers:
    rows = np.zeros((len(scans), 4))
    rows[:, 0], rows[:, NOTUMOR] = tumour, 1 - np.array(tumour)
    return Answers(np.array([scan.label for scan in scans]), rows)


def test_healthy_runs_by_hand():
    # by number 2, 4, 10, 12: 0.9, 0.9, 0.0, 0.0; by name 10 and 12 would come first
    quiet = slices_of({"TCGA_A_10": 0.0, "TCGA_A_12": 0.0, "TCGA_A_2": 0.9, "TCGA_A_4": 0.9})
    alone = slices_of({"TCGA_B_2": 0.1, "TCGA_B_4": 1.0, "TCGA_B_6": 0.1})
    ill = slices_of({"TCGA_B_8": 1.0, "TCGA_C_2": 1.0}, label=0)
    scans = [*quiet[0], *alone[0], *ill[0]]
    tumour = [*quiet[1], *alone[1], *ill[1]]
    figures = healthy_runs(scans, answers_of(scans, tumour))
    assert figures is not None
    assert (figures["runs"], figures["called"]) == (2, 0.5)  # 0.6 of the first, 0.4 of the second
    assert figures["called_ci"] == pytest.approx([0.0945, 0.9055], abs=1e-3)


def test_order_is_the_slices_number():
    between = slices_of({"TCGA_A_10": 0.9, "TCGA_A_2": 0.9, "TCGA_A_4": 0.0, "TCGA_A_6": 0.0})
    figures = healthy_runs(between[0], answers_of(*between))
    assert figures is not None and figures["called"] == 0  # neighbours by name: 0.6


def test_pictures_that_are_no_slices_are_no_runs():
    scans, tumour = slices_of({"Glioma_T1_7": 0.9, "y12": 0.1})
    assert healthy_runs(scans, answers_of(scans, tumour)) is None
