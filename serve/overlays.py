"""What --cam writes: each scan with its class's Grad-CAM laid over it, and volumes of the maps."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock

import numpy as np
from PIL import Image, PngImagePlugin

from .answering import Answered
from .artifacts import replacing
from .classifier import Prediction
from .formats.scans import InvalidImageError, Series, Slice, Space
from .overlay import overlay, with_colour_bar
from .series import SeriesPrediction, cam_volume, write_volume
from .sources import STANDARD_INPUT
from .view import in_slice
from .whole_file import cannot_write

# In every overlay and in every volume's name, so that none is read as a scan.
MARK = ("Software", "brain-tumor-vgg16 --cam")
VOLUME = ".cam.nii.gz"


class Overlays:
    """Draws into a folder, from any number of threads.

    Args:
        folder: is made where it is not there.
        labels: the classes, in the order of the maps.

    Raises:
        UserError: it cannot be written to.
    """

    def __init__(self, folder: Path, labels: Sequence[str]) -> None:
        self._folder, self._labels = folder, labels
        self._writing = Lock()  # a picture that is named twice is drawn twice
        try:
            folder.mkdir(parents=True, exist_ok=True)
            TemporaryFile(dir=folder).close()
        except OSError as error:
            raise cannot_write(f"to {folder}", error) from None

    def draw(self, one: Answered) -> Answered:
        """Write a picture's overlay, or those of a series and its Grad-CAM volume; what is no
        brain MRI gets none.

        The slices are decoded again, so that no more of them are in memory than are drawn.

        Returns:
            `one`, and what is wrong where it cannot be read any more.

        Raises:
            UserError: an overlay cannot be written.
        """
        if isinstance(one.found, InvalidImageError) or one.maps is None:
            return one
        try:
            for part, answer, cams in slices_of(one):
                if answer.label is not None:
                    cam = cams[self._labels.index(answer.label)]
                    crop = in_slice(answer.crop, part)
                    drawn = overlay(Image.fromarray(part.pixels), cam, crop=crop)
                    self._write(with_colour_bar(drawn), self._folder / _name_of(one.found, part))
            if isinstance(one.answer, SeriesPrediction) and (space := one.found.space):
                volume = cam_volume(space, one.answer, one.maps, self._labels)
                self._write_volume(one.found.name, volume, space)
        except InvalidImageError as error:
            problem = InvalidImageError(error.name, f"no overlay: {error.reason}")
            return replace(one, problem=problem)
        return one

    def _write_volume(self, name: str, volume: np.ndarray, space: Space) -> None:
        target = self._folder / f"{_stem(name)}-{_digits(name)}{VOLUME}"
        try:
            write_volume(target, volume, space)
        except OSError as error:
            raise cannot_write(target, error) from None

    def _write(self, image: Image.Image, target: Path) -> None:
        mark = PngImagePlugin.PngInfo()
        mark.add_text(*MARK)
        image.save(file := io.BytesIO(), "PNG", pnginfo=mark)
        try:
            with self._writing, replacing(target) as temporary:
                temporary.write_bytes(file.getvalue())
        except OSError as error:
            raise cannot_write(target, error) from None


def slices_of(
    one: Answered, only: Container[int] | None = None
) -> Iterator[tuple[Slice, Prediction, np.ndarray]]:
    """The slices that were answered, read again, with their answers and maps.

    Args:
        one: a picture, or a series.
        only: the indices of the slices of a series that are wanted; by default all.

    Raises:
        InvalidImageError: one cannot be read any more.
    """
    if isinstance(one.found, InvalidImageError) or one.maps is None:
        return
    if isinstance(one.answer, Prediction):
        wanted = {0: (one.answer, one.maps)}
    elif isinstance(one.answer, SeriesPrediction):
        pairs = zip(one.answer.slices, one.maps, strict=True)
        numbered = zip(one.answer.indices, pairs, strict=True)
        wanted = {index: pair for index, pair in numbered if only is None or index in only}
    else:
        return
    errors = []
    for part in one.found:
        if isinstance(part, InvalidImageError):
            errors.append(part)
        elif part.index in wanted:
            yield part, *wanted.pop(part.index)
            if not wanted:
                return
    if errors:
        raise errors[0]


def overlay_name(path: str, index: int | None = None) -> str:
    """scan.jpg -> scan-1a2b3c4d.png; the digits, of the whole path, tell namesakes apart. Of a
    series scan.nii.gz, slice 12 -> scan-012-1a2b3c4d.png."""
    if path == STANDARD_INPUT and index is None:
        return "stdin.png"
    number = "" if index is None else f"-{index:03}"
    return f"{_stem(path)}{number}-{_digits(path)}.png"


def _name_of(series: Series, part: Slice) -> str:
    if len(series) == 1:
        return overlay_name(series.name)
    return overlay_name(series.name, part.index)


def is_overlay(path: Path) -> bool:
    """Whether --cam wrote it."""
    if path.name.endswith(VOLUME):
        return True
    if path.suffix.lower() != ".png":
        return False
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return image.info.get(MARK[0]) == MARK[1]
    except Exception:  # whatever it is, it is none
        return False


def _stem(path: str) -> str:
    name = "stdin" if path == STANDARD_INPUT else Path(path).name.removesuffix(".gz")
    return Path(name).stem[:60]


def _digits(path: str) -> str:
    return hashlib.sha256(os.fsencode(Path(path).resolve())).hexdigest()[:8]
