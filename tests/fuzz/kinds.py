"""The inputs of the fuzz: number -> a damaged file, an odd array or a model that is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, repeat
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from tests.fuzz.mutations import (
    FLOATS,
    damaged,
    damaged_dicom,
    damaged_nifti,
    damaged_png,
    damaged_tiff,
    damaged_zip,
)
from tests.fuzz.seeds import FORMATS, scan, seeds
from tests.serve.test_contract import METADATA, small_model

Damage = Callable[[bytes, Sequence[bytes], Random], bytes]

ARRAY, MODEL = "array", "model"
DAMAGES: dict[str, Damage] = {
    "PNG": damaged_png,
    "TIFF": damaged_tiff,
    "DICOM": damaged_dicom,
    "NIfTI": damaged_nifti,
    "ZIP": damaged_zip,
}
SHARES = {"DICOM": 5, "TIFF": 4, "NIfTI": 3, "PNG": 3, "JPEG": 2, "GIF": 2, MODEL: 2, ARRAY: 2}
KINDS = tuple(chain(*(repeat(kind, SHARES.get(kind, 1)) for kind in (*FORMATS, ARRAY, MODEL))))
TYPES = ["?", "b", "B", "h", "H", "i", "I", "q", "Q", "e", "f", "d", "g", "F", "D", "S3", "U2", "O"]
MODES = [
    "1",
    "L",
    "P",
    "RGB",
    "RGBA",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "LA",
    "PA",
    "La",
    "I;16",
    "I;16B",
]
VALUES = (
    *("", "0", "1", "-1", "224", "1e999", "nan", "1.5", "\0", "٢", "[" * 9999, "9" * 9999, "null"),
    *("{}", "[]", '{"patients": [[0, 1, 9, 9]]}', '{"patients": [[0, 1, 1e308, 5]]}', "[NaN]"),
)


@dataclass(frozen=True)
class Input:
    """What is tried.

    Args:
        kind: see `KINDS`.
        content: a file's bytes, or an array or a picture.
    """

    kind: str
    content: bytes | np.ndarray | Image.Image


def made(number: int) -> Input:
    """The input of a number, always the same."""
    rng = Random(number)
    kind = KINDS[number % len(KINDS)]
    if kind == ARRAY:
        return Input(kind, _array(rng) if rng.random() < 0.7 else _picture(rng))
    if kind == MODEL:
        return Input(kind, _model(rng))
    sound = seeds(kind)
    others = sound if rng.random() < 0.7 else seeds(rng.choice(tuple(FORMATS)))
    return Input(kind, DAMAGES.get(kind, damaged)(rng.choice(sound), others, rng))


def _array(rng: Random) -> np.ndarray:
    axes = rng.choice((0, 1, 2, 2, 2, 2, 3, 3, 3, 4))
    shape = [rng.choice((0, 1, 2, 3, 4, 33)) for _ in range(axes)]
    kind = np.dtype(rng.choice(TYPES))
    random = np.random.default_rng(rng.randrange(2**32))
    levels = random.normal(0, 10.0 ** rng.randrange(-3, 6), shape)
    if kind.kind in "fc" and levels.size and rng.random() < 0.5:
        levels.flat[rng.randrange(levels.size)] = rng.choice((*FLOATS, 1e308, -1e308))
    with np.errstate(all="ignore"):
        array = levels.astype(kind)
    return array[::-1] if axes and rng.random() < 0.2 else array


def _picture(rng: Random) -> Image.Image:
    mode = rng.choice(MODES)
    size = rng.choice(((0, 0), (1, 1), (1, 5000), (5000, 1), (40, 30)))
    if size == (40, 30) and mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "I", "F", "LA"):
        return scan(mode)
    return Image.new(mode, size)


def _model(rng: Random) -> bytes:
    """With odd metadata, or damaged."""
    if rng.random() < 0.3:
        return damaged(_sound_model(), [_sound_model()], rng)
    metadata: dict[str, str | None] = {}
    for _ in range(rng.choice((1, 1, 2, 3))):
        name = rng.choice((*METADATA, "ood_warning", "track_record"))
        value: str | None = rng.choice((*VALUES, METADATA.get(name, "{}"), None))
        if value and rng.random() < 0.3:
            value = damaged(value.encode(), [b"{}"], rng).decode("latin-1")
        if value is not None and rng.random() < 0.2:
            value = json.dumps([value] * 4)
        metadata[name] = value
    with TemporaryDirectory() as folder:
        return small_model(Path(folder), metadata).read_bytes()


@cache
def _sound_model() -> bytes:
    with TemporaryDirectory() as folder:
        return small_model(Path(folder)).read_bytes()
