"""What visitors send: taken as it is, never decoded by Gradio, never fetched from an address."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from .bounds import MOST_FILES

FOLDER = "uploads"  # below the folder that the app works in: no reply says where that is
LONGEST_NAME = 80  # characters that are shown
SWEEP, OLDEST = 60, 600  # seconds: how often files are looked at, how old they may get


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a visitor."""

    name: str  # as the visitor calls it; never a path of the server
    path: Path


def refused(reason: str) -> gr.Error:
    """What a caller is told, in a line; the server's log stays silent."""
    return gr.Error(reason, print_exception=False)


def received(file: Any) -> Upload:  # noqa: ANN401
    """A file as Gradio's FileData names it: path, orig_name and more.

    Raises:
        gradio.Error: nothing was sent, or it is no file that was uploaded.
    """
    path = file.get("path") if isinstance(file, dict) else None
    if not path or not isinstance(path, str):
        raise refused("No file was sent.")
    if not is_uploaded(path):
        raise refused("That is no file that was uploaded here.")
    name = Path(str(file.get("orig_name") or path)).name
    printable = "".join(c if c.isprintable() else "?" for c in name)
    return Upload(printable[-LONGEST_NAME:] or "file", Path(path))


def received_all(files: Any) -> list[Upload]:  # noqa: ANN401
    """As `received`, of several files.

    Raises:
        gradio.Error: nothing was sent, or more than `MOST_FILES`.
    """
    if not files or not isinstance(files, list):
        raise refused("No file was sent.")
    if len(files) > MOST_FILES:
        raise refused(f"{len(files)} files are too many: at most {MOST_FILES} at once.")
    return list(map(received, files))


def is_uploaded(path: str) -> bool:
    """Whether it lies where uploads do."""
    return Path(path).resolve().is_relative_to(Path(FOLDER).resolve())


def sweep_for_ever() -> None:
    """Delete what is old, parts of broken uploads too; to be run in a thread of its own."""
    while True:
        time.sleep(SWEEP)
        sweep(time.time() - OLDEST)


def sweep(before: float) -> None:
    """Delete files last written before then, in seconds since the epoch, and empty folders."""
    for path in sorted(Path(FOLDER).rglob("*"), reverse=True):
        try:
            if path.is_dir():
                path.rmdir()
            elif path.stat().st_mtime < before:
                path.unlink()
        except OSError:  # not empty, or gone
            continue
