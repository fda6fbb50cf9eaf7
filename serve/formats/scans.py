"""Files, folders, archives and bytes of every kind -> series of slices."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from PIL import Image

from .archive import files_in, is_litter
from .dicom import Frame, files_of_directory, find_images
from .dicom_series import series_of
from .kinds import content_of
from .nifti import read_nifti
from .pages import read_picture
from .raster import SUFFIXES, InvalidImageError, describe, errors_of, load_slice
from .slices import File, Series, Slice
from .space import Space

__all__ = ["Axis", "File", "InvalidImageError", "Series", "Slice", "Space", "read_scans", "walk"]

Axis = Literal["auto", "axial", "coronal", "sagittal"]
ScanSource: TypeAlias = str | Path | bytes | File | Image.Image | np.ndarray

NO_PICTURE, NO_FOLDER = "no picture", "unreadable folder"
MEDICAL = (".dcm", ".nii", ".nii.gz", ".zip")


def read_scans(
    sources: Iterable[ScanSource],
    *,
    axis: Axis = "auto",
    volume: int | None = None,
    skipped: Counter[str] | None = None,
    ignore: Callable[[Path], bool] = lambda path: False,
    gathered: bool = False,
) -> Iterator[Series | InvalidImageError]:
    """Find the series in files, folders, archives, bytes, pictures and arrays.

    Files are known by their content, whatever their suffix: pictures, stacks of pages (TIFF,
    GIF, WebP, PNG), DICOM, DICOMDIR, NIfTI and ZIP archives of these. Nothing is decoded before
    a series is iterated. Pictures, stacks and volumes come in the order in which they are found;
    DICOM files of all sources are gathered by series, and these come last.

    Args:
        sources: a folder is searched recursively; hidden files, "._*" and Thumbs.db are passed
            over. `File("-", content)` gives bytes a name.
        axis: of NIfTI volumes, the direction in which they are cut; "auto" is the one with the
            finest pixels within a slice.
        volume: of what holds several volumes, which one, from 0; by default the first.
        skipped: counts what folders and archives hold that is passed over, by reason:
            "no picture", "unreadable folder". It is complete once the iteration has ended.
        ignore: whether a file or folder found in a folder is not to be looked at.
        gathered: whether every `File` was found in a folder, and may be no picture at all.

    Yields:
        a series, or the error that says which source cannot be read and why.
    """
    reader = _Reader(axis, volume, Counter() if skipped is None else skipped)
    for source in sources:
        if isinstance(source, Image.Image | np.ndarray):
            yield reader.decoded(source)
        elif isinstance(source, str | Path) and Path(source).is_dir():
            for file in walk(Path(source), reader.skipped, ignore):
                yield from reader.read(file, gathered=True)
        elif isinstance(source, File):
            yield from reader.read(source, gathered)
        else:
            content = source if isinstance(source, bytes) else Path(source)
            yield from reader.read(File(describe(source), content))
    yield from series_of(reader.images, volume)


def walk(
    folder: Path, skipped: Counter[str], ignore: Callable[[Path], bool] = lambda path: False
) -> Iterator[File]:
    """The files of a folder and of the folders in it, in the order of their names.

    Args:
        skipped: counts the folders that cannot be read.
        ignore: whether a file or folder is not to be looked at.
    """

    def unreadable(error: OSError) -> None:
        skipped[NO_FOLDER] += 1

    for here, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and not ignore(Path(here, name))
        )
        for path in sorted(Path(here, name) for name in files):
            if not is_litter(Path(path.name)) and not ignore(path) and path.is_file():
                yield File(str(path), path)


class _Reader:
    """Knows files by their content, and keeps the DICOM images until all are found."""

    def __init__(self, axis: Axis, volume: int | None, skipped: Counter[str]) -> None:
        self.images: list[list[Frame]] = []
        self.skipped = skipped
        self._axis, self._volume = axis, volume

    def read(
        self, file: File, gathered: bool = False, packed: bool = False
    ) -> Iterator[Series | InvalidImageError]:
        """The series of one file, those of DICOM excepted.

        Args:
            gathered: it was found in a folder or an archive, and may be no picture at all.
            packed: it lies in an archive.
        """
        try:
            with errors_of(file.name):
                yield from self._read(file, gathered, packed)
        except InvalidImageError as error:
            yield error

    def decoded(self, source: Image.Image | np.ndarray) -> Series:
        """The series of one picture that is no file."""
        name = describe(source)

        def read(_: Counter[str]) -> Iterator[Slice | InvalidImageError]:
            try:
                yield load_slice(source, name)
            except InvalidImageError as error:
                yield error

        return Series(name, "picture", 1, read)

    def _read(
        self, file: File, gathered: bool, packed: bool
    ) -> Iterator[Series | InvalidImageError]:
        with file.open() as content:
            kind = content_of(content)
        if kind == "ZIP" and gathered and not packed and not file.name.lower().endswith(".zip"):
            self.skipped[NO_PICTURE] += 1  # a document or a program, which are archives as well
        elif kind == "ZIP":
            if packed:
                raise InvalidImageError("", "an archive within an archive is not opened")
            for entry in files_in(file):
                yield from self.read(entry, gathered=True, packed=True)
        elif kind == "DICOM":
            yield from self._read_dicom(file, gathered)
        elif kind == "NIfTI":
            yield read_nifti(file, self._axis, self._volume)
        elif kind is None and gathered and not file.name.lower().endswith((*SUFFIXES, *MEDICAL)):
            self.skipped[NO_PICTURE] += 1
        else:
            yield read_picture(file)

    def _read_dicom(self, file: File, gathered: bool) -> Iterator[Series | InvalidImageError]:
        found = find_images(file)
        if found == "directory":
            if not gathered:  # else the files that it names are found anyway
                for one in files_of_directory(file):
                    yield from self.read(one, gathered=True)
        elif found is not None:
            self.images.append(found)
        elif gathered:
            self.skipped[NO_PICTURE] += 1
        else:
            raise InvalidImageError("", "a DICOM file without a picture")
