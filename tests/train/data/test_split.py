"""No slice, and nobody's slices, on both sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import DATASET, SLICES, needs_dataset
from train.data.dataset import Scan, Slice, find_scans, read_slices
from train.data.figshare import APART, position_of
from train.data.split import split


@pytest.fixture(scope="module")
def indexed():
    """A thousand tumour scans with an index each, three hundred without one, a few copies."""
    scans = [
        Scan(Path(f"{i}.jpg"), "Training", 0 if i < 715 else 1, f"{i:064}") for i in range(1, 1001)
    ]
    scans += [Scan(Path(f"n{i}.jpg"), "Training", 2, f"{i // 3:064x}n") for i in range(300)]
    slices = {scan.name: Slice(i, scan.label, False) for i, scan in enumerate(scans[:1000], 1)}
    return scans, slices


def nearest(training, validation, slices) -> float:
    """The least distance of two slices of one series on two sides."""

    def positions(side):
        found = [position_of(slices[scan.name].index) for scan in side if scan.name in slices]
        return np.array([tuple(position) for position in found])

    one, other = positions(training), positions(validation)
    distance = np.abs(one[:, None, 1] - other[None, :, 1])
    return distance[one[:, None, 0] == other[None, :, 0]].min()


def test_patients_and_copies(indexed):
    scans, slices = indexed
    training, validation = split(scans, slices, 0.2, seed=0)
    assert nearest(training, validation, slices) >= APART
    assert not {s.digest for s in training} & {s.digest for s in validation}
    assert {s.label for s in validation} == {0, 1, 2}


def test_the_seed_decides(indexed):
    scans, slices = indexed
    assert split(scans, slices, 0.2, 0) == split(scans, slices, 0.2, 0)
    assert split(scans, slices, 0.2, 0) != split(scans, slices, 0.2, 1)


def test_without_slices_every_scan_is_used_and_classes_are_balanced(small_dataset):
    scans = find_scans(small_dataset, "Training")
    training, validation = split(scans, {}, 0.2, seed=0)
    assert sorted(map(str, training + validation)) == sorted(map(str, scans))
    assert set(np.bincount([s.label for s in validation])) <= {2, 3}


@needs_dataset
@pytest.mark.parametrize("part", ["Training", "Testing"])
def test_the_published_dataset(part):
    scans, slices = find_scans(DATASET, part), read_slices(SLICES)
    training, validation = split(scans, slices, 0.2, seed=0)
    assert nearest(training, validation, slices) >= APART
    assert 0.1 < len(validation) / len(scans) < 0.25
    assert len(training) + len(validation) > 0.85 * len(scans)
    assert np.bincount([s.label for s in validation]).min() > 20
