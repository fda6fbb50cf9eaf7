"""Other hospitals' collections as anyone can download them, read into one layout.

Each function takes the unpacked download and writes pictures, masks and rows as
train/data/collected.py says. A file that is there already is not written again.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from serve.command import UserError
from train.data.collected import (
    DATASET,
    Row,
    pictures_in,
    read_grey,
    save_grey,
    save_mask,
    small_copies,
    stretched,
)

Lookup = Callable[[Sequence[np.ndarray]], list[str]]  # the names of the scans they are copies of

KINDS = {
    **dict.fromkeys(
        ("astrocitoma", "ependimoma", "ganglioglioma", "glioblastoma", "oligodendroglioma"),
        "glioma",
    ),
    "meningioma": "meningioma",
    "normal": "notumor",
}  # all others are tumours of another kind
SEQUENCES = ("T1", "T1C+", "T2")
LOOK_ALIKE = 0.95  # correlation of small copies

FLAIR, POST_CONTRAST = 1, 2  # channels of kaggle_3m's pictures
SMALLEST_TUMOUR = 60  # pixels of 256x256; smaller ones are on no side
DARK, LEAST_CONTENT = 10, 0.05  # grey levels; share of a slice that has to be brighter
SAME_SEQUENCE = 1.0  # grey levels; where one is missing, FLAIR stands in its place

PMRAM_CLASSES = {
    "glioma": "glioma",
    "meningioma": "meningioma",
    "normal": "notumor",
    "notumor": "notumor",
    "pituitary": "pituitary",
}


def collect_feltrin44(source: Path, output: Path, copies_of: Lookup) -> list[Row]:
    """F. Feltrin's 44 folders, KIND SEQUENCE/*; those that are copies of the dataset's are left
    out.

    Raises:
        UserError: there are no such folders, or a picture cannot be read.
    """
    found = sorted(
        ((path, kind) for path in pictures_in(source) if (kind := _kind(path.parent.name))),
        key=lambda item: (_feltrin_class(item[1]), item[0].parent.name.lstrip("_"), item[0].name),
    )
    if not found:
        raise UserError(f"{source}: has no folders like Meningioma T1C+ with pictures")
    greys = _read_all([path for path, _ in found], "feltrin44")
    roots = _look_alikes(greys, [kind for _, kind in found])
    rows = []
    for (path, kind), grey, root, copied in zip(found, greys, roots, copies_of(greys), strict=True):
        if not copied:
            folder = path.parent.name.lstrip("_").replace(" ", "_")
            label = _feltrin_class(kind)
            file = f"feltrin44/{label}/{folder}__{path.stem}.jpg"
            save_grey(grey, output / file)
            rows.append(Row("feltrin44", label, file, f"feltrin44_g{root:04d}"))
    return rows


def collect_tcga_lgg(source: Path, output: Path) -> list[Row]:
    """kaggle_3m/PATIENT/PATIENT_N.tif and PATIENT_N_mask.tif -> tcga_lgg_t1c and tcga_lgg_flair.

    All slices with a tumour, and every second of the tumour-free ones that follow each other.

    Raises:
        UserError: there are no such files, or one cannot be read.
    """
    patients = defaultdict(list)
    for mask in sorted(source.rglob("*_mask.tif")):
        if (slice_ := mask.with_name(mask.name.replace("_mask.tif", ".tif"))).exists():
            patients[mask.parent.name].append(slice_)
    if not patients:
        raise UserError(f"{source}: has no files like PATIENT/PATIENT_1.tif and PATIENT_1_mask.tif")
    rows = []
    for name, files in tqdm(sorted(patients.items()), "tcga_lgg", unit="patient", delay=1):
        slices = {int(path.stem.rsplit("_", 1)[1]): _read_tif(path) for path in files}
        masks = {
            int(path.stem.rsplit("_", 1)[1]): _read_tif(
                path.with_name(f"{path.stem}_mask.tif")
            ).max(axis=2)
            > 0
            for path in files
        }
        for collection, channel in (("tcga_lgg_t1c", POST_CONTRAST), ("tcga_lgg_flair", FLAIR)):
            if channel != FLAIR and _is_missing(list(slices.values()), channel):
                continue
            greys = {number: image[:, :, channel] for number, image in slices.items()}
            rows += _patient(collection, name, greys, masks, output)
    return sorted(rows, key=lambda row: (row.collection != "tcga_lgg_t1c", row.label, row.file))


def collect_pmram(source: Path, output: Path, copies_of: Lookup) -> list[Row]:
    """PMRAM's raw pictures, 512Glioma/* and so on; `copy_of` names the dataset's picture.

    Raises:
        UserError: there are no such folders, or a picture cannot be read.
    """
    found = [
        (path, label)
        for path in pictures_in(source)
        if (label := PMRAM_CLASSES.get(path.parent.name.lower().lstrip("0123456789_- ")))
        and "augmented" not in str(path.relative_to(source)).lower()
    ]
    found.sort(key=lambda item: (item[1], item[0].name))
    if not found:
        raise UserError(f"{source}: has no folders like 512Glioma with pictures")
    greys = _read_all([path for path, _ in found], "pmram")
    copied = copies_of(greys)
    roots = _look_alikes(greys, [label for _, label in found], copied)
    rows = []
    for (path, label), grey, root, copy_of in zip(found, greys, roots, copied, strict=True):
        file = f"pmram/{label}/{path.stem}.jpg"
        save_grey(grey, output / file)
        name = f"{DATASET}/{copy_of}" if copy_of else ""
        rows.append(Row("pmram", label, file, f"pmram_g{root:04d}", name))
    return rows


def _kind(folder: str) -> str:
    """ "Meningioma T1C+" -> "meningioma"; "" of other folders."""
    words = re.split(r"[ _]+", folder.strip(" _"))
    return words[0].lower() if len(words) == 2 and words[1].upper() in SEQUENCES else ""


def _feltrin_class(kind: str) -> str:
    return KINDS.get(kind, "other_tumour")


def _read_all(files: Sequence[Path], name: str) -> list[np.ndarray]:
    return [read_grey(path) for path in tqdm(files, name, unit="image", delay=1)]


def _look_alikes(
    greys: Sequence[np.ndarray], kinds: Sequence[str], copied: Sequence[str] = ()
) -> np.ndarray:
    """int (N,): the first of the pictures of its kind that one looks like, directly or by way of
    others; pictures that are copies of the same scan look alike."""
    flat = small_copies(greys).reshape(len(greys), -1)
    own = np.unique(kinds, return_inverse=True)[1]
    first, second = np.nonzero((flat @ flat.T > LOOK_ALIKE) & (own[:, None] == own))
    of_scan: dict[str, int] = {}
    pairs = [(of_scan.setdefault(scan, i), i) for i, scan in enumerate(copied) if scan]
    first = np.concatenate([first, [one for one, _ in pairs]]).astype(int)
    second = np.concatenate([second, [other for _, other in pairs]]).astype(int)
    links = coo_array((np.ones(len(first), bool), (first, second)), shape=(len(greys),) * 2)
    groups = connected_components(links, directed=False)[1]
    return np.unique(groups, return_index=True)[1][groups]


def _read_tif(path: Path) -> np.ndarray:
    """uint8 (H, W, channels)."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise UserError(f"{path}: no readable TIFF file")
    image = np.atleast_3d(image)
    return image[:, :, ::-1] if image.shape[2] == 3 else image  # OpenCV reads BGR


