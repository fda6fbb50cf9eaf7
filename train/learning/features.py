"""The frozen prefix's features, computed once for each view of each scan and kept on disk.

What is frozen gives the same for one picture for ever. The cache is named by the frozen network
(train/learning/rows.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

import keras
import numpy as np

from serve.names import INPUT_SIZE
from train.data.dataset import Scan
from train.learning.rows import RowCache, batches

BATCH = 32


class Pictures(Protocol):
    """Numbered views of scans: AugmentedViews and Examples of train/pictures/."""

    def source(self, scan: Scan, view: int) -> str:
        """SHA-256 of what the picture follows from; that of the scan's file for view 0."""

    def pixels(self, views: Sequence[tuple[Scan, int]]) -> Iterator[np.ndarray]:
        """uint8 (224, 224, 3), RGB, of each view of a scan, in order; 0 is the scan as it is."""


class Features(Protocol):
    """What a network is trained and asked on: FeatureCache, or the pictures of a DrawnCache."""

    def rows_of(self, scans: Sequence[Scan], views: int) -> np.ndarray:
        """int64 (scans, views): where in `rows` each view is."""

    def rows(self) -> np.ndarray:
        """All that are kept, (rows, ...)."""

    def of_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """Those of pictures that are not to be kept, uint8 (N, 224, 224, 3) -> float32 (N, ...)."""


class FeatureCache(RowCache):
    """What the frozen network gives for every view asked for, float16, on disk.

    Args:
        folder: where caches lie; this one takes a subfolder named by its key.
        prefix: the frozen network, see `train.network.vgg16.frozen_prefix`.
        pictures: the views.
    """

    def __init__(self, folder: Path, prefix: keras.Model, pictures: Pictures) -> None:
        self._prefix, self._pictures = prefix, pictures
        key = {
            "weights": weights_digest(prefix),
            "pixels": f"Pillow BILINEAR to {INPUT_SIZE}, RGB, Caffe means",
        }
        if (precision := prefix.layers[-1].compute_dtype) != "float32":
            key["precision"] = precision
        super().__init__(folder, "features", key, tuple(prefix.output.shape[1:]))

    def _source(self, scan: Scan, view: int) -> str:
        return self._pictures.source(scan, view)

    def _compute(self, views: Sequence[tuple[Scan, int]]) -> Iterator[np.ndarray]:
        pixels = self._pictures.pixels(views)
        for batch in batches(views, BATCH):
            yield from self._features(list(islice(pixels, len(batch))))

    def of_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """The same features of pictures that are not to be kept.

        Args:
            pixels: uint8 (N, 224, 224, 3), RGB.

        Returns:
            float32 (N, height, width, channels), rounded to float16 as the stored ones are.
        """
        found = self._prefix.predict_on_batch(pixels.astype(np.float32))
        return found.astype(np.float16).astype(np.float32)

    def _features(self, pixels: Sequence[np.ndarray]) -> np.ndarray:
        return self.of_pixels(np.stack(pixels)).astype(np.float16)


def weights_digest(model: keras.Model) -> str:
    """SHA-256 of all weights, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for weights in model.get_weights():
        digest.update(np.ascontiguousarray(weights))
    return digest.hexdigest()
