"""The Brain Tumor MRI dataset on disk: DIR/{Training,Testing}/CLASS/*.jpg."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from serve.command import UserError, one_line
from serve.formats.raster import InvalidImageError, load_pixels
from serve.names import INPUT_SIZE, LABELS, PARTS, UNKNOWN_TUMOUR
from serve.trained_on import name_of

DOWNLOAD_HELP = (
    "the Brain Tumor MRI Dataset has one: "
    "kaggle datasets download masoudnickparvar/brain-tumor-mri-dataset --unzip"
)


@dataclass(frozen=True)
class Scan:
    """One readable image file of the dataset."""

    path: Path
    part: str
    label: int  # index into LABELS, or UNKNOWN_TUMOUR
    digest: str  # SHA-256 of the file, 64 hexadecimal digits

    @property
    def name(self) -> str:
        """Part, class and file name: how the dataset itself names the scan."""
        return name_of(self.part, self.label, self.path.name)

    def pixels(self) -> np.ndarray:
        """uint8 (224, 224, 3), RGB."""
        return load_pixels(self.path, INPUT_SIZE)


@dataclass(frozen=True)
class Slice:
    """A slice of the figshare collection; those of one patient have consecutive indices."""

    index: int
    label: int  # the radiologists', index into LABELS
    mirrored: bool  # the scan is the left-right mirror image of the slice


def find_scans(data: Path, part: str) -> list[Scan]:
    """List the readable scans of `data`/`part`, sorted by class and name.

    Every file is decoded once; one that cannot be is named on standard error and left out.

    Raises:
        UserError: a class folder is missing or has no readable image.
    """
    files = [
        (path, label) for label, name in enumerate(LABELS) for path in _files(data / part / name)
    ]
    scans = read_scans(files, part)
    for label, name in enumerate(LABELS):
        if not any(scan.label == label for scan in scans):
            raise UserError(f"{data / part / name}: none of its files is a readable image")
    return scans


def find_all_scans(data: Path) -> list[Scan]:
    """The readable scans of both parts, Training first; see `find_scans`."""
    return [scan for part in PARTS for scan in find_scans(data, part)]


def read_scans(files: Sequence[tuple[Path, int]], part: str) -> list[Scan]:
    """Decode each (path, label) once; a file that cannot be is named and left out."""
    scans = []
    with (
        ThreadPoolExecutor() as pool,
        tqdm(total=len(files), desc=f"reading {part}", unit="image", delay=1) as bar,
    ):
        for scan in pool.map(lambda file: _read(*file, part), files):
            bar.update()
            if isinstance(scan, Scan):
                scans.append(scan)
            else:
                bar.write(f"left out: {scan}")
    return scans


def class_counts(scans: list[Scan]) -> str:
    """ "1321 glioma, 1339 meningioma, ..." """
    counts = Counter(scan.label for scan in scans)
    names = dict(enumerate(LABELS))
    if counts[UNKNOWN_TUMOUR]:
        names[UNKNOWN_TUMOUR] = "tumours of unknown type"
    return ", ".join(f"{counts[label]} {name}" for label, name in names.items())


def read_slices(path: Path) -> dict[str, Slice]:
    """figshare_slices.csv -> the slice that each scan is, by `Scan.name`.

    Raises:
        UserError: the file cannot be read or lacks a column.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {
                f"{row['split']}/{row['class']}/{row['file']}": Slice(
                    int(row["figshare_index"]),
                    LABELS.index(row["figshare_class"]),
                    row["mirrored"] == "1",
                )
                for row in csv.DictReader(file)
            }
    except OSError as error:
        raise UserError(one_line(error)) from error
    except (ValueError, TypeError, csv.Error) as error:
        raise UserError(f"{path}: not such a table ({one_line(error)})") from error
    except KeyError as error:
        raise UserError(f"{path}: has no column {error}") from error


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder ({DOWNLOAD_HELP})")
    files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    if not files:
        raise UserError(f"{folder}: the folder is empty ({DOWNLOAD_HELP})")
    return files


def _read(path: Path, label: int, part: str) -> Scan | InvalidImageError:
    try:
        content = path.read_bytes()
        load_pixels(content, INPUT_SIZE, name=str(path))
    except InvalidImageError as error:
        return error
    except OSError as error:
        return InvalidImageError(str(path), error.strerror or "it cannot be read")
    return Scan(path, part, label, hashlib.sha256(content).hexdigest())
