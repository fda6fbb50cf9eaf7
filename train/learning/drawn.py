"""The pictures that a training draws and what they should be answered, kept on disk.

For networks that are trained from before block5 on: features of the frozen layers would take more
room than the pictures do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from serve.names import INPUT_SIZE, MAP_CELLS
from train.data.dataset import Scan
from train.learning.rows import RowCache
from train.pictures.examples import Examples, targets_of

ROW = np.dtype(
    [
        ("pixels", np.uint8, (INPUT_SIZE, INPUT_SIZE, 3)),
        ("label", np.int8),
        ("place", np.float16, (MAP_CELLS, MAP_CELLS)),
    ]
)


class DrawnCache(RowCache):
    """Picture, label and the tumour's place of every view asked for.

    Args:
        folder: where caches lie; this one takes a subfolder.
        examples: the views.
    """

    def __init__(self, folder: Path, examples: Examples) -> None:
        self._examples = examples
        super().__init__(folder, "drawn", {"row": ", ".join(ROW.names)}, dtype=ROW)

    def rows(self) -> np.ndarray:
        """All pictures, uint8 (rows, 224, 224, 3), RGB, memory-mapped, read-only."""
        return super().rows()["pixels"]

    def of(self, scans: Sequence[Scan], views: int) -> dict[str, np.ndarray]:
        """What `train.network.losses` compares, of (scans, views, ...); see `targets_of`."""
        found = self.rows_of(scans, views)
        rows = super().rows()
        return targets_of(
            rows["label"][found].astype(np.int32), rows["place"][found].astype(np.float32)
        )

    def of_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """What the network is given of pictures that are not to be kept.

        Args:
            pixels: uint8 (N, 224, 224, 3), RGB.

        Returns:
            float32 of the same shape.
        """
        return pixels.astype(np.float32)

    def _source(self, scan: Scan, view: int) -> str:
        return self._examples.origin(scan, view)

    def _compute(self, views: Sequence[tuple[Scan, int]]) -> Iterator[np.ndarray]:
        for example in self._examples.draw_all(views):
            yield np.array((example.pixels, example.label, example.place()), ROW)
