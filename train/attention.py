"""Does the model look at the tumour? python -m train.attention --data DIR --slices FILE --masks DIR

Grad-CAM of the true class at block5_conv3, on the test sides of the `patient` protocol, against
the radiologists' outlines (MASKS/INDEX.png for slice INDEX):

- pointing game: the map's maximum lies within half a map cell of the outline (Zhang et al.,
  "Top-down neural attention by excitation backprop", ECCV 2016)
- energy: the share of the map's sum that lies on the tumour
- chance: the tumour's share of the head's area, which a map that knows nothing would score
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image
from tqdm import tqdm

from serve.artifacts import INPUT_SIZE, LABELS, METRICS_NAME, write_metrics
from train.command import add_training_arguments, one_line_errors, read_training_arguments
from train.dataset import PARTS, DatasetError, Scan, Slice, find_scans
from train.evaluate import patient_folds
from train.fit import Fit, fit
from train.model import FEATURE_SHAPE

CELLS = FEATURE_SHAPE[0]  # a side of the map
CELL = INPUT_SIZE // CELLS  # pixels
HEAD = 20  # grey level from which a pixel belongs to the head
BATCH = 64


@dataclass(frozen=True)
class Looked:
    """Where the maps of some scans point; arrays of (N,)."""

    labels: np.ndarray  # int, the true class, whose map it is
    right: np.ndarray  # bool, the prediction is right
    pointed: np.ndarray  # bool, the pointing game
    energy: np.ndarray  # float, share of the map on the tumour
    chance: np.ndarray  # float, share of the head's area that is tumour


class GradCam:
    """Grad-CAM at block5_conv3 of one class's logit, in closed form.

    The head is Flatten, Dense, ReLU, Dense, so the gradient of a logit at the pooled map is a
    masked product of the two kernels, and max-pooling sends each value to one position: the
    channel weights are its sums over the pooled grid, divided by the 14x14 positions. Selvaraju
    et al., "Grad-CAM: visual explanations from deep networks", ICCV 2017.
    """

    def __init__(self, suffix: keras.Model) -> None:
        x = features = keras.Input(FEATURE_SHAPE)
        for name in ("block5_conv1", "block5_conv2", "block5_conv3"):
            x = suffix.get_layer(name)(x)
        conv = x
        for name in ("block5_pool", "flatten", "hidden"):
            x = suffix.get_layer(name)(x)
        self._network = keras.Model(features, [conv, x, suffix.get_layer("logits")(x)])
        hidden = suffix.get_layer("hidden").get_weights()[0]
        self._channels = hidden.reshape(-1, FEATURE_SHAPE[2], hidden.shape[1]).sum(axis=0)
        self._classes = suffix.get_layer("logits").get_weights()[0]

    def __call__(self, features: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Maps and logits.

        Args:
            features: block4_pool, float32 (N, 14, 14, 512).
            classes: int (N,), whose map is wanted.

        Returns:
            maps, float32 (N, 14, 14), not negative; logits, float32 (N, 4).
        """
        conv, hidden, logits = map(
            keras.ops.convert_to_numpy, self._network.predict_on_batch(features)
        )
        gradient = (hidden > 0) * self._classes[:, classes].T
        weights = gradient @ self._channels.T / CELLS**2
        maps = np.einsum("nijk,nk->nij", conv, weights)
        return np.maximum(maps, 0), logits


def look(done: Fit, scans: Sequence[Scan], labels: np.ndarray, masks: np.ndarray) -> Looked:
    """Compare the maps of `labels` with `masks`, bool (N, 224, 224)."""
    cam = GradCam(done.suffix)
    rows = done.features.rows_of(scans, 1)[:, 0]
    stored = done.features.rows()
    maps, logits = [], []
    for start in range(0, len(rows), BATCH):
        batch = slice(start, start + BATCH)
        found = cam(stored[rows[batch]].astype(np.float32), labels[batch])
        maps.append(found[0])
        logits.append(found[1])
    maps, logits = np.concatenate(maps), np.concatenate(logits)
    covered = masks.reshape(-1, CELLS, CELL, CELLS, CELL)
    share = covered.mean(axis=(2, 4)).reshape(len(maps), -1)
    flat = maps.reshape(len(maps), -1)
    everyone = np.arange(len(flat))
    total = flat.sum(axis=1)
    peak = flat.argmax(axis=1)
    head = np.array([(scan.pixels().max(axis=2) >= HEAD).mean() for scan in scans])
    return Looked(
        labels=labels,
        right=logits.argmax(axis=1) == labels,
        pointed=(share[everyone, peak] > 0) & (total > 0),
        energy=(flat * share).sum(axis=1) / np.maximum(total, 1e-9),
        chance=masks.mean(axis=(1, 2)) / head,
    )


def summarize(looked: Looked) -> dict[str, Any]:
    """Means by class and over all, apart for right and wrong predictions."""
    classes = {LABELS[label]: looked.labels == label for label in np.unique(looked.labels)}
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


def read_mask(folder: Path, slice_: Slice) -> np.ndarray:
    """The tumour's outline as the scan shows it, bool (224, 224).

    Raises:
        DatasetError: there is no such mask.
    """
    path = folder / f"{slice_.index}.png"
    try:
        mask = np.asarray(Image.open(path).convert("1"))
    except OSError as error:
        raise DatasetError(f"{path}: {error}") from error
    return mask[:, ::-1] if slice_.mirrored else mask


def look_at_fold(
    done: Fit,
    scans: Sequence[Scan],
    labels: Sequence[int],
    slices: Mapping[str, Slice],
    masks: Path,
) -> Looked:
    """The tumour scans of a test side that have an outline."""
    chosen = [i for i, scan in enumerate(scans) if scan.name in slices]
    outlined = [scans[i] for i in chosen]
    outlines = np.stack([read_mask(masks, slices[scan.name]) for scan in outlined])
    return look(done, outlined, np.array(labels)[chosen], outlines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.attention", description=__doc__.split("?")[0] + "?"
    )
    add_training_arguments(parser)
    parser.add_argument("--masks", type=Path, required=True, metavar="DIR", help="figshare_masks")
    args = parser.parse_args(argv)
    recipe, slices = read_training_arguments(args)
    if not slices:
        raise DatasetError("--slices figshare_slices.csv tells which mask is whose: name it")
    scans = [scan for part in PARTS for scan in find_scans(args.data, part)]

    def train(training: list[Scan], validation: list[Scan]) -> Fit:
        return fit(training, validation, recipe, args.seed, args.base_weights, args.cache)

    folds = [
        look_at_fold(*fold, slices, args.masks)
        for fold in tqdm(patient_folds(scans, train), desc="folds", unit="fold")
    ]
    looked = Looked(
        *(
            np.concatenate([getattr(fold, name) for fold in folds])
            for name in Looked.__dataclass_fields__
        )
    )
    figures = summarize(looked) | {"images": len(looked.labels)}
    for part, by_class in figures.items():
        print(part, by_class)
    write_metrics(args.output, "attention", figures)
    print(f"wrote attention of {args.output / METRICS_NAME}")
    return 0


if __name__ == "__main__":
    sys.exit(one_line_errors(main))
