"""No patient, and no copy, in two halves of folds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from serve.artifacts import LABELS
from tests.conftest import DATASET, SLICES, needs_dataset
from train.dataset import PARTS, Scan, Slice, find_scans, read_slices
from train.duplicates import connected_groups, find_pairs
from train.folds import FOLDS, HALVES, Placed, place, read_folds
from train.split import GUARD


def where(entry: Placed) -> tuple[int, int]:
    return entry.fold, entry.half


def test_runs_guard_bands_and_copies():
    """Two thousand slices of two classes and their copies, three hundred other scans."""
    scans = [Scan(Path(f"{i}.jpg"), "Training", (0, 3)[i // 1000], str(i)) for i in range(2000)]
    scans[50] = Scan(Path("50.jpg"), "Training", 1, "50")  # of which the radiologists say 0
    slices = {scan.name: Slice(i, (0, 3)[i // 1000], False) for i, scan in enumerate(scans)}
    others = [Scan(Path(f"n{i}.jpg"), "Testing", 2, f"n{i}") for i in range(300)]
    copy = Scan(Path("copy.jpg"), "Testing", 0, "copy")
    groups = np.array([*range(2000), *(2000 + i // 3 for i in range(300)), 30])
    placed = place([*scans, *others, copy], slices, groups)

    run_of = {i: where(placed[scan.name]) for i, scan in enumerate(scans) if scan.name in placed}
    for i, run in run_of.items():
        for near in range(i + 1, min(i + 2 * GUARD + 1, 1000 * (i // 1000 + 1))):
            assert run_of.get(near, run) == run
    assert len(run_of) == len(scans) - 2 * 9 * 2 * GUARD
    assert where(placed[copy.name]) == run_of[30]
    assert [name for name, entry in placed.items() if entry.conflict] == [scans[50].name]
    assert placed[scans[50].name].label == 0
    for start in range(0, 300, 3):
        assert len({where(placed[scan.name]) for scan in others[start : start + 3]}) == 1


def test_the_committed_table_is_balanced():
    placed = read_folds()
    counts = Counter((*where(entry), entry.label) for entry in placed.values())
    for label in range(len(LABELS)):
        shares = [counts[fold, half, label] for fold in range(FOLDS) for half in range(HALVES)]
        assert max(shares) < 1.5 * min(shares)
    assert sum(entry.conflict for entry in placed.values()) <= 4


@pytest.fixture(scope="module")
def published() -> list[Scan]:
    return [scan for part in PARTS for scan in find_scans(DATASET, part)]


@needs_dataset
def test_the_committed_table_is_what_the_command_makes(published):
    pairs, slices = find_pairs(published), read_slices(SLICES)
    placed = place(published, slices, connected_groups(pairs, len(published)))
    assert placed == read_folds()
    for first, second in zip(pairs.first, pairs.second, strict=True):
        one, other = placed.get(published[first].name), placed.get(published[second].name)
        assert one is None or other is None or where(one) == where(other)