def _is_missing(slices: Sequence[np.ndarray], channel: int) -> bool:
    """Whether a sequence was not taken."""
    off = [cv2.absdiff(one[:, :, channel].copy(), one[:, :, FLAIR].copy()).mean() for one in slices]
    brightest = max(one[:, :, channel].max() for one in slices)
    return brightest <= DARK or float(np.mean(off)) < SAME_SEQUENCE


def _patient(
    collection: str,
    name: str,
    greys: dict[int, np.ndarray],
    masks: dict[int, np.ndarray],
    output: Path,
) -> list[Row]:
    rows = []
    previous = None  # the tumour-free slice before, where it was taken
    for number, grey in sorted(greys.items()):
        stem = f"{name}_{number:02d}"
        mask = masks[number]
        if mask.mean() >= SMALLEST_TUMOUR / 256**2:
            file, outline = f"{collection}/glioma/{stem}.jpg", f"masks/{collection}/{stem}.png"
            save_grey(stretched(grey), output / file)
            save_mask(mask, output / outline)
            rows.append(Row(collection, "glioma", file, name, mask=outline))
        elif not mask.any() and (grey > DARK).mean() >= LEAST_CONTENT:
            if previous is not None and all(n in greys for n in range(previous, number)):
                previous = None
                continue
            previous = number
            file = f"{collection}/tumour_free/{stem}.jpg"
            save_grey(stretched(grey), output / file)
            rows.append(Row(collection, "tumour_free", file, name))
    return rows
