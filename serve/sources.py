"""What the words of a command line name: files, folders, wildcards, lists and pipes."""

from __future__ import annotations

import glob
import os
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeAlias

from .formats.kinds import content_of
from .formats.scans import Axis, File, InvalidImageError, Series, read_scans

STANDARD_INPUT = "-"
MAX_PIPED = 256 * 2**20  # bytes that one pipe may bring

Found: TypeAlias = Series | InvalidImageError


def find(
    words: Iterable[str | InvalidImageError],
    axis: Axis,
    volume: int | None,
    skipped: Counter[str],
    ignore: Callable[[Path], bool],
) -> Iterator[Found]:
    """The series that `words` name, in their order; DICOM's come last.

    Args:
        words: what `expand` gives: files; folders, which are searched recursively; "-" for
            standard input. What is no regular file, a named pipe or /dev/stdin, is read once,
            however often it is named.
        axis: of volumes, the direction in which they are cut.
        volume: which one, where a file holds several, from 0.
        skipped: counts what is passed over, by reason.
        ignore: whether a file is not to be looked at.

    Yields:
        a series, of one picture or more, or the error that says what cannot be read and why.
    """
    errors: list[InvalidImageError] = []
    pipes = _Pipes()

    def sources() -> Iterator[File | Path]:
        for word in words:
            if isinstance(word, InvalidImageError):
                errors.append(word)
            elif (kind := _kind(word)) == stat.S_IFDIR:
                yield Path(word)
            elif kind == stat.S_IFREG and ignore(Path(word)):
                skipped["overlay"] += 1
            elif kind == stat.S_IFREG:
                yield File(word, Path(word))
            else:
                piped = pipes.read(word)
                if isinstance(piped, File):
                    yield piped
                else:
                    errors.append(piped)

    for found in read_scans(sources(), axis=axis, volume=volume, skipped=skipped, ignore=ignore):
        while errors:
            yield errors.pop(0)
        yield found
    yield from errors


def _kind(word: str) -> int:
    """Folder, pipe or regular file, as `stat` numbers them: all that is read once is a pipe, and
    what cannot be found a regular file, so that whoever reads it says why."""
    if word == STANDARD_INPUT:
        return stat.S_IFIFO
    try:
        mode = Path(word).stat().st_mode
    except (OSError, ValueError):
        return stat.S_IFREG
    kinds = (stat.S_IFDIR, stat.S_IFREG)
    return stat.S_IFMT(mode) if stat.S_IFMT(mode) in kinds else stat.S_IFIFO


def expand(words: Iterable[str]) -> Iterator[str | InvalidImageError]:
    """`words`, with what they name in place of @FILE, a list of names, one a line, and of
    wildcards that no shell has expanded."""
    for word in words:
        if word.startswith("@") and not os.path.lexists(word):
            yield from _listed(word)
        else:
            yield from _matching(word)


def _listed(word: str) -> Iterator[str | InvalidImageError]:
    try:
        text = Path(word[1:]).read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        yield InvalidImageError(word, f"the list cannot be read ({error.strerror})")
        return
    names = [line for line in text.split("\n") if line]
    if "\0" in text or not names:
        yield InvalidImageError(word, "not a list of names, one a line")
        return
    for name in names:
        yield from _matching(name)


def _matching(word: str) -> Iterator[str | InvalidImageError]:
    if not glob.has_magic(word) or os.path.lexists(word):
        yield word
    elif found := sorted(glob.glob(word, recursive=True)):  # noqa: PTH207 (absolute ones, too)
        yield from found
    else:
        yield InvalidImageError(word, "no file matches")


class _Pipes:
    """What pipes brought, so that the second mention of one gets the same."""

    def __init__(self) -> None:
        self._contents: dict[tuple[int, int], bytes] = {}

    def read(self, word: str) -> File | InvalidImageError:
        """Standard input, or what is not a regular file."""
        try:
            if word != STANDARD_INPUT:
                with open(word, "rb") as file:
                    return self._read(word, file)
            if sys.stdin is None:
                return InvalidImageError(word, "standard input is closed")
            return self._read(word, sys.stdin.buffer)
        except OSError as error:
            return InvalidImageError(word, f"it cannot be read ({error.strerror or error})")

    def _read(self, word: str, file: BinaryIO) -> File | InvalidImageError:
        found = os.fstat(file.fileno())
        key = (found.st_dev, found.st_ino)
        if key not in self._contents:
            self._contents[key] = file.read(MAX_PIPED + 1)
        if len(self._contents[key]) > MAX_PIPED:
            return InvalidImageError(word, f"over the limit of {MAX_PIPED // 2**20} MB for pipes")
        return File(word, self._contents[key])


def is_scan(path: Path) -> bool:
    """Whether a file's content is a picture or a volume, damaged or not."""
    try:
        with path.open("rb") as file:
            return content_of(file) is not None
    except OSError:
        return False


def skipped_line(skipped: Counter[str]) -> str:
    """How many files were passed over and why: "3 files skipped: 2 no pictures, 1 overlay"."""
    parts = [f"{number} {reason}{'s' * (number > 1)}" for reason, number in skipped.items()]
    total = skipped.total()
    return f"{total} file{'s' * (total > 1)} skipped: {', '.join(parts)}"
