"""models/trained_on.csv: what the checkpoint was trained and validated on, written by the training.

A line a scan: `file` (Training/glioma/Tr-gl_0010.jpg), `side` (training, validation or test: what
the training left out to be tested on) and `fold` of train/patient_folds.csv, empty where it has
none.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from .artifacts import MODELS, TRAINED_ON_NAME, replacing
from .command import UserError
from .names import LABELS, PARTS, UNKNOWN_TUMOUR

Side = Literal["training", "validation", "test"]


UNKNOWN = "tumour"


def name_of(part: str, label: int, file: str) -> str:
    """What a scan is called: the dataset's part or the collection, class and file name."""
    return f"{part}/{UNKNOWN if label == UNKNOWN_TUMOUR else LABELS[label]}/{file}"


def label_of(name: str) -> int:
    """The label that `name_of` was given."""
    return index_of(name.split("/")[1])


def index_of(label: str) -> int:
    """The label's place in LABELS, or UNKNOWN_TUMOUR."""
    return UNKNOWN_TUMOUR if label == UNKNOWN else LABELS.index(label)


class TrainedOn(NamedTuple):
    """One scan's part in the training."""

    file: str  # part, class and file name, as the dataset has them
    side: Side
    fold: str


def write_trained_on(rows: Iterable[TrainedOn], models: Path = MODELS) -> None:
    """Write the table whole."""
    with (
        replacing(models / TRAINED_ON_NAME) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(TrainedOn._fields)
        writer.writerows(rows)


def read_trained_on(models: Path = MODELS) -> list[TrainedOn]:
    """Read what `write_trained_on` wrote.

    Raises:
        UserError: there is no such table, or it is another kind of file.
    """
    path = models / TRAINED_ON_NAME
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table: Iterable[dict[str, Any]] = csv.DictReader(file)  # any sides, checked below
            rows = [TrainedOn(**row) for row in table]
    except FileNotFoundError:
        raise UserError(f"{path}: not there (python -m train.fit makes it)") from None
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: not what a training writes ({error})") from error
    if not rows or any(row.side not in get_args(Side) for row in rows):
        raise UserError(f"{path}: not what a training writes")
    return rows


def files_of(side: Side, models: Path = MODELS) -> set[str]:
    """The names of the scans of one side.

    Raises:
        UserError: see `read_trained_on`.
    """
    return {row.file for row in read_trained_on(models) if row.side == side}


def collections_of(models: Path = MODELS) -> set[str]:
    """The collections of other hospitals that were trained or validated on.

    Raises:
        UserError: see `read_trained_on`.
    """
    parts = {row.file.split("/")[0] for row in read_trained_on(models) if row.side != "test"}
    return parts - set(PARTS)
