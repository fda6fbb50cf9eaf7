"""Does the model look at the tumour? python -m train.attention --data DIR --slices FILE --masks DIR

Grad-CAM of the true class at block5_conv3, on the test sides of the `patient` protocol, against
the radiologists' outlines (MASKS/INDEX.png for slice INDEX):

- pointing game: the map's maximum lies within half a map cell of the outline (Zhang et al.,
  "Top-down neural attention by excitation backprop", ECCV 2016)
- energy: the share of the map's sum that lies on the tumour
- chance: the tumour's share of the head's area, which a map that knows nothing would score
- deletion: how often the answer changes when the tumour is painted over, and when an equal area
  elsewhere in the head is

With --br35h also on the outlined tumours of that collection, whose type is unknown: the map is
that of the likeliest tumour class. Sample maps go to models/report/samples.png.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serve.artifacts import METRICS_NAME, write_metrics
from serve.command import RESUMES, UserError, run
from serve.measures import covered, pointed
from serve.names import LABELS, NOTUMOR
from train.arguments import (
    add_training_arguments,
    read_training_arguments,
    section_of,
)
from train.data.br35h import read_br35h
from train.data.dataset import PARTS, UNKNOWN_TUMOUR, Scan, find_scans
from train.data.outlines import Outline, br35h_outlines, figshare_outlines
from train.fit import Fit, fit
from train.folds import patient_sides
from train.network.class_maps import explained_suffix, maps_of_classes
from train.pictures.skull import head_of, moved_mask
from train.recipes import DEFAULT_RECIPE
from train.report.samples import choose_samples, plot_samples

STEP = 8  # every eighth scan is painted over
BATCH = 64


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
    network = explained_suffix(done.suffix)
    rows = done.features.rows_of(side.scans, 1)[:, 0]
    stored = done.features.rows()
    found = [
        network.predict_on_batch(stored[rows[start : start + BATCH]].astype(np.float32))
        for start in range(0, len(rows), BATCH)
    ]
    maps, logits = (np.concatenate([one[name] for one in found]) for name in ("maps", "logits"))
    return maps_of_classes(maps, side.labels), logits


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


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.attention", description=__doc__.split("?")[0] + "?"
    )
    add_training_arguments(parser)
    parser.add_argument("--br35h", type=Path, metavar="DIR", help="br35h_tumour")
    args = parser.parse_args(argv)
    recipe, slices = read_training_arguments(args)
    if not (slices and args.masks):
        raise UserError("--slices figshare_slices.csv and --masks figshare_masks: name both")
    scans = [scan for part in PARTS for scan in find_scans(args.data, part)]
    outlines = figshare_outlines(scans, slices, args.masks)
    br35h = outlined_br35h(args.br35h, scans) if args.br35h else None

    looked, looked_br35h, changed, samples = [], [], [], []
    for fold in patient_sides(scans):
        done = fit(
            fold.training,
            fold.validation,
            recipe,
            args.seed,
            args.base_weights,
            args.cache,
            outlines,
        )
        side = outlined(fold.tested, fold.labels, outlines)
        maps, logits = maps_of(done, side)
        looked.append(look(maps, logits, side))
        changed.append(deletion(done, side))
        samples += choose_samples(side.scans, side.labels, side.masks, maps, logits)
        if br35h:
            looked_br35h.append(look(*maps_of(done, br35h), br35h))
    figures = summarize(_together(looked))
    tumour, elsewhere = np.concatenate(changed).mean(axis=0)
    figures["deletion"] = {
        "scans": sum(map(len, changed)),
        "tumour": float(tumour),
        "elsewhere": float(elsewhere),
    }
    if br35h:
        summary = summarize(_together(looked_br35h))
        figures["br35h"] = {part: by_class["all"] for part, by_class in summary.items()}
    for part, by_class in figures.items():
        print(part, by_class)
    if args.recipe == DEFAULT_RECIPE:
        plot_samples(samples, args.output / "report" / "samples.png")
    section = section_of(args.recipe, "attention")
    write_metrics(args.output, section, figures)
    print(f"wrote {section} of {args.output / METRICS_NAME}")
    return 0


def _together(parts: Sequence[Looked]) -> Looked:
    return Looked(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])
            for field in dataclasses.fields(Looked)
        )
    )


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
