"""The radiologists' outlines of tumours, and what they ask of a Grad-CAM map."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from serve.command import UserError
from serve.names import INPUT_SIZE
from train.data.dataset import Scan, Slice


@dataclass(frozen=True)
class Outline:
    """A tumour's outline as its scan shows it."""

    content: bytes  # of an image file, 1 bit, 224x224
    mirrored: bool  # left to right, before it fits the scan

    def mask(self) -> np.ndarray:
        """bool (224, 224)."""
        mask = np.asarray(Image.open(io.BytesIO(self.content)).convert("1"))
        return mask[:, ::-1] if self.mirrored else mask


def figshare_outlines(
    scans: Sequence[Scan], slices: Mapping[str, Slice], masks: Path
) -> dict[str, Outline]:
    """The outlines, MASKS/INDEX.png, of the scans that are figshare slices, by `Scan.name`.

    Raises:
        UserError: one is missing or no image of 224x224.
    """
    return {
        scan.name: read_outline(
            masks / f"{slices[scan.name].index}.png", slices[scan.name].mirrored
        )
        for scan in scans
        if scan.name in slices
    }


def br35h_outlines(scans: Sequence[Scan], masks: Path) -> dict[str, Outline]:
    """The outlines, MASKS/yN.png, of the Br35H tumours that have one, by `Scan.name`."""
    paths = {scan.name: masks / f"{scan.path.stem}.png" for scan in scans}
    return {name: read_outline(path) for name, path in paths.items() if path.exists()}


def read_outline(path: Path, mirrored: bool = False) -> Outline:
    """Read one outline.

    Raises:
        UserError: there is no such file, or it is no image of 224x224.
    """
    try:
        content = path.read_bytes()
        size = Image.open(io.BytesIO(content)).size
    except OSError as error:
        raise UserError(f"{path}: {error}") from error
    if size != (INPUT_SIZE, INPUT_SIZE):
        raise UserError(f"{path}: is {size[0]}x{size[1]}, not {INPUT_SIZE}x{INPUT_SIZE}")
    return Outline(content, mirrored)
