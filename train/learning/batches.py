"""The batches of one epoch; what is in them and in which order follows from the draw alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np


class DrawnViews(keras.utils.PyDataset):
    """Shuffled scans, one of its cached views drawn for each.

    Args:
        features: all rows of the cache, see `train.learning.features.FeatureCache.rows`.
        rows: int (scans, views), where each view is.
        targets: an array, or a dictionary of them, of (scans, views, ...).
        batch_size: of scans.
        draw: numbers from which order and views are drawn.
        plain: how often the first view is drawn; by default as often as any other.
        weights: how often each scan is drawn, (scans,), of sum 1; by default each once.
        size: how many are drawn by weight.
    """

    def __init__(
        self,
        features: np.ndarray,
        rows: np.ndarray,
        targets: Any,  # noqa: ANN401
        batch_size: int,
        draw: Sequence[int],
        plain: float | None = None,
        weights: np.ndarray | None = None,
        size: int | None = None,
    ) -> None:
        super().__init__()
        rng = np.random.default_rng(draw)
        if weights is None:
            order = rng.permutation(len(rows))
        else:
            order = rng.choice(len(rows), size, p=weights)
        views = _draw_views(rows.shape[1], len(order), plain, rng)
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


def _draw_views(views: int, size: int, plain: float | None, rng: np.random.Generator) -> np.ndarray:
    if plain is None or views == 1:
        return rng.integers(views, size=size)
    return np.where(rng.random(size) < plain, 0, rng.integers(1, views, size=size))
