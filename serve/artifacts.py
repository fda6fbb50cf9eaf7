"""Where the artifacts lie, and how they are written: whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from .command import UserError

_HERE = Path(__file__).resolve().parent
_INSTALLED = _HERE / "models"  # in the wheel
MODELS = _INSTALLED if _INSTALLED.is_dir() else _HERE.parent / "models"
EXAMPLES = _HERE / "app" / "examples"  # scans, CC0
KERAS_NAME = "brain_tumor_vgg16.keras"
ONNX_NAME = "brain_tumor_vgg16.onnx"
INT8_NAME = "brain_tumor_vgg16.int8.onnx"
SMALL_NAME = "brain_tumor_vgg16.small.onnx"
OOD_NAME = "brain_tumor_vgg16.ood.npz"
METRICS_NAME = "metrics.json"
TRAINED_ON_NAME = "trained_on.csv"


def sha256(path: Path) -> str:
    """The file's SHA-256, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_writable(path: Path) -> None:
    """See to it, before anything is computed, that a file can be written.

    Raises:
        UserError: it cannot.
    """
    try:
        if path.is_dir():
            raise UserError(f"cannot write {path}: it is a folder")
        there = next(folder for folder in path.absolute().parents if folder.exists())
        TemporaryFile(dir=there).close()
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block succeeds.

    If the block raises, `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
