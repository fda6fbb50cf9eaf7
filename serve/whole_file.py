"""Files that a long run writes bit by bit, and that take their name when they are whole."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from .artifacts import replacing
from .command import UserError

OPEN_ALREADY = re.compile(r"/dev/(stdout|stderr|fd/\d+)|/proc/[^/]+/fd/\d+")


class Text:
    """A file of UTF-8 text that holds nothing back: what is written is on its way to the disk."""

    def __init__(self, name: str, file: FileIO) -> None:
        self._name, self._file = name, file
        self.untouched = True

    def write(self, text: str) -> None:
        """Write `text`; of what UTF-8 cannot say, a backslash escape.

        Raises:
            UserError: it cannot be written.
            BrokenPipeError: the reader has had enough.
        """
        rest = text.encode("utf-8", "backslashreplace")
        self.untouched = False
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise cannot_write(self._name, error) from None


def part_of(path: str) -> Path:
    """Where the file is while it is not whole: FILE.part."""
    target = _target(path)
    return target.with_name(f"{target.name}.part")


@contextmanager
def whole_file(path: str, resumable: bool = False, kept: str = "") -> Iterator[Text]:
    """A file that takes its place when the block succeeds; an older one stays until then.

    What is open already or no regular file, /dev/stdout or a named pipe, is written as it is.

    Args:
        path: its place.
        resumable: whether FILE.part remains where the block raises after something was written.
        kept: what it begins with, of an earlier run.

    Raises:
        UserError: it cannot be written.
    """
    target, part = _target(path), part_of(path)
    if OPEN_ALREADY.fullmatch(path) or (target.exists() and not target.is_file()):
        with _opened(path, Path(path), "ab") as file:
            yield Text(path, file)
        return
    if target.exists() and not os.access(target, os.W_OK):
        raise UserError(f"cannot write {path}: it is write-protected")
    if kept:
        with replacing(part) as temporary:
            temporary.write_text(kept, encoding="utf-8", newline="")
    file = _opened(path, part, "ab" if kept else "wb")
    text = Text(path, file)
    try:
        yield text
        _put(file, part, target, path)
    except BaseException as error:
        file.close()
        if not resumable or (text.untouched and not kept):
            part.unlink(missing_ok=True)
        else:
            error.add_note(f"what was answered is in {part}; --resume goes on from there")
        raise


def _put(file: FileIO, part: Path, target: Path, name: str) -> None:
    try:
        os.fsync(file.fileno())
        file.close()
        if target.exists():
            shutil.copymode(target, part)
        part.replace(target)
    except OSError as error:
        raise cannot_write(name, error) from None


def cannot_write(name: str | Path, error: OSError) -> UserError:
    """What is wrong with an output, in one line."""
    return UserError(f"cannot write {name}: {error.strerror or error}")


def _target(path: str) -> Path:
    return Path(os.path.realpath(path))


def _opened(name: str, path: Path, mode: str) -> FileIO:
    try:
        return FileIO(path, mode)
    except OSError as error:
        raise cannot_write(name, error) from None
