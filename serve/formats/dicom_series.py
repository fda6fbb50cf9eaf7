"""DICOM slices -> series, in the order of their position in the head."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from .dicom import Frame
from .dicom_pixels import Pixels, affine_of, space_of_slices
from .errors import InvalidImageError
from .planes import Plane, slices_of
from .slices import Series, Slice
from .space import Space, direction_of

LOCALIZER = "localizer"
EVEN = 0.05  # of the distance between slices: what it may vary in a volume
CLOSE = 0.01  # millimetres within which two slices lie at one place


def series_of(
    images: Iterable[list[Frame]], volume: int | None = None
) -> Iterator[Series | InvalidImageError]:
    """The files' slices by their series, in the order in which these were found.

    Args:
        images: the frames of every file.
        volume: where each place was taken several times, which time, from 0; by default the
            first.
    """
    groups: dict[object, list[Frame]] = defaultdict(list)
    for frames in images:
        # A file that does not say which series it belongs to is one of its own.
        groups[frames[0].series or id(frames[0].file)] += frames
    used: Counter[str] = Counter()
    for frames in groups.values():
        name = _name(frames)
        used[name] += 1
        yield _series(f"{name} ({used[name]})" if used[name] > 1 else name, frames, volume)


def _series(name: str, frames: list[Frame], volume: int | None) -> Series | InvalidImageError:
    slices = [frame for frame in frames if not frame.localizer]
    placed = _placed(slices)
    times = max(map(len, placed), default=1)
    if not 0 <= (volume or 0) < times:
        return InvalidImageError(name, f"there is no volume {volume}: it has {times}")
    chosen = [place[volume or 0] for place in placed if len(place) > (volume or 0)]
    localizers = len(frames) - len(slices)

    def read(skipped: Counter[str]) -> Iterator[Slice | InvalidImageError]:
        if localizers:
            skipped[LOCALIZER] += localizers
        if chosen:
            names = [_slice_name(frame) for frame in chosen]
            yield from slices_of(names, partial(_plane, Pixels(), chosen), skipped)

    warnings = list(dict.fromkeys(text for frame in chosen for text in frame.warnings))
    if times > 1 and volume is None:
        warnings.append(f"It shows each place up to {times} times; the first was read.")
    return Series(
        name, "DICOM series", len(chosen) + localizers, read, tuple(warnings), _space(chosen)
    )


def _plane(pixels: Pixels, frames: Sequence[Frame], index: int) -> Plane:
    return pixels.plane(frames[index])


@np.errstate(all="ignore")  # here and below: a damaged header may hold any number
def _placed(frames: Iterable[Frame]) -> list[list[Frame]]:
    """Slices by their place: right to left, back to front or below to above, as they were taken.

    Slices of several directions come one direction after the other; where no position is known
    the order is that of their numbers.
    """
    places: dict[tuple[object, ...], list[Frame]] = defaultdict(list)
    directions: dict[object, int] = {}
    for number, frame in enumerate(sorted(frames, key=lambda frame: (frame.order, frame.number))):
        affine = affine_of(frame)
        if affine is None or frame.position is None:
            places[len(directions), number].append(frame)
            continue
        turn = tuple(np.round(frame.orientation or (), 2))
        direction = directions.setdefault(turn, len(directions))
        normal = affine[:3, 2] / np.linalg.norm(affine[:3, 2])
        height = float(affine[:3, 3] @ normal) * _forwards(affine)
        places[direction, round(height / CLOSE)].append(frame)
    return [_without_copies(places[place]) for place in sorted(places)]


def _forwards(affine: np.ndarray) -> int:
    """1 where the slices' normal points right, forwards or up, and else -1."""
    return 1 if affine[direction_of(affine, 2), 2] >= 0 else -1


def _without_copies(frames: list[Frame]) -> list[Frame]:
    """One of each slice, where a file is there twice."""
    unique = {(frame.instance or id(frame), frame.number, frame.order): frame for frame in frames}
    return list(unique.values())


@np.errstate(all="ignore")
def _space(frames: Sequence[Frame]) -> Space | None:
    """The voxels of evenly spaced slices of one size and direction, and else None."""
    if len({(frame.shape, frame.spacing, frame.orientation) for frame in frames}) != 1:
        return None
    if frames[0].orientation is None or any(frame.position is None for frame in frames):
        return None
    positions = np.array([frame.position for frame in frames], np.float64)
    steps = np.diff(positions, axis=0)
    step = steps.mean(axis=0) if len(steps) else None
    if step is not None and np.abs(steps - step).max() > EVEN * np.linalg.norm(step):
        return None
    affine = affine_of(frames[0], step)
    return None if affine is None else space_of_slices(frames[0], len(frames), affine)


def _name(frames: Sequence[Frame]) -> str:
    """The file, or the folder that holds all files, and the series' number."""
    files = {frame.file.name for frame in frames}
    if len(files) == 1:
        return frames[0].file.name
    try:
        folder = os.path.commonpath([Path(name).parent for name in files])
    except ValueError:  # on several drives
        folder = frames[0].file.name
    number = frames[0].series_number
    return folder if number is None else f"{folder}, series {number}"


def _slice_name(frame: Frame) -> str:
    return f"{frame.file.name}[{frame.number}]" if frame.frames > 1 else frame.file.name
