"""The parts of the page that Gradio has no component for, as HTML. Visitors' text is escaped."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Container, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from ..classifier import Prediction
from ..formats.raster import InvalidImageError
from ..measures import percent
from ..names import INTENDED_USE
from ..overlay import colour_bar, heat_layer
from ..track_record import TrackRecord
from . import words as text
from .analysis import Analysis
from .uploads import MAX_BYTES, MOST_FILES

SCAN_SIZE = 640  # pixels, the longer side of the scan as it is shown
HEAT_SIZE = 320  # of the map over it: it is smooth, the browser stretches it
BAR_HEIGHT = 320
THUMBNAIL_SIZE = 112
REFUSED_SIZE = 240

DISCLAIMER = f'<p class="disclaimer" role="note"><strong>{escape(INTENDED_USE)}</strong></p>'
HEADER = (
    f'<header class="title"><h1>{text.TITLE}</h1>'
    "<p>Glioma, meningioma, pituitary tumour or none, from one slice of MRI. A VGG16 with open "
    f"weights, and honest about what it cannot do.</p></header>{DISCLAIMER}"
)
WAITING_FOR_FILES = (
    '<p class="waiting">Choose several scans, at most '
    f"{MOST_FILES} of {MAX_BYTES // 2**20} MB each. Every file gets a row.</p>"
)
WAITING = (
    '<p class="waiting">Choose a scan. The answer appears here at once; '
    "what you upload is deleted within minutes.</p>"
)


def examples(files: Sequence[Path], labels: Sequence[str], trained_on: Container[str]) -> str:
    """A button with a picture for every example scan; `data-example` is its number.

    Args:
        files: the scans.
        labels: their true classes.
        trained_on: the names of the files that the model has learnt from; these get a star.
    """
    stars = ["*" if file.name in trained_on else "" for file in files]
    buttons = "".join(
        f'<button type="button" data-example="{number}" '
        f'aria-label="Example: {text.class_noun(label)}, {file.stem}">'
        f'<img src="{_data_url(_fit(Image.open(file).convert("RGB"), THUMBNAIL_SIZE))}" alt="">'
        f"<span>{_column(label)}{star}</span></button>"
        for number, (file, label, star) in enumerate(zip(files, labels, stars, strict=True))
    )
    note = f'<p class="small">{text.STARRED}</p>' if any(stars) else ""
    return (
        '<div class="examples" role="group" aria-label="Example scans">'
        f"<p>Or take an example:</p>{buttons}{note}</div>"
    )


def error(message: str) -> str:
    """A picture that could not be read."""
    return (
        '<section class="answer refused" role="alert"><div><h2>This file could not be read</h2>'
        f"<p>{escape(message)}</p></div></section>"
    )


def refusal(analysis: Analysis, threshold: float) -> str:
    """No class: the picture is not what the model knows."""
    name, score = escape(analysis.prediction.path), analysis.prediction.ood_score
    return (
        '<section class="answer refused" role="alert"><div>'
        f'<h2>{text.NO_MRI}</h2><p class="small">{name}</p><p>{text.NO_MRI_REASON}</p>'
        f'<p class="small">Its score of unlikeness is {score:.1f}; nearly all brain scans stay '
        f"below {threshold:.1f}.</p></div>"
        f'<img src="{_data_url(_fit(analysis.scan, REFUSED_SIZE))}" alt="The picture"></section>'
    )


def answer(prediction: Prediction, record: TrackRecord) -> str:
    """The class, its confidence and what that has meant, and all probabilities as bars."""
    warning = "" if prediction.brain_mri else f'<p class="warning">{text.STILL_NO_MRI}</p>'
    return (
        f'<section class="answer" aria-live="polite">{warning}'
        f'<p class="file">{escape(prediction.path)}</p>'
        f"<h2>{text.heading(prediction)}</h2>"
        f'<p class="confidence"><strong>{percent(prediction.confidence)}</strong> '
        f"confidence{', calibrated' if prediction.brain_mri else ''}</p>{_bars(prediction)}"
        f'<p class="record">{text.what_it_rests_on(prediction, record)}</p></section>'
    )


def viewer(analysis: Analysis, metrics: dict[str, Any]) -> str:
    """The scan, and beside it the scan under each class's map; one map is shown at a time."""
    scan = _fit(analysis.scan, SCAN_SIZE)
    url, name = _data_url(scan), escape(analysis.prediction.path, quote=True)
    layers, captions = [], []
    for label, heat in analysis.maps.items():
        hidden = "" if label == analysis.prediction.label else " hidden"
        noun = text.class_noun(label)
        layer = heat_layer(heat, _fitted(scan.size, HEAT_SIZE))
        layers.append(
            f'<img class="heat" data-class="{label}" src="{_data_url(layer)}" '
            f'alt="Where the model sees evidence for {noun}"{hidden}>'
        )
        reading = text.how_to_read_map(label, metrics.get("attention", {}))
        captions.append(f'<p class="reading" data-class="{label}"{hidden}>{reading}</p>')
    return (
        '<section class="viewer" aria-label="Where the model looked"><div class="pictures">'
        f'<figure><img src="{url}" alt="The scan {name}"><figcaption>Scan</figcaption></figure>'
        f'<figure><div class="stack"><img src="{url}" alt="">{"".join(layers)}</div>'
        f"<figcaption>Evidence: {text.ENGINES[analysis.engine]}</figcaption></figure>"
        f'<div class="scale"><img src="{_colour_bar()}" '
        'alt="Colour bar: bright yellow is high, black is low"></div></div>'
        f"{''.join(captions)}</section>"
    )


