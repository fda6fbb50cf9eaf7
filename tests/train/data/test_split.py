"""No copy, and nobody's slices, on both sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import DATASET, PATIENTS, SLICES, needs_dataset
from train.data.dataset import Scan, find_scans, read_slices
from train.data.patients import persons_on, read_patients
from train.data.split import split


@pytest.fixture(scope="module")
def known():
    """A thousand tumour scans of a hundred persons, three hundred of nobody known, some copies."""
    scans = [
        Scan(Path(f"{i}.jpg"), "Training", 0 if i < 700 else 1, f"{i:064}") for i in range(1000)
    ]
    persons = {scan.name: f"p{i // 10}" for i, scan in enumerate(scans)}
    scans += [Scan(Path(f"n{i}.jpg"), "Training", 2, f"{i // 3:064x}n") for i in range(300)]
    return scans, persons


def shared(training, validation, persons) -> set[str]:
    one, other = ({persons.get(scan.name) for scan in side} for side in (training, validation))
    return (one & other) - {None}


def test_persons_and_copies(known):
    scans, persons = known
    training, validation = split(scans, persons, 0.2, seed=0)
    assert not shared(training, validation, persons)
    assert not {s.digest for s in training} & {s.digest for s in validation}
    assert {s.label for s in validation} == {0, 1, 2}
    assert len(training) + len(validation) == len(scans)


def test_the_seed_decides(known):
    scans, persons = known
    assert split(scans, persons, 0.2, 0) == split(scans, persons, 0.2, 0)
    assert split(scans, persons, 0.2, 0) != split(scans, persons, 0.2, 1)


def test_without_persons_every_scan_is_used_and_classes_are_balanced(small_dataset):
    scans = find_scans(small_dataset, "Training")
    training, validation = split(scans, {}, 0.2, seed=0)
    assert sorted(map(str, training + validation)) == sorted(map(str, scans))
    assert set(np.bincount([s.label for s in validation])) <= {2, 3}


@needs_dataset
@pytest.mark.parametrize("part", ["Training", "Testing"])
def test_the_published_dataset(part):
    scans = find_scans(DATASET, part)
    persons = persons_on(scans, read_slices(SLICES), read_patients(PATIENTS))
    training, validation = split(scans, persons, 0.2, seed=0)
    assert not shared(training, validation, persons)
    assert len(validation) / len(scans) == pytest.approx(0.2, abs=0.05)
    assert len(training) + len(validation) == len(scans)
    assert np.bincount([s.label for s in validation]).min() > 20
