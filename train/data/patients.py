"""Whose slices the figshare collection's are, as its own files state it (cjdata.PID)."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from serve.command import UserError, one_line
from train.data.dataset import Scan, Slice


@dataclass(frozen=True)
class Patient:
    """The patient of one slice."""

    person: str  # the patient's number, without the letter that marks a repeat examination
    fold: int  # from 0, of the five that the collection's author published


def read_patients(path: Path) -> dict[int, Patient]:
    """figshare_patients.csv -> the patient of every slice, by `Slice.index`.

    Raises:
        UserError: the file cannot be read, lacks a column or names no slice.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            found = {
                int(row["figshare_index"]): Patient(row["person"], int(row["author_fold"]) - 1)
                for row in csv.DictReader(file)
            }
    except OSError as error:
        raise UserError(one_line(error)) from error
    except (ValueError, TypeError, csv.Error) as error:
        raise UserError(f"{path}: not such a table ({one_line(error)})") from error
    except KeyError as error:
        raise UserError(f"{path}: has no column {error}") from error
    if not found:
        raise UserError(f"{path}: names no slice")
    return found


def persons_on(
    scans: Sequence[Scan], slices: Mapping[str, Slice], patients: Mapping[int, Patient]
) -> dict[str, str]:
    """Who is on each scan that is a slice of the collection, by `Scan.name`.

    Raises:
        UserError: the patient of a slice is not known.
    """
    known = {scan.name: slices[scan.name].index for scan in scans if scan.name in slices}
    if missing := set(known.values()) - patients.keys():
        raise UserError(f"the table of patients has no slice {min(missing)}")
    return {name: patients[index].person for name, index in known.items()}
