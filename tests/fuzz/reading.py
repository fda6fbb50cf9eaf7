"""What is tried with an input, and what must not come of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from serve import BrainTumorClassifier, InvalidImageError, ModelError
from serve.formats.raster import load_image
from serve.formats.scans import File, read_scans
from tests.fuzz.kinds import ARRAY, MODEL, Input

MOST_SLICES = 30  # of one input
LONGEST = 400  # characters of a line that is read


class Wrong(Exception):
    """Something that must not be: an answer that is none, an error that is no line."""


@dataclass
class Outcome:
    """What came of an input.

    Args:
        answers: slices that were read.
        errors: by type.
        seconds: of processor time, for the picture that took the longest.
    """

    answers: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    seconds: float = 0
    _since: float = field(default_factory=time.process_time)

    def answered(self, pixels: np.ndarray) -> None:
        """Count a slice. Raises Wrong: no pixels."""
        self.measured()
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise Wrong(f"pixels of type {pixels.dtype} and shape {pixels.shape}")
        self.answers += 1

    def failed(self, error: Exception) -> None:
        """Count an error. Raises Wrong: it says nothing, or too much."""
        self.measured()
        text = getattr(error, "reason", str(error))
        if len(text) > LONGEST or len(text.splitlines()) != 1:
            raise Wrong(f"an error that is no line: {text[:1000]!r}")
        if isinstance(error.__cause__, MemoryError):
            raise Wrong("more memory than there is")
        name = type(error).__name__
        self.errors[name] = self.errors.get(name, 0) + 1

    def measured(self) -> None:
        """A picture ends here."""
        now = time.process_time()
        self.seconds, self._since = max(self.seconds, now - self._since), now


def tried(one: Input, path: Path) -> Outcome:
    """Read an input as its users do.

    Args:
        path: where it may be written.

    Raises:
        Exception: whatever is no error that users are to see.
    """
    outcome = Outcome()
    if one.kind == MODEL:
        _serve(one, path, outcome)
    else:
        if one.kind != ARRAY:
            _read(one, path, outcome)
        _load(one, outcome)
    return outcome


def _read(one: Input, path: Path, outcome: Outcome) -> None:
    """Every slice, of a file on disk and of bytes in turn."""
    assert isinstance(one.content, bytes)
    path.write_bytes(one.content)
    on_disk = len(one.content) % 2
    for series in read_scans([File("input", path if on_disk else one.content)]):
        parts: Iterator[object] = iter([series])
        if not isinstance(series, InvalidImageError):
            outcome.measured()
            parts = islice(series, MOST_SLICES)
        for part in parts:
            if isinstance(part, InvalidImageError):
                outcome.failed(part)
            else:
                outcome.answered(part.pixels)


def _load(one: Input, outcome: Outcome) -> None:
    """As one picture."""
    try:
        image = load_image(one.content, "input")
    except InvalidImageError as error:
        outcome.failed(error)
    else:
        assert isinstance(image, Image.Image)
        outcome.answered(np.asarray(image))


def _serve(one: Input, path: Path, outcome: Outcome) -> None:
    """A model: opened, and asked for an answer and its maps."""
    assert isinstance(one.content, bytes)
    path.write_bytes(one.content)
    try:
        classifier = BrainTumorClassifier(path, device="cpu", threads=1)
        classifier.explain(np.zeros((40, 50, 3), np.uint8))
    except ModelError as error:
        outcome.failed(ModelError(str(error).replace(str(path), "input")))
    else:
        outcome.measured()
        outcome.answers += 1
