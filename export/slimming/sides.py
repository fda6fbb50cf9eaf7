"""The scans that the slim network may learn from: the published model's own training side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from export.scans import collected_in
from serve.command import UserError
from serve.names import BR35H, PARTS
from serve.trained_on import TrainedOn, read_trained_on


@dataclass(frozen=True)
class Folders:
    """Where scans lie."""

    data: Path  # {Training,Testing}/CLASS/FILE
    collections: Path | None = None  # what train.collect makes: collections.csv and its files
    br35h: Path | None = None  # images/FILE


@dataclass(frozen=True)
class Scan:
    """A scan that models/trained_on.csv names."""

    path: Path
    collection: str  # "" for the dataset
    label: str

    @property
    def cell(self) -> str:
        """What the scans around one mean of the out-of-distribution score share."""
        return f"{self.collection} {self.label}"


@dataclass(frozen=True)
class Sides:
    """Training, and of it or beside it what sets the threshold of the refusal."""

    training: list[Scan]
    validation: list[Scan]
    tested: list[Scan]


def read_sides(models: Path, folders: Folders) -> Sides:
    """The scans of each side that are in the folders.

    Where the training kept no validation side, it is one fold of the training side, which is
    then in the training side no more, as for the published model's own score.

    Raises:
        UserError: there are none, or see `serve.trained_on.read_trained_on`.
    """
    rows = read_trained_on(models)
    held = [row for row in rows if row.side == "validation"]
    if not held:
        fold = min((row.fold for row in rows if row.side == "training" and row.fold), default="")
        held = [row for row in rows if row.side == "training" and row.fold == fold]
    names = {row.file for row in held}
    learnt = [row for row in rows if row.side == "training" and row.file not in names]
    tested = [row for row in rows if row.side == "test"]
    collected = collected_in(folders.collections) if folders.collections else {}
    sides = Sides(*(_scans(part, folders, collected) for part in (learnt, held, tested)))
    for side in ("training", "validation", "tested"):
        if not getattr(sides, side):
            raise UserError(f"{folders.data}: holds no scan of the model's {side} side")
    return sides


def _scans(
    rows: Sequence[TrainedOn], folders: Folders, collected: Mapping[str, Path]
) -> list[Scan]:
    found = []
    for row in rows:
        part, label, file = row.file.split("/", 2)
        if part in PARTS:
            scan = Scan(folders.data / row.file, "", label)
        elif part == BR35H and folders.br35h:
            scan = Scan(folders.br35h / "images" / file, part, label)
        elif row.file in collected:
            scan = Scan(collected[row.file], part, label)
        else:
            continue
        if scan.path.is_file():
            found.append(scan)
    return found
