"""What several rooms are tested with: a handful of outlined scans, and the published dataset's
names without its pictures."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serve.names import INPUT_SIZE, LABELS, NOTUMOR
from tests.conftest import COLLECTIONS
from train.data import collections
from train.data.collections import BR35H, Collected
from train.data.dataset import UNKNOWN_TUMOUR, Scan, find_scans
from train.data.folds import Placed, read_folds
from train.data.outlines import Outline
from train.pictures.skull import solid_head


@pytest.fixture(scope="session")
def training(small_dataset) -> list[Scan]:
    """Two scans a class, and one whose tumour is of unknown type."""
    scans = find_scans(small_dataset, "Training")[::6]
    return [*scans, dataclasses.replace(scans[0], label=UNKNOWN_TUMOUR, part="Br35H")]


@pytest.fixture(scope="session")
def validation(small_dataset) -> list[Scan]:
    return find_scans(small_dataset, "Testing")[::4]


@pytest.fixture(scope="session")
def outlines(training, validation) -> dict[str, Outline]:
    """A disk for every tumour but one."""
    rows, columns = np.indices((INPUT_SIZE, INPUT_SIZE))
    found = {}
    for scan in [*training[1:], *validation]:
        if scan.label != NOTUMOR:
            row, column = np.argwhere(solid_head(scan.pixels())).mean(axis=0)
            disk = np.hypot(rows - row, columns - column + 30) < 18
            content = io.BytesIO()
            Image.fromarray(disk).save(content, "png")
            found[scan.name] = Outline(content.getvalue(), mirrored=False)
    return found


@pytest.fixture(scope="session")
def placed_scans() -> list[Scan]:
    """Every file of train/patient_folds.csv, without its picture."""
    return [
        Scan(Path(file), part, LABELS.index(folder), digest=name)
        for name in read_folds()
        for part, folder, file in (name.split("/"),)
    ]


@pytest.fixture(scope="session")
def hospitals() -> Collected:
    """What is trained on of ../shared/data/collections, without its pictures, and two made tumours
    of Br35H, of whose collection two scans of the dataset are."""
    if not COLLECTIONS.is_dir():
        pytest.skip("needs the collections in ../shared/data")

    def unread(files: list[tuple[Path, int]], part: str) -> list[Scan]:
        return [Scan(path, part, label, digest=str(path)) for path, label in files]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collections, "read_scans", unread)
        patch.setattr(collections, "read_outline", lambda path: Outline(b"", mirrored=False))
        found = collections.read_collections(COLLECTIONS)
    tumours = unread([(Path(f"y{i}.jpg"), UNKNOWN_TUMOUR) for i in range(2)], BR35H)
    placed = {
        scan.name: Placed(fold, UNKNOWN_TUMOUR, conflict=False, person=scan.name)
        for fold, scan in enumerate(tumours)
    }
    copied = [name for name, at in read_folds().items() if at.fold and not at.person][:2]
    return found | Collected(tumours, placed, {}, frozenset(copied))
