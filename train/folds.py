"""Five folds that share no patient: python -m train.folds --data DIR --slices figshare_slices.csv

Writes train/patient_folds.csv, the fold of every file that has one, so that anyone with the
Kaggle download can repeat the `patient` protocol:

- The figshare slices of one patient have consecutive indices and one class. Each class is cut
  into ten long runs of indices, two a fold, its halves, and GUARD slices are dropped from both
  sides of every cut. (With one run a fold instead of two, a fold would leave out a whole stretch
  of the collection, and stretches differ by more than their patients.)
- A file that is no such slice goes where its near-duplicates go (train/duplicates.py), classes
  balanced over the halves.
- Where the radiologists' label contradicts the dataset's, `label` is theirs and `conflict` is 1.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from serve.artifacts import LABELS, replacing
from train.command import one_line_errors
from train.dataset import PARTS, DatasetError, Scan, Slice, find_scans, read_slices
from train.duplicates import connected_groups, find_pairs
from train.split import GUARD

FOLDS = 5
HALVES = 2
NOWHERE = -1  # the run of a slice in a guard band
TABLE = Path(__file__).parent / "patient_folds.csv"
COLUMNS = ("file", "fold", "half", "label", "conflict")


@dataclass(frozen=True)
class Placed:
    """Where a file stands in the `patient` protocol."""

    fold: int
    half: int  # of the fold; no patient is in both
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
    runs = np.full(len(scans), NOWHERE)
    indexed = np.array([slice_ is not None for slice_ in known])
    indices = np.array([-1 if slice_ is None else slice_.index for slice_ in known])
    runs[indexed] = _runs(indices[indexed], labels[indexed])

    run_of_group = dict(zip(groups[indexed], runs[indexed], strict=True))
    run_of_group |= {group: run for group, run in zip(groups, runs, strict=True) if run >= 0}
    others = np.flatnonzero(~indexed)
    runs[others] = [run_of_group.get(group, NOWHERE) for group in groups[others]]
    rest = np.array([i for i in others if groups[i] not in run_of_group])
    parts = StratifiedGroupKFold(FOLDS * HALVES, shuffle=True, random_state=0)
    for run, (_, chosen) in enumerate(parts.split(rest, labels[rest], groups[rest])):
        runs[rest[chosen]] = run
    return {
        scan.name: Placed(
            int(run % FOLDS), int(run // FOLDS), int(label), bool(label != scan.label)
        )
        for scan, run, label in zip(scans, runs, labels, strict=True)
        if run != NOWHERE
    }


@dataclass(frozen=True)
class Sides:
    """One fold of the `patient` protocol."""

    training: list[Scan]
    validation: list[Scan]
    tested: list[Scan]
    labels: list[int]  # of the tested scans, the radiologists' where there is one


def patient_sides(scans: Sequence[Scan]) -> list[Sides]:
    """Each fold as the test side, one half of the next for validation, all else for training.

    A scan whose label the radiologists contradict is scored by theirs and trained on by none.

    Raises:
        DatasetError: a scan that train/patient_folds.csv names is not there.
    """
    placed = read_folds()
    known = [(scan, placed[scan.name]) for scan in scans if scan.name in placed]
    if len(known) < len(placed):
        raise DatasetError("the dataset is not the one that train/patient_folds.csv names")
    clean = [(scan, (at.fold, at.half)) for scan, at in known if not at.conflict]
    sides = []
    for fold in range(FOLDS):
        validation = ((fold + 1) % FOLDS, 0)
        held_out = {validation, *((fold, half) for half in range(HALVES))}
        tested = [(scan, at.label) for scan, at in known if at.fold == fold]
        sides.append(
            Sides(
                training=[scan for scan, at in clean if at not in held_out],
                validation=[scan for scan, at in clean if at == validation],
                tested=[scan for scan, _ in tested],
                labels=[label for _, label in tested],
            )
        )
    return sides


def read_folds(path: Path = TABLE) -> dict[str, Placed]:
    """The committed table, by `Scan.name`."""
    with path.open(newline="") as file:
        return {
            row["file"]: Placed(
                int(row["fold"]),
                int(row["half"]),
                LABELS.index(row["label"]),
                row["conflict"] == "1",
            )
            for row in csv.DictReader(file)
        }


def _runs(indices: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cut each class's slices into FOLDS * HALVES runs of indices.

    Returns:
        Each slice's run, rotated by its class so that no fold gets the first run of all; run r
        is half r // FOLDS of fold r % FOLDS. NOWHERE within GUARD of a cut.
    """
    runs = np.full(len(indices), NOWHERE)
    for label in np.unique(labels):
        own = np.unique(indices[labels == label])
        parts = np.array_split(own, FOLDS * HALVES)
        cuts = np.array([(left[-1] + right[0]) / 2 for left, right in pairwise(parts)])
        for number, part in enumerate(parts):
            chosen = (labels == label) & np.isin(indices, part)
            runs[chosen] = (number + label) % (FOLDS * HALVES)
        near = np.abs(indices[:, None] - cuts).min(axis=1) < GUARD
        runs[(labels == label) & near] = NOWHERE
    return runs


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
            writer.writerow(
                (name, entry.fold, entry.half, LABELS[entry.label], int(entry.conflict))
            )
    print(f"wrote {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(one_line_errors(main))
