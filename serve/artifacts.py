"""Where the artifacts lie, and how they are written: whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
_INSTALLED = _HERE / "models"  # in the wheel
MODELS = _INSTALLED if _INSTALLED.is_dir() else _HERE.parent / "models"
EXAMPLES = _HERE / "app" / "examples"  # scans, CC0
KERAS_NAME = "brain_tumor_vgg16.keras"
ONNX_NAME = "brain_tumor_vgg16.onnx"
INT8_NAME = "brain_tumor_vgg16.int8.onnx"
OOD_NAME = "brain_tumor_vgg16.ood.npz"
METRICS_NAME = "metrics.json"
TRAINED_ON_NAME = "trained_on.csv"


def sha256(path: Path) -> str:
    """The file's SHA-256, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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


def read_metrics(models: Path = MODELS) -> dict[str, Any]:
    """Every measured figure (models/metrics.json), or {} where none was measured yet."""
    path = models / METRICS_NAME
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write_metrics(models: Path, section: str, value: dict[str, Any] | float) -> None:
    """Set one part of models/metrics.json, named by a dotted path ("protocols.seed").

    All others stay as they are, whoever writes at the same time.
    """
    models.mkdir(parents=True, exist_ok=True)
    with _locked(models / f".{METRICS_NAME}.lock"):
        metrics = read_metrics(models)
        *parents, last = section.split(".")
        part = metrics
        for parent in parents:
            part = part.setdefault(parent, {})
        part[last] = value
        with replacing(models / METRICS_NAME) as temporary:
            text = json.dumps(metrics, indent=2, sort_keys=True)
            temporary.write_text(f"{text}\n", encoding="utf-8")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time is within such a block; filelock is not there where only NumPy is."""
    with path.open("a", encoding="utf-8") as file:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
