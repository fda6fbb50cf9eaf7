"""Five folds that share no patient: python -m train.folds --data DIR --slices figshare_slices.csv

Writes train/patient_folds.csv, the fold of every file that has one, so that anyone with the
Kaggle download can repeat the `patient` protocol:

- The figshare slices of one patient have consecutive indices. Each class is cut into five long
  runs of indices, one a fold, and GUARD slices are dropped from both sides wherever two folds
  meet.
- A file that is no such slice goes where its near-duplicates go (train/duplicates.py), classes
  balanced over the folds.
- Where the radiologists' label contradicts the dataset's, `label` is theirs and `conflict` is 1.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from serve.artifacts import LABELS, replacing
from train.command import one_line_errors
from train.dataset import PARTS, DatasetError, Scan, Slice, find_scans, read_slices
from train.duplicates import connected_groups, find_pairs
from train.split import GUARD

FOLDS = 5
TABLE = Path(__file__).parent / "patient_folds.csv"
COLUMNS = ("file", "fold", "label", "conflict")


@dataclass(frozen=True)
class Placed:
    """Where a file stands in the `patient` protocol."""

    fold: int
    label: int  # index into LABELS; the radiologists' where there is one
    conflict: bool  # the dataset's own label is another


def place(
    scans: Sequence[Scan], slices: Mapping[str, Slice], groups: np.ndarray
) -> dict[str, Placed]:
    """Give scans their folds; those in a guard band get none.

    Args:
        scans: of both parts of the dataset.
        slices: by `Scan.name`.
        groups: int (scans,), near-duplicates share a number.
    """
    known = [slices.get(scan.name) for scan in scans]
    labels = np.array(
        [
            scan.label if slice_ is None else slice_.label
            for scan, slice_ in zip(scans, known, strict=True)
        ]
    )
    folds = np.full(len(scans), -1)
    indexed = np.array([slice_ is not None for slice_ in known])
    indices = np.array([-1 if slice_ is None else slice_.index for slice_ in known])
    fold_of_index = _runs(indices[indexed], labels[indexed])
    folds[indexed] = fold_of_index[indices[indexed]]
    guarded = _guard_bands(fold_of_index)
    folds[indexed & guarded[np.maximum(indices, 0)]] = -1

    fold_of_group = {group: fold for group, fold in zip(groups, folds, strict=True) if fold >= 0}
    held = {group for group in groups[indexed] if group not in fold_of_group}
    for i in np.flatnonzero(~indexed):
        folds[i] = fold_of_group.get(groups[i], -1)
    rest = np.array(
        [
            i
            for i in np.flatnonzero(~indexed)
            if groups[i] not in fold_of_group and groups[i] not in held
        ]
    )
    parts = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for fold, (_, chosen) in enumerate(parts.split(rest, labels[rest], groups[rest])):
        folds[rest[chosen]] = fold
    return {
        scan.name: Placed(int(fold), int(label), bool(label != scan.label))
        for scan, fold, label in zip(scans, folds, labels, strict=True)
        if fold >= 0
    }


def read_folds(path: Path = TABLE) -> dict[str, Placed]:
    """The committed table, by `Scan.name`."""
    with path.open(newline="") as file:
        return {
            row["file"]: Placed(
                int(row["fold"]), LABELS.index(row["label"]), row["conflict"] == "1"
            )
            for row in csv.DictReader(file)
        }


def _runs(indices: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cut each class's slices into FOLDS runs; the fold of every index, -1 where there is none."""
    fold_of_index = np.full(indices.max() + 1, -1)
    for number, label in enumerate(np.unique(labels)):
        own = np.unique(indices[labels == label])
        for run, part in enumerate(np.array_split(own, FOLDS)):
            fold_of_index[part] = (run + number) % FOLDS
    return fold_of_index


def _guard_bands(fold_of_index: np.ndarray) -> np.ndarray:
    """Which indices have one of another fold within GUARD, bool of the same shape."""
    guarded = np.zeros(len(fold_of_index), bool)
    for shift in range(1, GUARD + 1):
        low, high = fold_of_index[:-shift], fold_of_index[shift:]
        differ = (low >= 0) & (high >= 0) & (low != high)
        guarded[:-shift] |= differ
        guarded[shift:] |= differ
    return guarded


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.folds", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--slices", type=Path, required=True, metavar="FILE")
    parser.add_argument("--output", type=Path, default=TABLE, metavar="FILE")
    args = parser.parse_args(argv)
    slices = read_slices(args.slices)
    scans = [scan for part in PARTS for scan in find_scans(args.data, part)]
    if not any(scan.name in slices for scan in scans):
        raise DatasetError(f"{args.slices}: names no image of {args.data}")
    pairs = find_pairs(scans)
    placed = place(scans, slices, connected_groups(pairs, len(scans)))
    for fold in range(FOLDS):
        labels = [p.label for p in placed.values() if p.fold == fold]
        counts = np.bincount(labels, minlength=len(LABELS))
        print(f"fold {fold}: {dict(zip(LABELS, counts.tolist(), strict=True))}")
    print(f"in no fold, for the guard bands: {len(scans) - len(placed)} of {len(scans)}")
    with replacing(args.output) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for name, entry in placed.items():
            writer.writerow((name, entry.fold, LABELS[entry.label], int(entry.conflict)))
    print(f"wrote {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(one_line_errors(main))
