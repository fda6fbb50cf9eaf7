"""The batches of one epoch; what is in them and in which order follows from the draw alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from train.dataset import Scan
from train.examples import Examples, targets_of


class DrawnViews(keras.utils.PyDataset):
    """Shuffled scans, one of its cached views drawn for each.

    Args:
        features: all rows of the cache, see `train.features.FeatureCache.rows`.
        rows: int (scans, views), where each view is.
        targets: an array, or a dictionary of them, of (scans, views, ...).
        batch_size: of scans.
        draw: numbers from which order and views are drawn.
    """

    def __init__(
        self,
        features: np.ndarray,
        rows: np.ndarray,
        targets: Any,  # noqa: ANN401
        batch_size: int,
        draw: Sequence[int],
    ) -> None:
        super().__init__()
        rng = np.random.default_rng(draw)
        order = rng.permutation(len(rows))
        views = rng.integers(rows.shape[1], size=len(rows))[order]
        self._features = features
        self._rows = rows[order, views]
        self._targets = keras.tree.map_structure(lambda t: t[order, views], targets)
        self._batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self._rows) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, Any]:
        batch = slice(index * self._batch_size, (index + 1) * self._batch_size)
        targets = keras.tree.map_structure(lambda t: t[batch], self._targets)
        return self._features[self._rows[batch]].astype(np.float32), targets


class DrawnPictures(keras.utils.PyDataset):
    """Shuffled scans, each drawn anew when its batch is asked for, by several threads.

    Args:
        scans: to draw.
        examples: how.
        batch_size: of scans.
        view: which view of each scan, 0 as it is.
        draw: numbers from which the order is drawn.
    """

    def __init__(
        self,
        scans: Sequence[Scan],
        examples: Examples,
        batch_size: int,
        view: int,
        draw: Sequence[int],
    ) -> None:
        super().__init__(workers=os.cpu_count() or 1)
        order = np.random.default_rng(draw).permutation(len(scans))
        self._scans = [scans[i] for i in order]
        self._examples, self._view, self._batch_size = examples, view, batch_size

    def __len__(self) -> int:
        return -(-len(self._scans) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        batch = self._scans[index * self._batch_size : (index + 1) * self._batch_size]
        drawn = [self._examples.draw(scan, self._view) for scan in batch]
        pixels = np.stack([example.pixels for example in drawn]).astype(np.float32)
        return pixels, targets_of(drawn)
