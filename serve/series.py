"""A series of slices -> an answer for each, one for the whole, and its Grad-CAM volume."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from .artifacts import replacing
from .crop import laid
from .formats.errors import InvalidImageError
from .formats.planes import SAMPLED, square_size
from .formats.scans import Axis, ScanSource, read_scans
from .formats.slices import Series
from .formats.space import Space
from .looking import TURNED, Looker
from .unfamiliar import in_short
from .view import View

if TYPE_CHECKING:
    from .classifier import Prediction

SeriesSource: TypeAlias = ScanSource | Series

HEALTHY = "notumor"
SUSPICIOUS = 0.5  # probability of any tumour in a slice
NEIGHBOURS = 3  # slices; a tumour shows in several, a false alarm often in one
MOST = 3  # suspicious slices that are named


@dataclass(frozen=True, slots=True)
class SeriesPrediction:
    """The answers for a series; `dataclasses.asdict` makes it ready for JSON."""

    name: str
    kind: str  # "picture", "sheet", "stack", "DICOM series" or "NIfTI volume"
    slices: list[Prediction]  # of every slice that was classified, in the source's order
    indices: list[int]  # where each of them lies in the source, from 0
    skipped: dict[str, int]  # slices left out, by reason
    errors: list[str]  # slices that cannot be read: which and why
    warnings: list[str]  # sentences for people
    classes: dict[str, int]  # slices by class, of those that look like brain MRI
    tumour: float | None  # probability of any tumour (`pooled`); None: no slice looks like MRI
    run: tuple[int, int] | None  # first and last index of the longest run of suspicious slices
    suspicious: list[int]  # indices of the most suspicious slices (`most_suspicious`)


def one_series(source: SeriesSource, axis: Axis = "auto", volume: int | None = None) -> Series:
    """The one series that `source` holds.

    Raises:
        InvalidImageError: it cannot be read, or holds none, or several.
    """
    if isinstance(source, Series):
        return source
    found = list(read_scans([source], axis=axis, volume=volume))
    for one in found:
        if isinstance(one, InvalidImageError):
            raise one
    series = [one for one in found if isinstance(one, Series)]
    if len(series) != 1:
        name = source.name if hasattr(source, "name") else str(source)[:200]
        raise InvalidImageError(
            name, f"it holds {len(series)} series, not one (read_scans gives them one by one)"
        )
    return series[0]


def answer_series(
    series: Series, looker: Looker, batch: int
) -> tuple[SeriesPrediction, np.ndarray | None]:
    """Classify a series in bounded memory.

    Args:
        series: of a single picture that is a sheet, its panels are answered.
        looker: answers.
        batch: slices in one inference.

    Returns:
        the answers, and the maps of all slices together, where `looker` makes any.

    Raises:
        InvalidImageError: not one slice can be read.
    """
    predictions: list[Prediction] = []
    indices: list[int] = []
    warnings: Counter[str] = Counter()
    errors: list[InvalidImageError] = []
    maps = []
    sampled = {int(at * len(series)) for at in SAMPLED}
    middle = []
    views = _views(series, looker, errors)
    while part := list(islice(views, batch)):
        found, cams = looker.answers(part)
        predictions += found
        indices += [one.index for one in part]
        warnings.update(in_short(text) for one in found for text in one.warnings)
        pairs = zip(part, found, strict=True)
        middle += [looker.turned(*pair) for pair in pairs if pair[0].index in sampled]
        if cams is not None:
            maps.append(cams)
    if errors and not predictions:
        raise errors[0]
    tumour = [_tumour(one) for one in predictions]
    summary = SeriesPrediction(
        name=series.name,
        kind=series.kind,
        slices=predictions,
        indices=indices,
        skipped=dict(series.skipped),
        errors=[str(error) for error in errors],
        warnings=[
            *series.warnings,
            *_counted(warnings, len(predictions)),
            *([TURNED] if 2 * sum(middle) > len(middle) else []),
        ],
        classes=dict(Counter(one.label for one in predictions if one.label is not None)),
        tumour=pooled(tumour),
        run=_longest_run(tumour, indices),
        suspicious=most_suspicious(tumour, indices),
    )
    return summary, np.concatenate(maps) if maps else None


def pooled(tumour: Sequence[float | None]) -> float | None:
    """The probability of any tumour in a series: the highest mean over three neighbours.

    A tumour shows in several slices next to each other, so one slice alone alarms no more than a
    third as much. It is no probability of disease: how often healthy series are called depends
    on the model, and on how far the series is from what it was trained on.

    Args:
        tumour: the probability of any tumour in every slice, in order; None where the slice does
            not look like brain MRI.

    Returns:
        0 to 1; None where no slice looks like brain MRI.
    """
    known = [one for one in tumour if one is not None]
    if not known:
        return None
    width = min(NEIGHBOURS, len(known))
    means = np.convolve(known, np.full(width, 1 / width), mode="valid")
    return min(1.0, float(means.max()))


def cam_volume(
    space: Space, answers: SeriesPrediction, maps: np.ndarray, labels: Sequence[str]
) -> np.ndarray:
    """Where the evidence for any tumour lies, in the voxels of the input.

    Each class's Grad-CAM counts as much as its probability, so that healthy slices stay dark.

    Args:
        space: the series's.
        answers: its slices.
        maps: of every slice and class, float32 (N, C, 14, 14), each 0 to 1.
        labels: the classes, in the order of the maps.

    Returns:
        float32 array of `space.shape`, 0 to 1; 0 in slices that were left out or that do not look
        like brain MRI.
    """
    volume = np.zeros(space.shape, np.float32)
    size = square_size(space.size, space.spacing)
    for index, one, cams in zip(answers.indices, answers.slices, maps, strict=True):
        if one.probabilities is not None:
            shares = [0 if name == HEALTHY else one.probabilities[name] for name in labels]
            heat = np.tensordot(shares, cams, axes=1).astype(np.float32)
            space.place(volume, index, heat if one.crop is None else laid(heat, one.crop, size))
    return np.clip(volume, 0, 1, out=volume)


def write_volume(path: Path, volume: np.ndarray, space: Space) -> None:
    """Write a volume as NIfTI (.nii.gz), to be laid over the input in any viewer.

    Raises:
        InvalidImageError: nibabel is not installed.
        OSError: it cannot be written.
    """
    try:
        from nibabel.nifti1 import Nifti1Image
    except ImportError:
        raise InvalidImageError(str(path), "to write NIfTI: pip install nibabel") from None
    import gzip

    image = Nifti1Image(volume, space.affine)
    image.header.set_xyzt_units("mm")
    with replacing(path) as temporary:
        temporary.write_bytes(gzip.compress(image.to_bytes(), 6, mtime=0))


def _views(series: Series, looker: Looker, errors: list[InvalidImageError]) -> Iterator[View]:
    for one in series:
        try:
            if isinstance(one, InvalidImageError):
                raise one
            view = looker.view(one)
        except InvalidImageError as error:
            errors.append(error)
        else:
            yield view


def _tumour(one: Prediction) -> float | None:
    return None if one.probabilities is None else 1 - one.probabilities[HEALTHY]


def _counted(warnings: Counter[str], slices: int) -> list[str]:
    return [
        text if slices == 1 else f"{text} ({count} of {slices} slices)"
        for text, count in warnings.items()
    ]


def most_suspicious(tumour: Sequence[float | None], indices: Sequence[int]) -> list[int]:
    """Where to look first: at most three slices in which a tumour is more likely than none.

    Neighbours show the same thing, so of every run of suspicious slices the worst one comes
    first, and only then the others.

    Args:
        tumour: the probability of any tumour in every slice, in order; None where the slice does
            not look like brain MRI.
        indices: where each of them lies in the source.

    Returns:
        their indices, the most suspicious first.
    """
    of = dict(zip(indices, (one or 0 for one in tumour), strict=True))
    runs = _runs(tumour, indices)
    worst = {max(run, key=of.__getitem__) for run in runs}
    every = [index for run in runs for index in run]
    first = sorted(every, key=lambda index: (index not in worst, -of[index]))[:MOST]
    return sorted(first, key=of.__getitem__, reverse=True)


def _longest_run(tumour: Sequence[float | None], indices: Sequence[int]) -> tuple[int, int] | None:
    runs = _runs(tumour, indices)
    longest = max(runs, key=len) if runs else []
    return (longest[0], longest[-1]) if longest else None


def _runs(tumour: Sequence[float | None], indices: Sequence[int]) -> list[list[int]]:
    """The indices of suspicious slices, those of neighbours together."""
    runs: list[list[int]] = []
    for one, index in zip(tumour, indices, strict=True):
        if one is None or one < SUSPICIOUS:
            continue
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs
