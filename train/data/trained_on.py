"""The sides of a checkpoint's training, written to models/trained_on.csv and found again there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from serve.artifacts import TRAINED_ON_NAME
from serve.command import UserError
from serve.trained_on import Side, TrainedOn, read_trained_on, write_trained_on
from train.data.dataset import PARTS, Scan
from train.data.folds import Placed, Sides, read_folds


def record_sides(sides: Sides, placed: Mapping[str, Placed], models: Path) -> None:
    """Write a line for every scan of the sides, with its fold where it has one."""
    parts: dict[Side, list[Scan]] = {
        "training": sides.training,
        "validation": sides.validation,
        "test": sides.tested,
    }
    rows = [
        TrainedOn(scan.name, side, str(placed[scan.name].fold) if scan.name in placed else "")
        for side, scans in parts.items()
        for scan in scans
    ]
    write_trained_on(rows, models)


def recorded_sides(scans: Sequence[Scan], models: Path) -> Sides:
    """The sides of the checkpoint in `models`; of its training side what is in the dataset.

    Args:
        scans: of both parts of the dataset, and of other hospitals if they are asked for.
        models: the folder of the checkpoint and of its trained_on.csv.

    Raises:
        UserError: its training left nothing to be tested on, a scan of the dataset on its
            validation or test side is not there, or see `serve.trained_on.read_trained_on`.
    """
    path = models / TRAINED_ON_NAME
    side_of = {row.file: row.side for row in read_trained_on(models)}
    if "test" not in side_of.values():
        raise UserError(f"{path}: the training left no patients out (--train-on patient)")
    held_out = {
        file
        for file, side in side_of.items()
        if side != "training" and file.startswith(tuple(f"{part}/" for part in PARTS))
    }
    if missing := held_out - {scan.name for scan in scans}:
        raise UserError(f"{path}: the dataset has no {min(missing)}")

    def scans_of(side: Side) -> list[Scan]:
        return [scan for scan in scans if side_of.get(scan.name) == side]

    placed, tested = read_folds(), scans_of("test")
    labels = [placed[scan.name].label if scan.name in placed else scan.label for scan in tested]
    return Sides(scans_of("training"), scans_of("validation"), tested, labels)
