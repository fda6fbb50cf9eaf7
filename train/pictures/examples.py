"""The pictures that the robust recipe learns from: a scan, perhaps without or with another's
tumour, distorted, and where its evidence should lie.

What is drawn depends on the seed, the scan, the number of its view and the scans that lend it
tumours and grey levels: those of the training side that are in the same fold of
train/patient_folds.csv, of persons who are in no other. So a patient's tumour never gets to
another side of the `patient` protocol, and all of its trainings share their views.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from joblib import Parallel, cpu_count, delayed

from serve.measures import covered
from serve.names import INPUT_SIZE, MAP_CELLS, NOTUMOR, TUMOURS
from train.data.dataset import Scan
from train.data.folds import NOWHERE, persons_in_several_folds, read_folds
from train.data.outlines import Outline
from train.network.class_maps import MAPS
from train.pictures.counterfactual import paste_tumour, patch_tissue, remove_tumour
from train.pictures.distort import shade, warp
from train.recipes import RobustRecipe

CHUNK = 32  # of views that a process draws at a time
AHEAD = 2048  # views are drawn at most, 200 KB each, before they are asked for
NO_TUMOUR = np.zeros((INPUT_SIZE, INPUT_SIZE), bool)


@dataclass(frozen=True)
class Example:
    """A picture and what is to be answered."""

    pixels: np.ndarray  # uint8 (224, 224, 3), RGB
    label: int  # index into LABELS, or UNKNOWN_TUMOUR
    mask: np.ndarray | None  # bool (224, 224), the tumour, empty without one; None: not known

    def wanted(self) -> np.ndarray:
        """Where each map of `train.network.class_maps.ClassMaps` should lie, float32 (5, 14, 14).

        Positive where it should, 1 in the cell that the tumour covers most; zero elsewhere;
        -1 all over where it should be empty. All zero where nothing is asked of the map.
        """
        wanted = np.zeros((MAPS, MAP_CELLS, MAP_CELLS), np.float32)
        if self.label == NOTUMOR:
            wanted[TUMOURS] = -1
        elif self.mask is not None and self.mask.any():
            share = covered(self.mask)
            wanted[self.label] = share / share.max()
        return wanted


@dataclass(frozen=True)
class Pool:
    """The scans that lend to those of their fold."""

    scans: Sequence[Scan]
    tumours: Sequence[Scan]  # those of a known type and outline
    digest: str  # of what a view follows from, besides its own scan


class Examples:
    """Draws the examples of a training side.

    Args:
        training: the scans that lend tumours and grey levels.
        outlines: by `Scan.name`; without any, no tumour is moved.
        recipe: how often and how far.
        seed: of everything drawn.
    """

    def __init__(
        self,
        training: Sequence[Scan],
        outlines: Mapping[str, Outline],
        recipe: RobustRecipe,
        seed: int,
    ) -> None:
        self._outlines, self._recipe, self._seed = outlines, recipe, seed
        self._folds = read_folds()
        roaming = persons_in_several_folds(self._folds)
        lenders: dict[int, list[Scan]] = defaultdict(list)
        for scan in training:
            if scan.name not in self._folds or self._folds[scan.name].person not in roaming:
                lenders[self._fold(scan)].append(scan)
        self._pools = {fold: self._pool(scans) for fold, scans in lenders.items()}

    def source(self, scan: Scan, view: int) -> str:
        """SHA-256 of what a view follows from; that of the scan's file for view 0."""
        if view == 0:
            return scan.digest
        return _digest(describe_scans([scan], self._outlines), self._pool_of(scan).digest)

    def pixels(self, views: Sequence[tuple[Scan, int]]) -> Iterator[np.ndarray]:
        """uint8 (224, 224, 3), RGB, of each view of a scan, in order."""
        return (example.pixels for example in self.draw_all(views))

    def draw_all(self, views: Sequence[tuple[Scan, int]]) -> Iterator[Example]:
        """`draw` of each view of a scan, in order, by as many processes as there are cores."""
        for some in _parts(views, AHEAD):
            chunks = list(_parts(some, CHUNK))
            processes = Parallel(n_jobs=min(cpu_count(), len(chunks)), return_as="generator")
            for drawn in processes(delayed(self._draw_chunk)(chunk) for chunk in chunks):
                yield from drawn

    def draw(self, scan: Scan, view: int) -> Example:
        """View number `view` of a scan, 0 as it is; the same arguments give the same example."""
        example = Example(scan.pixels(), scan.label, self._mask(scan))
        if view == 0:
            return example
        rng = np.random.default_rng([self._seed, view, int(scan.digest[:16], 16)])
        pool = self._pool_of(scan)
        example = self._patched(self._counterfactual(example, pool, rng), pool, rng)
        pixels, mask = warp(example.pixels, example.mask, rng, self._recipe.distortion)
        other = _one_of(pool.scans, rng).pixels()
        return Example(shade(pixels, other, rng, self._recipe.distortion), example.label, mask)

    def _draw_chunk(self, views: Sequence[tuple[Scan, int]]) -> list[Example]:
        cv2.setNumThreads(1)  # there is a process for every core
        return [self.draw(*view) for view in views]

    def _mask(self, scan: Scan) -> np.ndarray | None:
        if scan.name in self._outlines:
            return self._outlines[scan.name].mask()
        return NO_TUMOUR if scan.label == NOTUMOR else None

    def _fold(self, scan: Scan) -> int:
        return self._folds[scan.name].fold if scan.name in self._folds else NOWHERE

    def _pool(self, scans: Sequence[Scan]) -> Pool:
        names = ("healed", "pasted", "patched")
        return Pool(
            scans,
            [scan for scan in scans if scan.name in self._outlines and scan.label in TUMOURS],
            _digest(
                describe_scans(scans, self._outlines),
                [getattr(self._recipe, name) for name in names],
                dataclasses.asdict(self._recipe.distortion),
                self._seed,
            ),
        )

    def _pool_of(self, scan: Scan) -> Pool:
        return self._pools[self._fold(scan)]

    def _counterfactual(self, example: Example, pool: Pool, rng: np.random.Generator) -> Example:
        """Sometimes the same head without its tumour, or with another's."""
        chance = rng.random()
        if example.mask is None or not pool.tumours:
            return example
        if example.label != NOTUMOR and chance < self._recipe.healed:
            healed = remove_tumour(example.pixels, example.mask, rng)
            return example if healed is None else Example(healed, NOTUMOR, NO_TUMOUR)
        if example.label == NOTUMOR and chance < self._recipe.pasted:
            donor = _one_of(pool.tumours, rng)
            pasted = paste_tumour(example.pixels, donor.pixels(), self._mask(donor), rng)
            return example if pasted is None else Example(pasted[0], donor.label, pasted[1])
        return example

    def _patched(self, example: Example, pool: Pool, rng: np.random.Generator) -> Example:
        """Sometimes with healthy tissue moved, whatever the picture shows."""
        chance = rng.random()
        if example.mask is None or not pool.tumours or chance >= self._recipe.patched:
            return example
        shape = self._mask(_one_of(pool.tumours, rng))
        patched = patch_tissue(example.pixels, example.mask, shape, rng)
        return example if patched is None else dataclasses.replace(example, pixels=patched)


def _one_of(scans: Sequence[Scan], rng: np.random.Generator) -> Scan:
    return scans[rng.integers(len(scans))]


def _parts(views: Sequence, size: int) -> Iterator[Sequence]:
    return (views[start : start + size] for start in range(0, len(views), size))


def _digest(*origin: Any) -> str:  # noqa: ANN401
    return hashlib.sha256(json.dumps(origin).encode()).hexdigest()


def describe_scans(
    scans: Sequence[Scan], outlines: Mapping[str, Outline]
) -> list[tuple[str, int, str]]:
    """What names the scans and their outlines in a key: digests and label."""
    return [
        (
            scan.digest,
            scan.label,
            hashlib.sha256(
                outlines[scan.name].content + bytes([outlines[scan.name].mirrored])
            ).hexdigest()
            if scan.name in outlines
            else "",
        )
        for scan in scans
    ]


def targets_of(examples: Sequence[Example]) -> dict[str, np.ndarray]:
    """What `train.network.losses` compares: logits int32 (N,), maps float32 (N, 5, 14, 14)."""
    return {
        "logits": np.array([example.label for example in examples], np.int32),
        "maps": np.stack([example.wanted() for example in examples]),
    }
