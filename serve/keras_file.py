"""Before Keras is asked: the backend that it will run on, and whether a .keras file is whole."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path

from .command import UserError

BACKEND = "tensorflow"
MEMBERS = {"config.json", "metadata.json", "model.weights.h5"}


def choose_backend() -> None:
    """Let Keras run on TensorFlow, whatever its settings file says.

    Raises:
        UserError: the environment asks for another backend.
    """
    asked = os.environ.get("KERAS_BACKEND") or BACKEND
    if asked != BACKEND:
        raise UserError(f"KERAS_BACKEND is {asked}, and Keras runs on {BACKEND} here: unset it")
    os.environ["KERAS_BACKEND"] = BACKEND


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