def table(answers: Sequence[Prediction | InvalidImageError], labels: Sequence[str]) -> str:
    """A row for every file, and a link that saves them as CSV; no copy stays on the server."""
    columns = ["File", "Class", "Confidence", *map(_column, labels), "Note"]
    head = "".join(f'<th scope="col">{name}</th>' for name in columns)
    rows = "".join(_row(one, labels) for one in answers)
    failed = sum(isinstance(one, InvalidImageError) for one in answers)
    summary = f"{len(answers) - failed} of {len(answers)} files answered."
    link = base64.b64encode(_csv(answers, labels).encode("utf-8-sig")).decode()
    return (
        f'<section class="files" aria-live="polite"><p>{summary} <a download="answers.csv" '
        f'href="data:text/csv;base64,{link}">Download as CSV</a></p>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Answers">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _bars(prediction: Prediction) -> str:
    rows = "".join(
        f"<tr><th scope='row'>{_column(label)}</th>"
        f"<td class='bar' aria-hidden='true'><span style='width:{share:.2%}'></span></td>"
        f"<td>{percent(share)}</td></tr>"
        for label, share in prediction.probabilities.items()
    )
    return (
        "<table class='bars'><caption class='unspoken'>Probability of every class</caption>"
        f"<tbody>{rows}</tbody></table>"
    )


def _column(label: str) -> str:
    return text.class_noun(label).capitalize()


def _row(one: Prediction | InvalidImageError, labels: Sequence[str]) -> str:
    if isinstance(one, InvalidImageError):
        cells = ["", "", *("" for _ in labels), escape(one.reason)]
        return _cells(one.name, cells, ' class="failed"')
    note = _note(one)
    if not one.brain_mri:
        return _cells(one.path, ["none", "", *("" for _ in labels), note], "")
    shares = [percent(one.probabilities[label]) for label in labels]
    return _cells(
        one.path, [text.class_name(one.label), percent(one.confidence), *shares, note], ""
    )


def _cells(name: str, cells: Sequence[str], attributes: str) -> str:
    rest = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr{attributes}><th scope="row">{escape(name)}</th>{rest}</tr>'


def _note(prediction: Prediction) -> str:
    if not prediction.brain_mri:
        return "does not look like a brain MRI"
    if prediction.unsure:
        first, second = map(text.class_noun, text.likeliest(prediction)[:2])
        return f"unsure: {first} or {second}"
    return ""


def _csv(answers: Sequence[Prediction | InvalidImageError], labels: Sequence[str]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["file", "class", "confidence", *labels, "note"])
    for one in answers:
        if isinstance(one, InvalidImageError):
            writer.writerow([one.name, "", "", *("" for _ in labels), one.reason])
        elif not one.brain_mri:
            writer.writerow([one.path, "", "", *("" for _ in labels), _note(one)])
        else:
            shares = [f"{one.probabilities[label]:.6f}" for label in labels]
            confidence = f"{one.confidence:.6f}"
            writer.writerow([one.path, one.label, confidence, *shares, _note(one)])
    return file.getvalue()


@cache
def _colour_bar() -> str:
    return _data_url(colour_bar(BAR_HEIGHT))


def _fit(image: Image.Image, longest: int) -> Image.Image:
    size = _fitted(image.size, longest)
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def _fitted(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """`size`, shrunk so that no side is longer than `longest`."""
    scale = min(1, longest / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _data_url(image: Image.Image) -> str:
    """The picture within the page itself: nothing is written, nothing more is fetched."""
    file = io.BytesIO()
    image.save(file, "WEBP", quality=90, method=1)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
