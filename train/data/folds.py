"""Five folds that keep patients apart: made, kept in train/patient_folds.csv, parted into sides.

- Every stretch of figshare slices (train/data/figshare.py) is cut into fifths, and the fifths of
  all stretches that lie at the same relative position are one fold: the same patients in all
  planes, and every plane in every fold. On both sides of each cut what might be of the same
  patient is dropped.
- A file that is no such slice goes where its near-duplicates go (train/data/duplicates.py), classes
  balanced over the folds.
- Where the radiologists' label contradicts the dataset's, `label` is theirs and `conflict` is 1.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from serve.artifacts import replacing
from serve.command import UserError
from serve.names import LABELS
from train.data.dataset import Scan, Slice
from train.data.figshare import APART, position_of

FOLDS = 5
FOLD = 0  # whose sides are taken where one model is enough
NOWHERE = -1  # the fold of a slice near a cut
TABLE = Path(__file__).parents[1] / "patient_folds.csv"
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
    """Give scans their folds; those near a cut get none.

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
    folds = np.array(
        [NOWHERE if slice_ is None else fold_of_index(slice_.index) for slice_ in known]
    )
    indexed = np.array([slice_ is not None for slice_ in known])
    fold_of_group = dict(zip(groups[indexed], folds[indexed], strict=True))
    fold_of_group |= {group: fold for group, fold in zip(groups, folds, strict=True) if fold >= 0}
    others = np.flatnonzero(~indexed)
    folds[others] = [fold_of_group.get(group, NOWHERE) for group in groups[others]]
    rest = np.array([i for i in others if groups[i] not in fold_of_group])
    parts = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for fold, (_, chosen) in enumerate(parts.split(rest, labels[rest], groups[rest])):
        folds[rest[chosen]] = fold
    return {
        scan.name: Placed(int(fold), int(label), bool(label != scan.label))
        for scan, fold, label in zip(scans, folds, labels, strict=True)
        if fold != NOWHERE
    }


def fold_of_index(index: int) -> int:
    """The fold of a figshare slice, NOWHERE if a cut is too near or it is in no series."""
    position = position_of(index)
    if position is None:
        return NOWHERE
    cuts = np.arange(1, FOLDS) / FOLDS
    if np.abs(position.share - cuts).min() < APART / 2:
        return NOWHERE
    return int(position.share * FOLDS)


@dataclass(frozen=True)
class Sides:
    """What weights are fitted to, what their epoch is chosen on, and what they are tested on."""

    training: list[Scan]
    validation: list[Scan]
    tested: list[Scan]
    labels: list[int]  # of the tested scans, the radiologists' where there is one


def patient_sides(scans: Sequence[Scan]) -> list[Sides]:
    """The `patient` protocol: each fold as the test side, the next for validation, three to train.

    A scan whose label the radiologists contradict is scored by theirs and trained on by none.

    Raises:
        UserError: a scan that train/patient_folds.csv names is not there.
    """
    placed = read_folds()
    known = [(scan, placed[scan.name]) for scan in scans if scan.name in placed]
    if len(known) < len(placed):
        raise UserError("the dataset is not the one that train/patient_folds.csv names")
    sides = []
    for fold in range(FOLDS):
        clean = [(scan, (at.fold - fold) % FOLDS) for scan, at in known if not at.conflict]
        tested = [(scan, at.label) for scan, at in known if at.fold == fold]
        sides.append(
            Sides(
                training=[scan for scan, after in clean if after > 1],
                validation=[scan for scan, after in clean if after == 1],
                tested=[scan for scan, _ in tested],
                labels=[label for _, label in tested],
            )
        )
    return sides


def read_folds(path: Path = TABLE) -> dict[str, Placed]:
    """Where every file stands that has a fold, by `Scan.name`."""
    with path.open(encoding="utf-8", newline="") as file:
        return {
            row["file"]: Placed(
                int(row["fold"]),
                LABELS.index(row["label"]),
                row["conflict"] == "1",
            )
            for row in csv.DictReader(file)
        }


def write_folds(placed: Mapping[str, Placed], path: Path = TABLE) -> None:
    """Write what `read_folds` reads."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for name, entry in placed.items():
            writer.writerow((name, entry.fold, LABELS[entry.label], int(entry.conflict)))
