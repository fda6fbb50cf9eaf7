"""No slice, and no neighbouring slice, on both sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import DATASET, SLICES, needs_dataset
from train.dataset import Scan, Slice, find_scans, read_slices
from train.split import GUARD, split


@pytest.fixture(scope="module")
def indexed():
    """A thousand tumour scans with an index each, three hundred without one."""
    scans = [
        Scan(Path(f"{i}.jpg"), "Training", (0, 1, 3)[i // 400], f"{i:064}") for i in range(1000)
    ]
    scans += [Scan(Path(f"n{i}.jpg"), "Training", 2, f"{i // 3:064x}n") for i in range(300)]
    slices = {scan.name: Slice(i, scan.label, False) for i, scan in enumerate(scans[:1000])}
    return scans, slices


def index_gap(training, validation, slices) -> int:
    def indices(side):
        return np.array([slices[scan.name].index for scan in side if scan.name in slices])

    return np.abs(indices(training)[:, None] - indices(validation)[None]).min()


def test_guard_bands_and_copies(indexed):
    scans, slices = indexed
    training, validation = split(scans, slices, 0.2, seed=0)
    assert index_gap(training, validation, slices) > 2 * GUARD - 1
    assert not {s.digest for s in training} & {s.digest for s in validation}
    assert {s.label for s in validation} == {0, 1, 2, 3} or len(validation) > 100


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
    assert index_gap(training, validation, slices) > 2 * GUARD - 1
    assert 0.1 < len(validation) / len(scans) < 0.25
    assert len(training) + len(validation) > 0.9 * len(scans)
    assert np.bincount([s.label for s in validation]).min() > 20
