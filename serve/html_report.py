"""What --report writes: one page that holds everything, a card a scan or series, to be printed."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from html import escape

import numpy as np
from PIL import Image

from .answering import Answered
from .app import words
from .classifier import BrainTumorClassifier, Prediction
from .formats.scans import InvalidImageError, Slice
from .measures import percent
from .metrics import read_metrics
from .names import INTENDED_USE
from .outputs import Output, summary
from .overlay import framed, overlay
from .overlays import slices_of
from .series import SeriesPrediction
from .streams import shown
from .view import in_slice

SIDE = 400  # pixels, the longer side of a picture
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # nothing is fetched
DISCLAIMER = f'<p class="disclaimer">{escape(INTENDED_USE)}</p>'
STYLE = """
body { font: 16px/1.45 system-ui, sans-serif; color: #1f2937; background: #fff;
  max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1, h2 { line-height: 1.2; margin: 0 0 .3rem; }
.disclaimer { border: 2px solid #1f2937; padding: .5rem .8rem; font-weight: 600; }
.card { border: 1px solid #9ca3af; border-radius: .5rem; padding: 1rem; margin: 1rem 0;
  break-inside: avoid; }
.card.refused, .card.unsure { border-left: .5rem solid #b45309; }
.card.failed { border-left: .5rem solid #b91c1c; }
.name { margin: 0 0 .5rem; color: #4b5563; overflow-wrap: anywhere; }
.pictures { display: flex; flex-wrap: wrap; gap: .8rem; margin: .5rem 0; }
figure { margin: 0; }
img { display: block; max-width: 100%; max-height: 18rem; background: #000; }
figcaption { font-size: .85rem; color: #4b5563; }
table { border-collapse: collapse; width: 100%; max-width: 32rem; }
th { text-align: left; font-weight: 400; white-space: nowrap; }
td, th { padding: .15rem .5rem .15rem 0; }
td:last-child { text-align: right; white-space: nowrap; }
td.bar { width: 60%; }
td.bar span { display: block; height: .8rem; background: #4b5563; }
tr:first-of-type, tr:first-of-type th { font-weight: 700; }
caption { text-align: left; font-size: .85rem; color: #4b5563; }
ul { margin: .5rem 0; padding-left: 1.2rem; }
* { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
"""


class Report:
    """A page that grows by a card an answer.

    Args:
        output: where it goes.
        classifier: gave the answers.
        anonymous: whether names are left out.

    Raises:
        UserError: it cannot be written.
    """

    def __init__(
        self, output: Output, classifier: BrainTumorClassifier, anonymous: bool = False
    ) -> None:
        self._output, self._anonymous = output, anonymous
        self._labels, self._record = classifier.labels, classifier.track_record
        self._metrics = read_metrics()
        self._cards = 0
        model = f"{classifier.model}, version {classifier.metadata.get('model_version', 'unknown')}"
        self._made = f"Model: {model}. Made on {datetime.now().astimezone():%Y-%m-%d at %H:%M}."
        output.write(
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{words.TITLE}: report</title><style>{STYLE}</style></head>"
            f"<h1>{words.TITLE}: report</h1>{DISCLAIMER}{_paragraph(self._made)}\n"
        )

    def picture(self, one: Answered) -> Answered:
        """`one` with its pictures, from any thread: each scan and its overlay, of a series the
        most suspicious slices."""
        numbered = isinstance(one.answer, SeriesPrediction)
        try:
            pictures = tuple(
                self._picture(part, answer, cams, numbered)
                for part, answer, cams in slices_of(one, _shown_slices(one))
            )
        except InvalidImageError as error:
            problem = InvalidImageError(error.name, f"no picture: {error.reason}")
            return replace(one, problem=one.problem or problem)
        return replace(one, pictures=pictures)

    def add(self, one: Answered) -> None:
        """Write the card of an answer.

        Raises:
            UserError: it cannot be written.
        """
        self._cards += 1
        name = f"Scan {self._cards}" if self._anonymous else one.found.name
        if isinstance(one.answer, InvalidImageError):
            kind, title, body = "failed", "This could not be read", _paragraph(one.answer.reason)
        elif isinstance(one.answer, SeriesPrediction):
            kind, title, body = "", _title(one.answer), _of_series(one.answer)
        else:
            kind = "refused" if one.answer.label is None else "unsure" * one.answer.unsure
            title, body = words.heading(one.answer), self._of_picture(one.answer)
        warnings = () if isinstance(one.answer, InvalidImageError) else one.answer.warnings
        self._output.write(
            f'<section class="card {kind}"><h2>{escape(title)}</h2>'
            f'<p class="name">{escape(shown(name))}</p>{"".join(one.pictures)}{body}'
            f"{_list(warnings)}</section>\n"
        )

    def end(self) -> None:
        """Write what comes after the last card."""
        self._output.write(f"<footer>{_paragraph(self._made)}{DISCLAIMER}</footer></html>\n")

    def _of_picture(self, answer: Prediction) -> str:
        rests_on = words.what_it_rests_on(answer, self._record, self._metrics)
        if answer.confidence is None or answer.probabilities is None:
            return _paragraph(rests_on)
        confidence = f"Confidence {percent(answer.confidence)}."
        bars = _bars(answer.probabilities, "Probability of every class")
        return _paragraph(f"{confidence} {rests_on}") + bars

    def _picture(self, part: Slice, answer: Prediction, cams: np.ndarray, numbered: bool) -> str:
        scan, crop = Image.fromarray(part.pixels), in_slice(answer.crop, part)
        caption = words.FRAMED if crop else "Scan"
        caption = f"Slice {part.index}" if numbered else caption
        figures = _figure(_small(framed(scan, crop) if crop else scan), caption)
        if answer.label is not None:
            drawn = overlay(scan, cams[self._labels.index(answer.label)], crop=crop)
            figures += _figure(_small(drawn), f"Evidence for {words.class_noun(answer.label)}")
        return f'<div class="pictures">{figures}</div>'


def _shown_slices(one: Answered) -> set[int] | None:
    """Of a series the most suspicious slices, or that in the middle; None: all there are."""
    if not isinstance(one.answer, SeriesPrediction):
        return None
    middle = one.answer.indices[len(one.answer.indices) // 2 :][:1]
    return set(one.answer.suspicious or middle)


def _title(series: SeriesPrediction) -> str:
    return "A sheet of slices" if series.kind == "sheet" else "A series of slices"


def _of_series(series: SeriesPrediction) -> str:
    failed = len(series.errors)
    lost = _paragraph(f"{failed} of its slices could not be read.") if failed else ""
    shares = {label: number / len(series.slices) for label, number in series.classes.items()}
    return _paragraph(f"{summary(series)}.") + lost + _bars(shares, "Slices by class")


def _bars(shares: Mapping[str, float], caption: str) -> str:
    """A bar a class, the longest first."""
    rows = "".join(
        f'<tr><th scope="row">{words.class_noun(label).capitalize()}</th>'
        f'<td class="bar"><span style="width:{share:.2%}"></span></td>'
        f"<td>{percent(share)}</td></tr>"
        for label, share in sorted(shares.items(), key=lambda pair: -pair[1])
    )
    return f"<table><caption>{caption}</caption>{rows}</table>" if rows else ""


def _list(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    return f"<ul>{''.join(f'<li>{escape(shown(one))}</li>' for one in warnings)}</ul>"


def _paragraph(text: str) -> str:
    return f"<p>{escape(shown(text))}</p>"


def _figure(image: Image.Image, caption: str) -> str:
    return (
        f'<figure><img src="{_data_url(image)}" alt="{escape(caption, quote=True)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _small(image: Image.Image) -> Image.Image:
    small = image.copy()
    small.thumbnail((SIDE, SIDE))
    return small


def _data_url(image: Image.Image) -> str:
    image.save(file := io.BytesIO(), "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
