"""Which pictures are copies of each other, mirrored ones too, whatever their compression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from train.data.dataset import Scan

SIDE = 64  # pixels of the small grey copies that are compared
# Correlation of two copies. Copies of one slice lie above 0.999, neighbouring slices of a
# patient nearly always below 0.985; python -m train.audit --slices measures how they part.
ALIKE = 0.99
CHUNK = 1024


@dataclass(frozen=True)
class Pairs:
    """Near-duplicates, each pair once, first < second; all arrays (P,)."""

    first: np.ndarray  # int, index of a scan
    second: np.ndarray
    similarity: np.ndarray  # float32, correlation of the small grey copies
    mirrored: np.ndarray  # bool, one is the left-right mirror image of the other


def find_pairs(scans: Sequence[Scan]) -> Pairs:
    """Compare every scan with every other, as it is and mirrored left to right.

    Similarity is Pearson's correlation of grey levels, so brightness and contrast do not count.
    """
    grey = np.stack([_grey(scan) for scan in tqdm(scans, desc="small copies", unit="image")])
    copies, mirrors = _standardized(grey), _standardized(grey[:, :, ::-1])
    found = []
    for start in tqdm(range(0, len(scans), CHUNK), desc="comparing", unit="chunk"):
        rows = copies[start : start + CHUNK]
        direct, mirrored = rows @ copies.T, rows @ mirrors.T
        similarity = np.maximum(direct, mirrored)
        first, second = np.nonzero(np.triu(similarity >= ALIKE, k=start + 1))
        found.append(
            (
                first + start,
                second,
                similarity[first, second],
                (mirrored > direct)[first, second],
            )
        )
    return Pairs(*(np.concatenate(column) for column in zip(*found, strict=True)))


def connected_groups(pairs: Pairs, scans: int) -> np.ndarray:
    """Number the groups of scans that pairs connect, int (scans,)."""
    return _components(pairs.first, pairs.second, scans)


def related_groups(scans: Sequence[Scan], pairs: Pairs, persons: Mapping[str, str]) -> np.ndarray:
    """Number the groups of scans that are not independent of each other, int (scans,).

    Near-duplicates, and the slices of one person.

    Args:
        scans: the whole dataset.
        pairs: the near-duplicates in it.
        persons: who is on a scan, by `Scan.name`, where that is known.
    """
    of_person: dict[str, int] = {}
    first, second = pairs.first.tolist(), pairs.second.tolist()
    for i, scan in enumerate(scans):
        if person := persons.get(scan.name):
            first.append(of_person.setdefault(person, i))
            second.append(i)
    return _components(first, second, len(scans))


def _components(first: Sequence[int], second: Sequence[int], count: int) -> np.ndarray:
    edges = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    return connected_components(edges, directed=False)[1]


def _grey(scan: Scan) -> np.ndarray:
    image = Image.fromarray(scan.pixels()).convert("L")
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)


def _standardized(images: np.ndarray) -> np.ndarray:
    flat = images.reshape(len(images), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
