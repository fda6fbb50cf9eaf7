"""Five folds that keep patients apart: made, kept in train/patient_folds.csv, parted into sides.

- A figshare slice lies in the fold that the collection's author published for its patient.
- A file that is no such slice goes where its near-duplicates go (train/data/duplicates.py), classes
  balanced over the folds.
- Where the radiologists' label contradicts the dataset's, `label` is theirs and `conflict` is 1.
- `person` is whose slice it is, empty where that is not known. The author's folds part a few
  persons, who were examined more than once.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from serve.artifacts import replacing
from serve.command import UserError
from serve.names import LABELS
from train.data.dataset import Scan, Slice
from train.data.patients import Patient, persons_on

FOLDS = 5
FOLD = 0  # whose sides are taken where one model is enough
NOWHERE = -1  # the fold of a scan that is not in the table
TABLE = Path(__file__).parents[1] / "patient_folds.csv"
COLUMNS = ("file", "fold", "label", "conflict", "person")


@dataclass(frozen=True)
class Placed:
    """Where a file stands in the `patient` protocol."""

    fold: int
    label: int  # index into LABELS; the radiologists' where there is one
    conflict: bool  # the dataset's own label is another
    person: str  # whose slice it is, "" where that is not known
    lends: bool = True  # its tumour and grey levels to others; not where a collection has a copy


def place(
    scans: Sequence[Scan],
    slices: Mapping[str, Slice],
    patients: Mapping[int, Patient],
    groups: np.ndarray,
) -> dict[str, Placed]:
    """Give every scan its fold.

    Args:
        scans: of both parts of the dataset.
        slices: by `Scan.name`.
        patients: by `Slice.index`.
        groups: int (scans,), near-duplicates share a number.

    Raises:
        UserError: the patient of a slice is not known.
    """
    persons = persons_on(scans, slices, patients)
    known = [slices.get(scan.name) for scan in scans]
    labels = np.array(
        [
            scan.label if slice_ is None else slice_.label
            for scan, slice_ in zip(scans, known, strict=True)
        ]
    )
    folds = np.array(
        [NOWHERE if slice_ is None else patients[slice_.index].fold for slice_ in known]
    )
    fold_of_group = {group: fold for group, fold in zip(groups, folds, strict=True) if fold >= 0}
    others = np.flatnonzero(folds == NOWHERE)
    folds[others] = [fold_of_group.get(group, NOWHERE) for group in groups[others]]
    rest = np.flatnonzero(folds == NOWHERE)
    parts = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for fold, (_, chosen) in enumerate(parts.split(rest, labels[rest], groups[rest])):
        folds[rest[chosen]] = fold
    return {
        scan.name: Placed(
            int(fold), int(label), bool(label != scan.label), persons.get(scan.name, "")
        )
        for scan, fold, label in zip(scans, folds, labels, strict=True)
    }


At = tuple[Scan, Placed]


@dataclass(frozen=True)
class Sides:
    """What weights are fitted to, what their epoch is chosen on, and what they are tested on."""

    training: list[Scan]
    validation: list[Scan]
    tested: list[Scan]
    labels: list[int]  # of the tested scans, the radiologists' where there is one


def patient_sides(
    scans: Sequence[Scan],
    others: Sequence[Scan] = (),
    placed: Mapping[str, Placed] | None = None,
    validated: bool = True,
) -> list[Sides]:
    """The `patient` protocol: each fold as the test side, the next for validation, the rest to
    train; or all four to train.

    Who is on the test side is on no other, and who is trained on is not validated on: where a
    person is in two folds, the images of the side that gives way are left out. A scan whose label
    the radiologists contradict is scored by theirs and trained on by none.

    Args:
        scans: of both parts of the dataset.
        others: of other hospitals, which are trained and validated on and not among the tested.
        placed: where all of them stand, by `Scan.name`; by default train/patient_folds.csv.
        validated: whether there is a validation side.

    Raises:
        UserError: a scan that train/patient_folds.csv names is not there.
    """
    placed = read_folds() if placed is None else placed
    known = [(scan, placed[scan.name]) for scan in (*scans, *others) if scan.name in placed]
    if len(known) < len(placed):
        raise UserError("the dataset is not the one that train/patient_folds.csv names")
    own = {scan.name for scan in scans}
    sides = []
    for fold in range(FOLDS):
        parts: tuple[list[At], list[At], list[At]] = ([], [], [])
        for scan, at in known:
            part = min((at.fold - fold) % FOLDS, 2)
            parts[2 if part == 1 and not validated else part].append((scan, at))
        tested, validation, training = parts
        training = _without(training, tested)
        validation = _without(_without(validation, tested), training)
        tested = [(scan, at) for scan, at in tested if scan.name in own]
        sides.append(
            Sides(
                training=[scan for scan, at in training if not at.conflict],
                validation=[scan for scan, at in validation if not at.conflict],
                tested=[scan for scan, _ in tested],
                labels=[at.label for _, at in tested],
            )
        )
    return sides


def _without(side: Sequence[At], other: Sequence[At]) -> list[At]:
    """What of `side` is of no person of `other`."""
    persons = {at.person for _, at in other} - {""}
    return [(scan, at) for scan, at in side if at.person not in persons]


def persons_in_several_folds(placed: Mapping[str, Placed]) -> set[str]:
    """Who was examined more than once and has images in more than one fold."""
    folds: dict[str, set[int]] = defaultdict(set)
    for at in placed.values():
        folds[at.person].add(at.fold)
    return {person for person, own in folds.items() if person and len(own) > 1}


def read_folds(path: Path = TABLE) -> dict[str, Placed]:
    """Where every file stands, by `Scan.name`."""
    with path.open(encoding="utf-8", newline="") as file:
        return {
            row["file"]: Placed(
                int(row["fold"]),
                LABELS.index(row["label"]),
                row["conflict"] == "1",
                row["person"],
            )
            for row in csv.DictReader(file)
        }


def write_folds(placed: Mapping[str, Placed], path: Path = TABLE) -> None:
    """Write what `read_folds` reads."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for name, at in placed.items():
            writer.writerow((name, at.fold, LABELS[at.label], int(at.conflict), at.person))
