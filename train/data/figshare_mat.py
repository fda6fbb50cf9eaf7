"""The figshare brain tumour collection as its author published it: 3,064 .mat files and cvind.mat.

J. Cheng, doi 10.6084/m9.figshare.1512427. A file N.mat is slice N (MATLAB 7.3, which is HDF5, so
that rows and columns are swapped): cjdata/image, tumorMask, PID, label and tumorBorder. cvind.mat
holds the fold, 1 to 5, of every slice.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from PIL import Image
from scipy.io import loadmat
from tqdm import tqdm

from serve.artifacts import replacing
from serve.command import UserError
from serve.names import INPUT_SIZE
from train.data.collected import save_mask
from train.data.copies import grey_levels
from train.data.dataset import Scan

CLASSES = {1: "meningioma", 2: "glioma", 3: "pituitary"}
SIDE = 64  # pixels of the small copies that find the candidates
CANDIDATES = 3
CHUNK = 256
SAME = 0.98  # correlation at 224x224: slices reach 0.9996, blurred ones 0.995, others 0.953
PATIENT_COLUMNS = ("figshare_index", "patient_id", "person", "class", "author_fold")
SLICE_COLUMNS = (
    *("split", "class", "file", "figshare_index", "mirrored", "figshare_class"),
    *("x_min", "y_min", "x_max", "y_max", "correlation"),
)


@dataclass(frozen=True)
class MatSlice:
    """One slice of the collection."""

    index: int
    grey: np.ndarray  # uint8 (224, 224), from its darkest to its brightest
    mask: np.ndarray  # bool (H, W), the tumour
    patient: str
    label: str  # "glioma", ...

    @property
    def person(self) -> str:
        """The patient's number without the letter that marks a repeat examination."""
        return re.sub(r"[A-Za-z]$", "", self.patient)

    def box(self, mirrored: bool) -> list[float]:
        """The tumour's left, top, right and bottom, as fractions of width and height."""
        mask = self.mask[:, ::-1] if mirrored else self.mask
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        height, width = mask.shape
        if not len(rows):
            return [0.0, 0.0, 0.0, 0.0]
        return [
            columns[0] / width,
            rows[0] / height,
            (columns[-1] + 1) / width,
            (rows[-1] + 1) / height,
        ]


@dataclass(frozen=True)
class Found:
    """The slice that a scan of the dataset is."""

    scan: Scan
    slice: MatSlice
    mirrored: bool
    correlation: float


def read_slices_of(folder: Path) -> list[MatSlice]:
    """Every slice in the folder and in those within it, by index.

    Raises:
        UserError: there is none, or one cannot be read.
    """
    files = sorted(
        (path for path in folder.rglob("*.mat") if path.stem.isdigit()),
        key=lambda path: int(path.stem),
    )
    if not files:
        hint = " (unpack its .zip files first)" if any(folder.rglob("*.zip")) else ""
        raise UserError(f"{folder}: has no file like 1.mat{hint}")
    return [read_mat(path) for path in tqdm(files, "figshare", unit="slice", delay=1)]


def read_mat(path: Path) -> MatSlice:
    """Read one slice, N.mat.

    Raises:
        UserError: it is no such file.
    """
    try:
        with h5py.File(path) as file:
            data = file["cjdata"]
            image = np.asarray(data["image"], np.float32).T
            mask = np.asarray(data["tumorMask"]).T > 0
            patient = "".join(chr(code) for code in np.asarray(data["PID"]).ravel())
            label = CLASSES[int(np.asarray(data["label"]).item())]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: no slice of the figshare collection ({error})") from error
    if image.ndim != 2 or mask.shape != image.shape:
        raise UserError(f"{path}: image and mask are {image.shape} and {mask.shape}")
    low, high = image.min(), image.max()
    levels = (image - low) / max(high - low, 1e-6) * 255
    grey = Image.fromarray(levels.round().astype(np.uint8))
    size = (INPUT_SIZE, INPUT_SIZE)
    stretched = np.asarray(grey.resize(size, Image.Resampling.BILINEAR))
    return MatSlice(int(path.stem), stretched, mask, patient.strip(), label)


