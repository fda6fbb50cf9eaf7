"""Whose slice is whose, as the collection states it."""

from __future__ import annotations

from pathlib import Path

import pytest

from serve.command import UserError
from tests.conftest import PATIENTS, needs_dataset
from train.data.dataset import Scan, Slice
from train.data.patients import Patient, persons_on, read_patients


@needs_dataset
def test_the_published_table():
    patients = read_patients(PATIENTS)
    assert len(patients) == 3064
    assert len({patient.person for patient in patients.values()}) == 209
    assert {patient.fold for patient in patients.values()} == set(range(5))


def test_who_is_on_a_scan():
    scans = [Scan(Path(f"{name}.jpg"), "Training", 0, name) for name in "ab"]
    slices = {scans[0].name: Slice(7, 0, False)}
    assert persons_on(scans, slices, {7: Patient("p", 0)}) == {scans[0].name: "p"}
    with pytest.raises(UserError, match="no slice 7"):
        persons_on(scans, slices, {8: Patient("p", 0)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("figshare_index,person\n1,p\n", "has no column 'author_fold'"),
        ("figshare_index,person,author_fold\n", "names no slice"),
        ("figshare_index,person,author_fold\nx,p,1\n", "invalid literal"),
        ("figshare_index,person,author_fold\n7\n", "not such a table"),
        ("figshare_index,person,author_fold\n" + "7" * 200_000, "not such a table"),
    ],
)
def test_a_bad_table_is_named(tmp_path, text, message):
    path = tmp_path / "patients.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_patients(path)
