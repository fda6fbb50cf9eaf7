"""What each view of a scan should be answered, kept on disk beside its features.

Whether a tumour was removed, moved or pasted shows only once a view is drawn, and drawing is slow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from serve.names import MAP_CELLS
from train.data.dataset import Scan
from train.learning.rows import RowCache
from train.pictures.examples import Examples, targets_of

SHAPE = (1 + MAP_CELLS**2,)  # the label, then `train.pictures.examples.Example.place`


class TargetCache(RowCache):
    """The label and the tumour's place of every view asked for.

    Args:
        folder: where caches lie; this one takes a subfolder.
        examples: the views.
    """

    def __init__(self, folder: Path, examples: Examples) -> None:
        self._examples = examples
        super().__init__(folder, "targets", {"row": "label, place"}, SHAPE)

    def of(self, scans: Sequence[Scan], views: int) -> dict[str, np.ndarray]:
        """What `train.network.losses` compares, of (scans, views, ...); see `targets_of`."""
        found = self.rows_of(scans, views)
        rows = self.rows()[found]
        places = rows[..., 1:].reshape(*found.shape, MAP_CELLS, MAP_CELLS)
        return targets_of(rows[..., 0].astype(np.int32), places.astype(np.float32))

    def _source(self, scan: Scan, view: int) -> str:
        return self._examples.origin(scan, view)

    def _compute(self, views: Sequence[tuple[Scan, int]]) -> Iterator[np.ndarray]:
        for example in self._examples.draw_all(views):
            yield np.append(example.label, example.place()).astype(np.float16)
