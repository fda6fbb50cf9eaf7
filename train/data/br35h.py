"""Tumours of a collection that was never trained on: Br35H (A. Hamada, Kaggle), type unknown."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from serve.command import UserError, one_line
from train.data.dataset import UNKNOWN_TUMOUR, Scan, read_scans
from train.data.duplicates import find_pairs


@dataclass(frozen=True)
class Unseen:
    """A collection of tumours that is to be tested on."""

    tumours: list[Scan]  # those that are no copy of a known scan
    copies: set[str]  # `Scan.name` of the known scans that are copies of one of its images


def read_br35h(folder: Path, known: Sequence[Scan]) -> Unseen:
    """The tumour scans of `folder`/images, apart from those that are in the Kaggle dataset.

    Copies are those that br35h_tumour.csv names and all near-duplicates (train/data/duplicates.py).

    Raises:
        UserError: br35h_tumour.csv or the images are not there.
    """
    table = folder / "br35h_tumour.csv"
    try:
        with table.open(newline="", encoding="utf-8") as file:
            copy_of = {row["file"]: row["kaggle_duplicate"] for row in csv.DictReader(file)}
    except OSError as error:
        raise UserError(one_line(error)) from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{table}: not such a table ({one_line(error)})") from error
    except KeyError as error:
        raise UserError(f"{table}: has no column {error}") from error
    files = [(folder / "images" / name, UNKNOWN_TUMOUR) for name in copy_of]
    scans = read_scans(files, part="Br35H")
    if not scans:
        raise UserError(f"{folder / 'images'}: none of the files in {table} is there")
    pairs = find_pairs([*known, *scans])
    across = (pairs.first < len(known)) & (pairs.second >= len(known))
    copied = {scans[i - len(known)].path.name for i in pairs.second[across]}
    copied |= {name for name, copy in copy_of.items() if copy}
    return Unseen(
        [scan for scan in scans if scan.path.name not in copied],
        {known[i].name for i in pairs.first[across]} | set(filter(None, copy_of.values())),
    )
