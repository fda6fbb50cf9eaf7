"""Figures of an unseen collection, and nothing of it among what is trained on."""

from __future__ import annotations

import numpy as np
import pytest

from serve.command import UserError
from tests.conftest import BR35H, DATASET, needs_dataset
from train.data.br35h import read_br35h, score_collection
from train.data.dataset import PARTS, find_scans


def test_score_by_hand():
    healthy = np.full((10, 4), [0.0, 0.0, 1.0, 0.0])
    healthy[:, 0] = np.linspace(0, 0.81, 10)
    healthy[:, 2] = 1 - healthy[:, 0]
    tumour = np.array([[0.05, 0.05, 0.9, 0.0], [0.3, 0.35, 0.35, 0.0], [0.0, 0.0, 0.0, 1.0]])
    figures = score_collection(tumour, healthy)
    assert (figures["tumours"], figures["healthy"]) == (3, 10)
    assert figures["sensitivity"] == pytest.approx(2 / 3)
    assert figures["specificity"] == pytest.approx(0.6)
    assert figures["auc"] == pytest.approx((2 + 8 + 10) / 30)
    assert figures["sensitivity_at_specificity_90"] == pytest.approx(1 / 3)


def test_a_folder_without_the_table_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"br35h_tumour\.csv"):
        read_br35h(tmp_path, [])


def test_a_folder_without_the_images_is_an_error(tmp_path):
    (tmp_path / "br35h_tumour.csv").write_text("file,kaggle_duplicate\ny0.jpg,\n", encoding="utf-8")
    with pytest.raises(UserError, match="none of the files"):
        read_br35h(tmp_path, [])


@needs_dataset
def test_copies_are_on_neither_side():
    scans = [scan for part in PARTS for scan in find_scans(DATASET, part)]
    unseen = read_br35h(BR35H, scans)
    assert len(unseen.tumours) <= 1500 - 110
    assert unseen.copies <= {scan.name for scan in scans}
    assert len(unseen.copies) >= 100
    digests = {scan.digest for scan in scans if scan.name not in unseen.copies}
    assert not digests & {scan.digest for scan in unseen.tumours}
