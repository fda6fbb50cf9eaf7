"""Two to four scans side by side, with one switch for all their maps."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from PIL import Image

from ..answering import Answered
from ..formats.errors import InvalidImageError
from ..measures import percent
from ..overlays import slices_of
from ..series import SeriesPrediction
from ..view import in_slice
from . import html, viewer, volume
from . import words as text
from .analysis import Analysis
from .viewer import LIKELIEST

FEWEST, MOST = 2, 4
KEY = "compare-viewer"

Parts = tuple[str, str]  # what is answered, and the pictures


def compared(answers: Sequence[Answered], labels: Sequence[str], metrics: dict[str, Any]) -> Parts:
    """What is said of them together, and each with its scan, its maps and its bars.

    Args:
        answers: `FEWEST` to `MOST`, with their maps.
        labels: the classes.
        metrics: metrics.json.
    """
    scans = "".join(f'<li class="compared">{_one(answer, labels)}</li>' for answer in answers)
    return heading(str(len(answers))), together(scans, labels, metrics)


def heading(number: str) -> str:
    """What is said above them."""
    return f'<section class="answer"><h2>{number} compared</h2></section>'


def together(scans: str, labels: Sequence[str], metrics: dict[str, Any]) -> str:
    """Scans, a list item each, under what they are looked at with."""
    choices = ["", LIKELIEST, *labels]
    return (
        f'<section id="{KEY}" class="viewer compare" aria-label="Compared">'
        f"{viewer.controls(choices, LIKELIEST, KEY)}{viewer.tools(KEY)}"
        f'<ul class="scans">{scans}</ul>{viewer.readings(choices, LIKELIEST, metrics)}'
        f'<div class="tools downloads">{html.REPORT_BUTTON}</div></section>'
    )


def _one(answer: Answered, labels: Sequence[str]) -> str:
    name = f'<p class="file">{escape(answer.found.name)}</p>'
    if isinstance(answer.answer, InvalidImageError):
        return f'{name}<p class="failed">{escape(answer.answer.reason)}</p>'
    try:
        pictures = _pictures(answer, labels)
    except InvalidImageError as error:
        return f'{name}<p class="failed">{escape(error.reason)}</p>'
    return f"{name}{_said(answer)}{pictures}"


def _said(answer: Answered) -> str:
    said = answer.answer
    assert not isinstance(said, InvalidImageError)
    if isinstance(said, SeriesPrediction):
        title, share, named = volume.heading(said), said.tumour, "any tumour"
        bars = html.bars_of(volume.shares(said), volume.SHARES)
    else:
        title, share, named = text.heading(said), said.confidence, "confidence"
        bars = html.bars_of(said.probabilities or {}, html.EVERY_CLASS)
    sure = "" if share is None else f", {percent(share)} {named}"
    return (
        f"<h3>{escape(title)}<span>{sure}</span></h3>{html.warned(said.warnings)}"
        f"{bars if share is not None else ''}"
    )


def _pictures(answer: Answered, labels: Sequence[str]) -> str:
    if isinstance(answer.answer, SeriesPrediction):
        return viewer.pictures(volume.shown(answer, answer.answer), LIKELIEST)
    for part, prediction, cams in slices_of(answer):
        maps = dict(zip(labels if prediction.brain_mri else (), cams, strict=False))
        crop = in_slice(prediction.crop, part)
        scan = Image.fromarray(part.pixels)
        analysis = Analysis(scan, crop, prediction, maps, "onnx")
        if not maps:
            return html.refused_picture(analysis)
        return viewer.pictures(viewer.shown(analysis), LIKELIEST)
    raise InvalidImageError(answer.found.name, "it cannot be read any more")
