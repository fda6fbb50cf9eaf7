"""Writing what other hospitals' downloads hold in one layout, see train/data/collections.py.

DIR/COLLECTION/CLASS/FILE.jpg    grey, 224x224, stretched like the dataset's
DIR/masks/COLLECTION/FILE.png    1 bit, 224x224, the tumour
DIR/collections.csv              collection, class, file, group, copy_of, mask
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from serve.artifacts import replacing
from serve.command import UserError
from serve.formats.raster import SUFFIXES, InvalidImageError, load_image
from serve.names import INPUT_SIZE

SIZE = (INPUT_SIZE, INPUT_SIZE)
QUALITY = 90
SIDE = 32  # pixels of the small copies that are compared
TABLE = "collections.csv"
DATASET = "brain_tumor_mri"  # what copy_of calls the Kaggle dataset


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    collection: str
    label: str  # column `class`
    file: str  # from the table's folder
    group: str  # the patient where it is known, else a cluster of look-alikes
    copy_of: str = ""  # the dataset's picture that it is a copy of
    mask: str = ""


COLUMNS = ("collection", "class", "file", "group", "copy_of", "mask")


def read_table(folder: Path) -> list[Row]:
    """What was collected so far.

    Raises:
        UserError: the table is none.
    """
    path = folder / TABLE
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        try:
            return [Row(*(row[column] for column in COLUMNS)) for row in csv.DictReader(file)]
        except KeyError as error:
            raise UserError(f"{path}: has no column {error}") from error


def add_to_table(folder: Path, rows: Sequence[Row]) -> None:
    """Add a collection's rows to the table."""
    own = {row.collection for row in rows}
    others = [row for row in read_table(folder) if row.collection not in own]
    path = folder / TABLE
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(map(dataclasses.astuple, [*others, *rows]))


def pictures_in(folder: Path) -> Iterator[Path]:
    """The picture files of a folder and of those within it, sorted."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            yield path


def read_grey(path: Path) -> np.ndarray:
    """Grey levels, uint8 (224, 224).

    Raises:
        UserError: it is no readable picture.
    """
    try:
        return stretched(np.asarray(load_image(path).convert("L")))
    except InvalidImageError as error:
        raise UserError(str(error)) from error


def stretched(grey: np.ndarray) -> np.ndarray:
    """uint8 (H, W) -> (224, 224)."""
    return np.asarray(Image.fromarray(grey).resize(SIZE, Image.Resampling.BILINEAR))


def small_copies(greys: Sequence[np.ndarray]) -> np.ndarray:
    """Of each, float32 (N, 32, 32), of zero mean and unit length: products are correlations."""
    size = (SIDE, SIDE)
    small = np.stack([cv2.resize(grey, size, interpolation=cv2.INTER_AREA) for grey in greys])
    small = small - small.mean(axis=(1, 2), keepdims=True, dtype=np.float32)
    return small / np.maximum(np.linalg.norm(small, axis=(1, 2), keepdims=True), 1e-6)


def save_grey(grey: np.ndarray, path: Path, quality: int = QUALITY) -> None:
    """Write a JPEG file, unless it is there."""
    if not path.exists():
        with replacing(path) as temporary:
            Image.fromarray(grey).save(temporary, "jpeg", quality=quality)


def save_mask(mask: np.ndarray, path: Path) -> None:
    """Write bool (H, W) as 224x224 pixels of 1 bit, unless it is there."""
    if not path.exists():
        with replacing(path) as temporary:
            Image.fromarray(mask).resize(SIZE, Image.Resampling.NEAREST).save(temporary, "png")
