"""Pooled block3_pool features of pictures, computed once and kept on disk.

They are what the score of what is no brain MRI looks at (serve/detector.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import keras
import numpy as np

from serve.detector import pool
from train.data.dataset import Scan
from train.learning.features import BATCH, Pictures, weights_digest
from train.learning.rows import RowCache, batches
from train.network.vgg16 import until_frozen_pool


class PooledCache(RowCache):
    """Pooled features of every view asked for, float32 (512,).

    Args:
        folder: where caches lie; this one takes a subfolder named by the network's weights.
        model: the whole network.
        pictures: the views.
    """

    def __init__(self, folder: Path, model: keras.Model, pictures: Pictures) -> None:
        self._network, self._pictures = until_frozen_pool(model), pictures
        key = {"weights": weights_digest(self._network)}
        super().__init__(
            folder, "pooled", key, (2 * self._network.output_shape[-1],), np.dtype(np.float32)
        )

    def of(self, scans: Sequence[Scan], views: int = 1) -> np.ndarray:
        """Those of each view of each scan, float32 (scans * views, 512)."""
        found = self.rows_of(scans, views).ravel()
        return self.rows()[found]

    def _source(self, scan: Scan, view: int) -> str:
        return self._pictures.source(scan, view)

    def _compute(self, views: Sequence[tuple[Scan, int]]) -> Iterator[np.ndarray]:
        pixels = self._pictures.pixels(views)
        for batch in batches(views, BATCH):
            some = np.stack(list(islice(pixels, len(batch)))).astype(np.float32)
            yield from pool(keras.ops.convert_to_numpy(self._network.predict_on_batch(some)))
