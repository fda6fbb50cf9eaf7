"""What every source of scans becomes: series of upright RGB slices, read one at a time."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

import numpy as np

from ..boxes import Box
from .errors import InvalidImageError
from .space import Space

Kind = Literal["picture", "sheet", "stack", "DICOM series", "NIfTI volume"]


@dataclass(frozen=True, slots=True)
class File:
    """Something to read: a file on disk, or bytes that have a name.

    Args:
        name: what answers and errors call it.
        source: where it lies, its bytes, or what gives its bytes when they are needed.
    """

    name: str
    source: Path | bytes | Callable[[], bytes] = field(repr=False)

    def open(self) -> BinaryIO:
        """Its content, from the start. Raises OSError, as `open` does."""
        content = self.content()
        return content.open("rb") if isinstance(content, Path) else io.BytesIO(content)

    def content(self) -> Path | bytes:
        """Its path, or its bytes where it has none."""
        if isinstance(self.source, Path | bytes):
            return self.source
        return self.source()


@dataclass(frozen=True, slots=True)
class Slice:
    """One upright slice in its own size, of square pixels."""

    pixels: np.ndarray = field(repr=False)  # uint8 (H, W, 3), RGB
    index: int  # from 0, in the order of the source: by position for DICOM and NIfTI
    name: str  # "scan.nii.gz[12]", "stack.tif[3]", a DICOM file's path, a picture's path
    warnings: tuple[str, ...] = ()  # sentences for people
    # Of a sheet's panel: its left, top, right and bottom in the sheet, the last two outside.
    box: Box | None = None
    # The picture's pixels to one of these, across and down; 1 but where it was too large.
    scale: tuple[float, float] = (1, 1)


Read: TypeAlias = Callable[[Counter[str]], Iterator[Slice | InvalidImageError]]


@dataclass(frozen=True)
class Series:
    """Slices that belong together; a single picture is a series of one.

    Iteration reads one slice at a time and may be repeated. A slice that cannot be read comes
    as the error that says why, and the others go on. `len()` is the number of slices of the
    source, those that are skipped included.

    Args:
        name: what answers call it.
        kind: "picture", "sheet" (of many slices), "stack" (pages of a TIFF, GIF or WebP),
            "DICOM series" or "NIfTI volume".
        length: slices of the source.
        read: gives the slices and counts by reason what it skips.
        warnings: about the whole series, sentences for people.
        space: of volumes, what a map of the input's own shape needs; else None.
        skipped: slices left out, by reason; complete once the iteration has ended.
    """

    name: str
    kind: Kind
    length: int
    read: Read = field(repr=False)
    warnings: tuple[str, ...] = ()
    space: Space | None = None
    skipped: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return self.length

    def only(self) -> Slice:
        """The slice of a series of one, under the name and with the warnings of the series.

        Raises:
            InvalidImageError: it cannot be read, or was skipped.
        """
        for part in self:
            if isinstance(part, InvalidImageError):
                raise part
            return replace(part, name=self.name, warnings=(*self.warnings, *part.warnings))
        reasons = ", ".join(self.skipped)
        raise InvalidImageError(self.name, f"nothing to classify: {reasons}")

    def __iter__(self) -> Iterator[Slice | InvalidImageError]:
        self.skipped.clear()
        return self.read(self.skipped)
