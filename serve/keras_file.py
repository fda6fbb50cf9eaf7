"""Before Keras is asked: the backend that it will run on, and whether a .keras file is whole."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from .command import UserError

BACKENDS = ("tensorflow",)
MEMBERS = {"config.json", "metadata.json", "model.weights.h5"}


def choose_backend(backends: Sequence[str] = BACKENDS) -> None:
    """Let Keras run on the first of these, or on the one of them that the environment names,
    whatever Keras's settings file says.

    Raises:
        UserError: the environment names another backend, or one that is not installed.
    """
    asked = os.environ.get("KERAS_BACKEND") or backends[0]
    if asked not in backends:
        usual = " or ".join(backends)
        raise UserError(f"KERAS_BACKEND is {asked}, and Keras runs on {usual} here: unset it")
    if asked != backends[0] and find_spec(asked) is None:
        raise UserError(f"KERAS_BACKEND is {asked}, which is not installed: pip install {asked}")
    os.environ["KERAS_BACKEND"] = asked


def problem_of(path: Path) -> str | None:
    """What is wrong with a .keras file, or None where it is whole.

    Keras says of half a file that there is none.
    """
    try:
        if not path.stat().st_size:
            return "the file is empty"
        with path.open("rb") as file:
            start = file.read(4)
        if start == b"PK\x03\x04" and not zipfile.is_zipfile(path):
            return "the file is cut off"
        with zipfile.ZipFile(path) as archive:
            if not set(archive.namelist()) >= MEMBERS:
                return "not a .keras file"
            damaged = archive.testzip()
    except FileNotFoundError:
        return "no such file"
    except OSError as error:
        return error.strerror or str(error)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError):
        return "not a .keras file"
    return f"the file is damaged, {damaged} in it" if damaged else None
