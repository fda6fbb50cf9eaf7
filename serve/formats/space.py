"""Where a volume's voxels lie in the head, and how its slices are turned upright."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

SAGITTAL, CORONAL, AXIAL = 0, 1, 2  # the direction that slices follow: right, anterior, superior


@dataclass(frozen=True, slots=True)
class Space:
    """How slices are cut from an array of voxels.

    They come from right to left's end, from back to front or from below to above, and are seen as
    radiologists see them: anterior or superior up; in axial and coronal slices the patient's left
    at the right side of the picture, in sagittal ones the face at its left.

    Args:
        shape: of the array's first three axes, in voxels.
        affine: float (4, 4), from voxel indices to millimetres right, anterior and superior
            (NIfTI's RAS+).
        axes: the array's axes that run over the slices, down a slice and across it.
        flips: which of these three run backwards.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray = field(repr=False)
    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    @property
    def slices(self) -> int:
        return self.shape[self.axes[0]]

    @property
    def size(self) -> tuple[int, int]:
        """Voxels across and down a slice."""
        return self.shape[self.axes[2]], self.shape[self.axes[1]]

    @property
    @np.errstate(all="ignore")  # here and below: a damaged header may hold any number
    def spacing(self) -> tuple[float, float]:
        """From row to row and from column to column of a slice, in millimetres."""
        steps = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(steps[self.axes[1]]), float(steps[self.axes[2]])

    def cut(self, volume: np.ndarray, index: int) -> np.ndarray:
        """Slice `index` of an array of `shape`, or of that and channels, as a view."""
        return self._plane(volume, index)[self._turn]

    def place(self, volume: np.ndarray, index: int, levels: np.ndarray) -> None:
        """Lay a map of slice `index`, float (h, w), into `volume`, float32 of `shape`, stretched
        to the slice."""
        plane = self._plane(volume, index)
        image = Image.fromarray(levels.astype(np.float32))
        image = image.resize(plane.shape[::-1], Image.Resampling.BILINEAR)
        plane[...] = np.asarray(image)[self._turn]

    @property
    def _turn(self) -> tuple[slice, slice]:
        down, across = (slice(None, None, -1 if flip else 1) for flip in self.flips[1:])
        return down, across

    def _plane(self, volume: np.ndarray, index: int) -> np.ndarray:
        at = self.slices - 1 - index if self.flips[0] else index
        return np.moveaxis(volume, self.axes, (0, 1, 2))[at]


def space_of(shape: tuple[int, int, int], affine: np.ndarray, direction: int) -> Space:
    """The space whose slices follow one direction of the head.

    Args:
        direction: `SAGITTAL`, `CORONAL` or `AXIAL`.
    """
    axis_of, backwards = _orientation(affine)
    over, down, across = direction, *sorted({0, 1, 2} - {direction}, reverse=True)
    axes = (axis_of[over], axis_of[down], axis_of[across])
    return Space(
        shape,
        affine,
        axes,
        # Pictures run from anterior or superior down, and from right or anterior to the right.
        (backwards[axes[0]], not backwards[axes[1]], not backwards[axes[2]]),
    )


def direction_of(affine: np.ndarray, axis: int) -> int:
    """The direction of the head that an axis of the array follows best."""
    return _orientation(affine)[0].index(axis)


@np.errstate(all="ignore")
def finest(shape: tuple[int, int, int], affine: np.ndarray) -> int:
    """The direction whose slices have the smallest pixels; axial where they are all alike."""

    def area(direction: int) -> float:
        space = space_of(shape, affine, direction)
        if 1 in (space.shape[space.axes[1]], space.shape[space.axes[2]]):
            return np.inf  # a line
        down, across = space.spacing
        return round(float(np.log(down * across)), 1)  # to a tenth: pixels are not that exact

    return min((AXIAL, CORONAL, SAGITTAL), key=area)


@np.errstate(all="ignore")
def _orientation(affine: np.ndarray) -> tuple[list[int], list[bool]]:
    """The array's axis of each direction of the head, and whether each axis runs backwards."""
    steps = np.array(affine[:3, :3], np.float64)
    lengths = np.linalg.norm(steps, axis=0)
    cosines = np.divide(steps, lengths, out=np.zeros((3, 3)), where=lengths > 0)
    axis_of, left = [0, 0, 0], np.abs(cosines)
    for _ in range(3):
        direction, axis = divmod(int(np.argmax(left)), 3)
        axis_of[direction] = axis
        left[direction], left[:, axis] = -1, -1
    backwards = [bool(cosines[axis_of.index(axis), axis] < 0) for axis in range(3)]
    return axis_of, backwards
