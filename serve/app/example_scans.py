"""The scans that a visitor may try."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path

from ..artifacts import EXAMPLES, MODELS, TRAINED_ON_NAME
from ..names import LABELS
from ..trained_on import read_trained_on


def example_scans() -> list[Path]:
    """Their files."""
    return sorted(EXAMPLES.glob("*.jpg"))


def classes_of(examples: Sequence[Path]) -> list[str]:
    """The classes that their names state: Te-gl_0010.jpg."""
    codes = [example.stem.split("-")[1][:2] for example in examples]
    return [next(label for label in LABELS if label.startswith(code)) for code in codes]


def learnt() -> Container[str]:
    """The names of the files that the model was trained or validated on, as far as it is said."""
    if not (MODELS / TRAINED_ON_NAME).is_file():
        return set()
    return {Path(row.file).name for row in read_trained_on() if row.side != "test"}
