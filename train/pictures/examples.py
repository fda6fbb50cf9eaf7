"""The pictures that the robust recipe learns from: a scan, perhaps without or with another's
tumour, distorted, and where its evidence should lie.

What is drawn depends on the seed, the scan, the number of its view and the scans that lend it
tumours and grey levels: those of the training side that are in the same fold, of persons who are
in no other, and of the dataset or the scan's own collection. So a patient's tumour never gets to
another side of the `patient` protocol, nothing of a collection to where it is unseen, and all
trainings share their views.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import cv2
import numpy as np
from joblib import cpu_count

from serve.measures import covered
from serve.names import INPUT_SIZE, MAP_CELLS, NOTUMOR, TUMOURS
from train import pictures
from train.data.collections import collection_of
from train.data.dataset import UNKNOWN_TUMOUR, Scan
from train.data.folds import NOWHERE, Placed, persons_in_several_folds
from train.data.outlines import Outline
from train.network.class_maps import MAPS
from train.pictures.counterfactual import (
    paste_tumour,
    patch_tissue,
    remove_tumour,
    retone_tumour,
)
from train.pictures.distort import shade, warp
from train.recipes import BroadRecipe, RobustRecipe

CHUNK = 32  # of views that a process draws at a time
AHEAD = 2048  # views are drawn at most, 200 KB each, before they are asked for
NO_TUMOUR = np.zeros((INPUT_SIZE, INPUT_SIZE), bool)


@dataclass(frozen=True)
class Example:
    """A picture and what is to be answered."""

    pixels: np.ndarray  # uint8 (224, 224, 3), RGB
    label: int  # index into LABELS, or UNKNOWN_TUMOUR
    mask: np.ndarray | None  # bool (224, 224), the tumour, empty without one; None: not known

    def place(self) -> np.ndarray:
        """How much of each map cell the tumour covers, 1 where most, float32 (14, 14).

        All zero where there is no tumour, or it is not known where.
        """
        if self.label == NOTUMOR or self.mask is None or not self.mask.any():
            return np.zeros((MAP_CELLS, MAP_CELLS), np.float32)
        share = covered(self.mask).astype(np.float32)
        return share / share.max()


class Home(NamedTuple):
    """Who lends to whom: the dataset to all of a fold, a collection to its own."""

    collection: str
    fold: int


@dataclass(frozen=True)
class Pool:
    """The scans that lend to those of one home."""

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
        placed: the folds, by `Scan.name`.
    """

    def __init__(
        self,
        training: Sequence[Scan],
        outlines: Mapping[str, Outline],
        recipe: RobustRecipe,
        seed: int,
        placed: Mapping[str, Placed],
    ) -> None:
        self._outlines, self._recipe, self._seed = outlines, recipe, seed
        self._placed = placed
        roaming = persons_in_several_folds(placed)
        lenders: dict[Home, list[Scan]] = defaultdict(list)
        for scan in training:
            at = placed.get(scan.name)
            if at is None or (at.lends and at.person not in roaming):
                lenders[self._home(scan)].append(scan)
        self._pools = {
            home: self._pool([*lenders[Home("", home.fold)], *own] if home.collection else own)
            for home, own in list(lenders.items())
        }

    def source(self, scan: Scan, view: int) -> str:
        """SHA-256 of what a view follows from; that of the scan's file for view 0."""
        if view == 0:
            return scan.digest
        return _digest(describe_scans([scan], self._outlines), self._pool_of(scan).digest)

    def origin(self, scan: Scan, view: int) -> str:
        """SHA-256 of what a view and what is to be answered follow from."""
        if view:
            return self.source(scan, view)
        return _digest(describe_scans([scan], self._outlines))

    def pixels(self, views: Sequence[tuple[Scan, int]]) -> Iterator[np.ndarray]:
        """uint8 (224, 224, 3), RGB, of each view of a scan, in order."""
        return (example.pixels for example in self.draw_all(views))

    def draw_all(self, views: Sequence[tuple[Scan, int]]) -> Iterator[Example]:
        """`draw` of each view of a scan, in order, by as many processes as there are cores."""
        if len(views) <= CHUNK:
            yield from (self.draw(*view) for view in views)
            return
        processes = min(cpu_count(), -(-len(views) // CHUNK))
        with TemporaryDirectory() as folder, _quick_switches():
            # as an argument, megabytes would make each process wait for the one before to begin
            (own := Path(folder) / "examples").write_bytes(pickle.dumps(self))
            with ProcessPoolExecutor(
                processes, get_context("spawn"), initializer=_draw_by, initargs=(own,)
            ) as pool:
                for some in _parts(views, AHEAD):
                    yield from pool.map(_draw, some, chunksize=CHUNK)

    def draw(self, scan: Scan, view: int) -> Example:
        """View number `view` of a scan, 0 as it is; the same arguments give the same example."""
        example = Example(scan.pixels(), scan.label, self._mask(scan))
        if view == 0:
            return example
        rng = np.random.default_rng([self._seed, view, int(scan.digest[:16], 16)])
        pool = self._pool_of(scan)
        example = self._patched(self._counterfactual(example, pool, rng), pool, rng)
        example = self._retoned(example, rng)
        pixels, mask = warp(example.pixels, example.mask, rng, self._recipe.distortion)
        other = _one_of(pool.scans, rng).pixels()
        return Example(shade(pixels, other, rng, self._recipe.distortion), example.label, mask)

    def _mask(self, scan: Scan) -> np.ndarray | None:
        if scan.name in self._outlines:
            return self._outlines[scan.name].mask()
        return NO_TUMOUR if scan.label == NOTUMOR else None

    def _home(self, scan: Scan) -> Home:
        at = self._placed.get(scan.name)
        return Home(collection_of(scan), at.fold if at else NOWHERE)

    def _pool(self, scans: Sequence[Scan]) -> Pool:
        names = ["healed", "pasted", "patched"]
        names += ["retoned"] if isinstance(self._recipe, BroadRecipe) else []
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
        return self._pools[self._home(scan)]

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

    def _retoned(self, example: Example, rng: np.random.Generator) -> Example:
        """Sometimes with the tumour in other grey levels, which tell its type no more."""
        if not isinstance(self._recipe, BroadRecipe) or rng.random() >= self._recipe.retoned:
            return example
        if example.label == NOTUMOR or example.mask is None or not example.mask.any():
            return example
        pixels = retone_tumour(example.pixels, example.mask, rng)
        return Example(pixels, UNKNOWN_TUMOUR, example.mask)


@contextmanager
def _quick_switches() -> Iterator[None]:
    """Let threads take turns more often: the one that takes in what processes have drawn, 64 KB at
    a time, else waits 5 ms for each from the one that uses it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _draw_by(pickled: Path) -> None:
    """Begin a process that draws."""
    global _examples
    _examples = pickle.loads(pickled.read_bytes())
    cv2.setNumThreads(1)  # there is a process for every core


def _draw(view: tuple[Scan, int]) -> Example:
    return _examples.draw(*view)


def _one_of(scans: Sequence[Scan], rng: np.random.Generator) -> Scan:
    return scans[rng.integers(len(scans))]


def _parts(views: Sequence, size: int) -> Iterator[Sequence]:
    return (views[start : start + size] for start in range(0, len(views), size))


def _digest(*origin: Any) -> str:  # noqa: ANN401
    origin += (pictures.VERSION,) if pictures.VERSION > 1 else ()  # without: as it began
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


def targets_of(labels: np.ndarray, places: np.ndarray) -> dict[str, np.ndarray]:
    """What `train.network.losses` compares.

    Args:
        labels: int32 (...), indices into LABELS, or UNKNOWN_TUMOUR.
        places: float32 (..., 14, 14), see `Example.place`.

    Returns:
        logits: the labels. maps: where each map of `train.network.class_maps.ClassMaps` should
        lie, float32 (..., 5, 14, 14): positive where it should, 1 in the cell that the tumour
        covers most; zero elsewhere; -1 all over where it should be empty. All zero where nothing
        is asked of the map.
    """
    maps = np.zeros((*labels.shape, MAPS, MAP_CELLS, MAP_CELLS), np.float32)
    own = labels[..., None] % MAPS == np.arange(MAPS)  # UNKNOWN_TUMOUR is the last
    maps[own] = places.reshape(-1, MAP_CELLS, MAP_CELLS)
    free = np.zeros(MAPS, bool)
    free[TUMOURS] = True
    maps[(labels == NOTUMOR)[..., None] & free] = -1
    return {"logits": labels, "maps": maps}
