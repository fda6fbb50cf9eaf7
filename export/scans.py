"""Where the scans lie that models/trained_on.csv names, of the dataset and of other hospitals."""

from __future__ import annotations

import csv
from pathlib import Path

from serve.artifacts import TRAINED_ON_NAME
from serve.command import UserError
from serve.names import BR35H, LABEL_OF, LABELS, NOTUMOR, PARTS
from serve.trained_on import files_of, label_of, name_of


def testing_of(data: Path) -> dict[str, Path]:
    """The scans of `data`/Testing, by name."""
    return {
        name_of("Testing", label, path.name): path
        for label, folder in enumerate(LABELS)
        for path in sorted((data / "Testing" / folder).iterdir())
    }


def collected_in(folder: Path) -> dict[str, Path]:
    """The scans of `folder`/collections.csv, by name.

    Raises:
        UserError: there is no such table.
    """
    table = folder / "collections.csv"
    try:
        with table.open(newline="", encoding="utf-8") as file:
            paths = [(row, folder / row["file"]) for row in csv.DictReader(file)]
            return {
                name_of(row["collection"], LABEL_OF[row["class"]], path.name): path
                for row, path in paths
            }
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{table}: no table of collections ({error!r})") from None


def left_out(
    models: Path, data: Path, collections: Path | None, br35h: Path | None
) -> dict[str, dict[str, Path]]:
    """What the training left out of each hospital, by name. One without tumour-free scans is held
    against the dataset's.

    Args:
        models: the folder of trained_on.csv.
        data: the dataset.
        collections: with collections.csv; without it only Br35H's.
        br35h: with images/; without it none of Br35H's.

    Raises:
        UserError: a scan is not there, or none was left out.
    """
    known = collected_in(collections) if collections else {}
    tested: dict[str, dict[str, Path]] = {}
    healthy: dict[str, Path] = {}
    for name in sorted(files_of("test", models)):
        part, _, file = name.split("/")
        if part in PARTS:
            if label_of(name) == NOTUMOR:
                healthy[name] = data / name
        elif part == BR35H and br35h:
            tested.setdefault(part, {})[name] = br35h / "images" / file
        elif part != BR35H and collections:
            tested.setdefault(part, {})[name] = known.get(name, collections / name)
    if not tested:
        raise UserError(f"{models / TRAINED_ON_NAME}: no scan of these hospitals was left out")
    for own in tested.values():
        if not any(label_of(name) == NOTUMOR for name in own):
            own |= healthy
    paths = [path for own in tested.values() for path in own.values()]
    if missing := [path for path in paths if not path.is_file()]:
        raise UserError(f"{missing[0]}: not there, and the training left it out")
    return tested


def of_hospitals(
    models: Path, data: Path, collections: Path | None, br35h: Path | None
) -> dict[str, Path]:
    """The scans of `left_out` that are not of the dataset."""
    hospitals = left_out(models, data, collections, br35h).values()
    scans = {name: path for own in hospitals for name, path in own.items()}
    return {name: path for name, path in scans.items() if name.split("/")[0] not in PARTS}