def read_author_folds(folder: Path) -> np.ndarray:
    """cvind.mat -> int (slices,): the fold, from 1, of slice 1 and so on.

    Raises:
        UserError: it is missing or holds no folds.
    """
    path = next(iter(sorted(folder.rglob("cvind.mat"))), None)
    if path is None:
        raise UserError(f"{folder}: has no cvind.mat, the folds of the author")
    try:
        if h5py.is_hdf5(path):
            with h5py.File(path) as file:
                folds = np.asarray(file["cvind"])
        else:
            folds = loadmat(path)["cvind"]
        return folds.ravel().astype(int)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: holds no folds ({error})") from error


def write_masks(slices: Sequence[MatSlice], folder: Path) -> None:
    """`folder`/INDEX.png; those that are there stay."""
    for one in tqdm(slices, "masks", unit="mask", delay=1):
        save_mask(one.mask, folder / f"{one.index}.png")


def write_patients(slices: Sequence[MatSlice], folds: np.ndarray, path: Path) -> None:
    """figshare_patients.csv.

    Raises:
        UserError: there is no fold for a slice.
    """
    if slices[-1].index > len(folds):
        raise UserError(f"cvind.mat: has no fold of slice {slices[-1].index}")
    rows = [(s.index, s.patient, s.person, s.label, folds[s.index - 1]) for s in slices]
    _write(path, PATIENT_COLUMNS, rows)


def write_slices(slices: Sequence[MatSlice], scans: Sequence[Scan], path: Path) -> int:
    """figshare_slices.csv: which scans of the dataset are which slices; returns how many are."""
    rows = [
        (
            *found.scan.name.split("/"),
            found.slice.index,
            int(found.mirrored),
            found.slice.label,
            *(round(float(edge), 3) for edge in found.slice.box(found.mirrored)),
            round(found.correlation, 4),
        )
        for found in find_slices(slices, scans)
    ]
    _write(path, SLICE_COLUMNS, sorted(rows))
    return len(rows)


def find_slices(slices: Sequence[MatSlice], scans: Sequence[Scan]) -> Iterator[Found]:
    """The scans that are slices, mirrored left to right or not.

    Pearson's correlation of grey levels: small copies propose, whole pictures decide.
    """
    small = np.stack([_unit(_shrunk(one.grey)) for one in slices])
    mirrors = small.reshape(-1, SIDE, SIDE)[:, :, ::-1].reshape(small.shape)
    proposals = np.concatenate([small, mirrors]).T
    for start in tqdm(range(0, len(scans), CHUNK), "matching", unit="chunk", delay=1):
        chunk = scans[start : start + CHUNK]
        greys = grey_levels(chunk)
        alike = np.stack([_unit(_shrunk(grey)) for grey in greys]) @ proposals
        for scan, grey, best in zip(chunk, greys, np.argsort(-alike)[:, :CANDIDATES], strict=True):
            found = [_compare(scan, grey, slices, int(place)) for place in best]
            closest = max(found, key=lambda one: one.correlation)
            if closest.correlation >= SAME:
                yield closest


def _compare(scan: Scan, grey: np.ndarray, slices: Sequence[MatSlice], place: int) -> Found:
    mirrored, number = divmod(place, len(slices))
    other = slices[number].grey[:, ::-1] if mirrored else slices[number].grey
    correlation = min(float(_unit(grey) @ _unit(other)), 1.0)
    return Found(scan, slices[number], bool(mirrored), correlation)


def _shrunk(grey: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _unit(grey: np.ndarray) -> np.ndarray:
    flat = grey.ravel().astype(np.float32)
    flat -= flat.mean()
    return flat / max(np.linalg.norm(flat), 1e-6)


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
