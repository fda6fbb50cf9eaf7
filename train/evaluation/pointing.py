"""Does the model look at the tumour? Grad-CAM of the true class against the outlines.

- pointing game: the map's maximum lies within half a map cell of the outline (Zhang et al.,
  "Top-down neural attention by excitation backprop", ECCV 2016)
- energy: the share of the map's sum that lies on the tumour
- chance: the tumour's share of the head's area, which a map that knows nothing would score
- deletion: how often the answer changes when the tumour is painted over, and when an equal area
  elsewhere in the head is
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serve.command import UserError
from serve.measures import covered, pointed
from serve.names import LABELS, NOTUMOR
from train.data.br35h import read_br35h
from train.data.dataset import UNKNOWN_TUMOUR, Scan
from train.data.outlines import Outline, br35h_outlines
from train.learning.training import Fit, predict
from train.network.class_maps import explained_suffix, maps_of_classes
from train.pictures.skull import head_of, moved_mask

STEP = 8  # every eighth scan is painted over


@dataclass(frozen=True)
class Looked:
    """Where the maps of some scans point; arrays of (N,)."""

    labels: np.ndarray  # int, the true class, whose map it is
    right: np.ndarray  # bool, the prediction is right
    pointed: np.ndarray  # bool, the pointing game
    energy: np.ndarray  # float, share of the map on the tumour
    chance: np.ndarray  # float, share of the head's area that is tumour


@dataclass(frozen=True)
class Outlined:
    """Tumour scans of a test side with the radiologists' outlines."""

    scans: list[Scan]
    labels: np.ndarray  # int (N,), the true class, or UNKNOWN_TUMOUR
    masks: np.ndarray  # bool (N, 224, 224)


def maps_of(done: Fit, side: Outlined) -> tuple[np.ndarray, np.ndarray]:
    """Maps, float32 (N, 14, 14), and logits, float32 (N, 4), of the scans' own classes."""
    found = predict(explained_suffix(done.suffix), done.features, side.scans)
    return maps_of_classes(found["maps"], side.labels), found["logits"]


def is_right(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """bool (N,): the true class, or any tumour where its type is unknown, is the answer."""
    answer = logits.argmax(axis=1)
    return np.where(labels == UNKNOWN_TUMOUR, answer != NOTUMOR, answer == labels)


def look(maps: np.ndarray, logits: np.ndarray, side: Outlined) -> Looked:
    """Compare the maps of `maps_of` with the outlines."""
    share = covered(side.masks).reshape(len(maps), -1)
    flat = maps.reshape(len(maps), -1)
    total = flat.sum(axis=1)
    head = np.array([head_of(scan.pixels()).mean() for scan in side.scans])
    return Looked(
        labels=side.labels,
        right=is_right(logits, side.labels),
        pointed=pointed(maps, side.masks),
        energy=(flat * share).sum(axis=1) / np.maximum(total, 1e-9),
        chance=side.masks.mean(axis=(1, 2)) / head,
    )


def deletion(done: Fit, side: Outlined) -> np.ndarray:
    """Does painting over change a right answer? bool (N, 2): the tumour, an equal area elsewhere.

    Every STEP-th scan, and only those whose answer is right and whose head has room for a second
    patch; a patch is painted in the mean colour of the rest of the head.
    """
    rng = np.random.default_rng(0)
    _, logits = maps_of(done, side)
    right = is_right(logits, side.labels)
    changed = []
    for i in np.flatnonzero(right)[::STEP]:
        pixels, mask = side.scans[i].pixels(), side.masks[i]
        elsewhere = moved_mask(mask, head_of(pixels), rng)
        if elsewhere is None:
            continue
        hidden = np.stack([painted(pixels, patch, mask) for patch in (mask, elsewhere)])
        found = done.suffix.predict_on_batch(done.features.of_pixels(hidden))
        changed.append(~is_right(found, side.labels[[i, i]]))
    return np.array(changed, bool).reshape(-1, 2)


def painted(pixels: np.ndarray, patch: np.ndarray, tumour: np.ndarray) -> np.ndarray:
    """The picture with `patch` in the mean colour of the head outside the tumour."""
    result = pixels.copy()
    result[patch] = pixels[head_of(pixels) & ~tumour].mean(axis=0).astype(np.uint8)
    return result


def together(parts: Sequence[Looked]) -> Looked:
    """Those of several trainings as one."""
    return Looked(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])
            for field in dataclasses.fields(Looked)
        )
    )


def summarize(looked: Looked) -> dict[str, Any]:
    """Means by class and over all, apart for right and wrong predictions."""
    classes = {
        LABELS[label]: looked.labels == label
        for label in np.unique(looked.labels)
        if label != UNKNOWN_TUMOUR
    }
    classes["all"] = np.ones(len(looked.labels), bool)
    parts = {
        "pointing_game": (looked.pointed, looked.right),
        "pointing_game_wrong": (looked.pointed, ~looked.right),
        "energy": (looked.energy, looked.right),
        "energy_wrong": (looked.energy, ~looked.right),
        "chance": (looked.chance, np.ones(len(looked.labels), bool)),
    }
    return {
        part: {
            name: float(values[chosen & own].mean()) if (chosen & own).any() else None
            for name, own in classes.items()
        }
        for part, (values, chosen) in parts.items()
    }


def outlined(
    scans: Sequence[Scan], labels: Sequence[int], outlines: Mapping[str, Outline]
) -> Outlined:
    """Those of the scans that have an outline."""
    chosen = [i for i, scan in enumerate(scans) if scan.name in outlines]
    masks = np.stack([outlines[scans[i].name].mask() for i in chosen])
    return Outlined([scans[i] for i in chosen], np.array(labels)[chosen], masks)


def outlined_br35h(folder: Path, known: Sequence[Scan]) -> Outlined:
    """The outlined tumours of Br35H that are in no other collection used here."""
    tumours = read_br35h(folder, known).tumours
    outlines = br35h_outlines(tumours, folder / "masks")
    if not outlines:
        raise UserError(f"{folder / 'masks'}: has no outline of the images")
    return outlined(tumours, [UNKNOWN_TUMOUR] * len(tumours), outlines)
