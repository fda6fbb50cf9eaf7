"""Other hospitals' scans on disk: DIR/collections.csv and the pictures and masks that it names.

Columns: collection, class, file, group, copy_of, mask. `group` is the patient where the names
tell, else a cluster of look-alikes; python -m train.collect makes the table. Classes are those of
the dataset and two more: `other_tumour`, of a type that has no class here, and `tumour_free`, a
slice without tumour of somebody who has one.
"""

from __future__ import annotations

import csv
import dataclasses
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from serve.command import UserError
from serve.names import BR35H, LABEL_OF, PARTS
from train.data.br35h import read_br35h
from train.data.dataset import Scan, read_scans
from train.data.duplicates import connected_groups, find_pairs
from train.data.folds import FOLDS, Placed, read_folds
from train.data.outlines import Outline, br35h_outlines, read_outline

NEEDED, MAY_BE_EMPTY = ("collection", "class", "file", "group"), ("copy_of", "mask")


@dataclass(frozen=True)
class Collected:
    """Scans of other hospitals; `Scan.part` is the collection, all mappings are by `Scan.name`."""

    scans: list[Scan] = field(default_factory=list)
    placed: dict[str, Placed] = field(default_factory=dict)  # `person` is the group
    outlines: dict[str, Outline] = field(default_factory=dict)
    copied: frozenset[str] = frozenset()  # scans of the dataset that are copies of one of them

    def __or__(self, other: Collected) -> Collected:
        return Collected(
            [*self.scans, *other.scans],
            self.placed | other.placed,
            self.outlines | other.outlines,
            self.copied | other.copied,
        )

    def without(self, names: Collection[str]) -> Collected:
        """All but the collections of these names."""
        scans = [scan for scan in self.scans if collection_of(scan) not in names]
        kept = {scan.name for scan in scans}
        placed, outlines = (
            {name: value for name, value in known.items() if name in kept}
            for known in (self.placed, self.outlines)
        )
        return Collected(scans, placed, outlines, frozenset() if BR35H in names else self.copied)


def place_all(collected: Collected) -> dict[str, Placed]:
    """Where the dataset's scans and the collected ones stand, by `Scan.name`."""
    own = {
        name: dataclasses.replace(at, lends=name not in collected.copied)
        for name, at in read_folds().items()
    }
    return own | collected.placed


def collection_of(scan: Scan) -> str:
    """The collection's name, "" for the dataset itself."""
    return "" if scan.part in PARTS else scan.part


def by_collection(scans: Sequence[Scan]) -> dict[str, list[Scan]]:
    """The scans of each collection; those of the dataset itself as "kaggle"."""
    found: dict[str, list[Scan]] = {}
    for scan in scans:
        found.setdefault(collection_of(scan) or "kaggle", []).append(scan)
    return found


def read_collections(folder: Path) -> Collected:
    """All scans of `folder`/collections.csv but copies of the dataset's and what copies them.

    A collection of which anything is a copy is left out as a whole: its other scans may be of the
    same people.

    Raises:
        UserError: the table cannot be read, lacks something, has a class of no meaning here or
            nothing that is no copy, two of a collection's scans share a name, a mask is missing, or
            the scans are too few to part.
    """
    table = folder / "collections.csv"
    rows = list(_rows(table))
    copies = {row["collection"] for row in rows if row["copy_of"]}
    own = {folder / row["file"]: row for row in rows if row["collection"] not in copies}
    scans: list[Scan] = []
    for collection in dict.fromkeys(row["collection"] for row in own.values()):
        files = [(p, LABEL_OF[r["class"]]) for p, r in own.items() if r["collection"] == collection]
        scans += read_scans(files, collection)
    if not scans:
        raise UserError(f"{table}: names no scan that is there and in a collection without copies")
    if twice := [name for name, count in Counter(s.name for s in scans).items() if count > 1]:
        raise UserError(f"{table}: two files would be called {twice[0]}")
    outlines = {
        scan.name: read_outline(folder / own[scan.path]["mask"])
        for scan in scans
        if own[scan.path]["mask"]
    }
    return Collected(scans, _placed(scans, [own[scan.path]["group"] for scan in scans]), outlines)


def read_br35h_collection(folder: Path, known: Sequence[Scan]) -> Collected:
    """The tumours of Br35H that are in no other collection, as a collection of their own.

    Its patients are not known; a group is what near-duplicates connect.

    Raises:
        UserError: see `train.data.br35h.read_br35h`.
    """
    unseen = read_br35h(folder, known)
    scans = [dataclasses.replace(scan, part=BR35H) for scan in unseen.tumours]
    groups = [f"{BR35H}_{group}" for group in connected_groups(find_pairs(scans), len(scans))]
    outlines = br35h_outlines(scans, folder / "masks")
    return Collected(scans, _placed(scans, groups), outlines, frozenset(unseen.copies))


def _placed(scans: Sequence[Scan], groups: Sequence[str]) -> dict[str, Placed]:
    """A fold for every scan: whole groups, classes of every collection balanced.

    Raises:
        UserError: they are too few.
    """
    folds = np.zeros(len(scans), int)
    kinds = [f"{scan.part} {scan.label}" for scan in scans]
    parts = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    try:
        for fold, (_, own) in enumerate(parts.split(scans, kinds, groups)):
            folds[own] = fold
    except ValueError as error:
        raise UserError(f"{len(scans)} scans of other hospitals are too few ({error})") from error
    return {
        scan.name: Placed(int(fold), scan.label, conflict=False, person=group)
        for scan, fold, group in zip(scans, folds, groups, strict=True)
    }


def _rows(table: Path) -> Iterator[Mapping[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            for row in rows:
                lacking = [name for name in NEEDED if not row.get(name)]
                lacking += [name for name in MAY_BE_EMPTY if row.get(name) is None]
                if lacking:
                    raise UserError(f"{table}: line {rows.line_num} has no {lacking[0]}")
                if row["class"] not in LABEL_OF:
                    raise UserError(f"{table}: no class is called {row['class']}")
                yield row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{table}: {error}") from error
