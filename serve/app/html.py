"""The parts of the page that Gradio has no component for, as HTML. Visitors' text is escaped."""

from __future__ import annotations

import base64
import io
from collections.abc import Container, Sequence
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from ..classifier import Prediction
from ..crop import Crop
from ..measures import percent
from ..names import INTENDED_USE, LABELS, NOTUMOR
from ..outputs import summary
from ..overlay import INFERNO, framed, heat_layer, overlay
from ..series import SeriesPrediction
from ..track_record import TrackRecord
from . import words as text
from .analysis import Analysis
from .uploads import MAX_BYTES, MOST_FILES

SCAN_SIZE = 800  # pixels, the longer side of the scan as it is shown
HEAT_SIZE = 320  # of the map over it: it is smooth, the browser stretches it
THUMBNAIL_SIZE = 112
SLICE_SIZE = 400
OPACITY = 0.6  # of the map, until the visitor says otherwise

DISCLAIMER = f'<p class="disclaimer" role="note"><strong>{escape(INTENDED_USE)}</strong></p>'
HEADER = f'<header class="title"><h1>{text.TITLE}</h1><p>{text.PURPOSE}</p></header>{DISCLAIMER}'
WAITING_FOR_FILES = (
    '<p class="waiting">Choose several scans, at most '
    f"{MOST_FILES} of {MAX_BYTES // 2**20} MB each. Every file gets a row.</p>"
)
WAITING = (
    '<p class="waiting">Choose a scan. The answer appears here at once; '
    "what you upload is deleted within minutes.</p>"
)
NO_PICTURES = (
    '<p class="waiting">Here you will see the scan, and beside it what made the model answer '
    "as it does.</p>"
)


def drop_box(invitation: str, several: bool = False) -> str:
    """Where files are dropped, chosen and pasted; script.js does it.

    Args:
        invitation: what it says.
        several: whether it takes more than one file.
    """
    many = f' multiple data-most="{MOST_FILES}"' if several else ""
    crop = (
        '<label class="switch"><input type="checkbox" name="crop" checked>'
        f"<span>{text.CROP}</span></label>"
    )
    paste = (
        '<button type="button" class="paste" aria-label="Paste from the clipboard">Paste</button>'
    )
    return (
        f'<div class="drop"><label><input type="file"{many} data-bytes="{MAX_BYTES}">'
        f"<span>{invitation}</span></label>{paste}</div>{crop}"
        '<p class="unspoken" role="status"></p>'
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
        f'<button type="button" data-example="{number}" data-name="{file.name}" '
        f'aria-label="Example: {text.class_noun(label)}, {file.stem}">'
        f'<img src="{_data_url(_fit(Image.open(file).convert("RGB"), THUMBNAIL_SIZE))}" alt="">'
        f"<span>{column(label)}{star}</span></button>"
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
        '<section class="answer failed" role="alert"><h2>This file could not be read</h2>'
        f"<p>{escape(message)}</p></section>"
    )


def refusal(prediction: Prediction, threshold: float) -> str:
    """No class: the picture is not what the model knows; why that may be, and what to try."""
    causes = "".join(
        f"<li><strong>{cause}?</strong> {advice[0].upper()}{advice[1:]}</li>"
        for cause, advice in text.NO_MRI_CAUSES.items()
    )
    return (
        '<section class="answer refused" role="alert">'
        f'<p class="file">{escape(prediction.path)}</p><h2>{text.NO_MRI}</h2>'
        f"{_warnings(prediction.warnings)}<p>{text.NO_MRI_REASON}</p>"
        f"<p>If it is one, perhaps:</p><ul>{causes}</ul>"
        f'<p class="small">Difference from the scans that the model knows: '
        f"{prediction.ood_score:.1f}; nearly all slices of brain MRI stay below "
        f"{threshold:.1f}.</p></section>"
    )


def answer(prediction: Prediction, record: TrackRecord, metrics: dict[str, Any]) -> str:
    """The class, its confidence and what that has meant, and all probabilities as bars."""
    unsure = " unsure" if prediction.unsure else ""
    return (
        f'<section class="answer{unsure}">'
        f'<p class="file">{escape(prediction.path)}</p>'
        f"<h2>{text.heading(prediction)}</h2>"
        f'<p class="confidence"><strong>{percent(prediction.confidence or 0)}</strong> '
        f"confidence, calibrated</p>{_warnings(prediction.warnings)}{_bars(prediction)}"
        f'<p class="record">{text.what_it_rests_on(prediction, record, metrics)}</p></section>'
    )


def refused_picture(analysis: Analysis) -> str:
    """The picture that was refused, without any map."""
    scan, _ = _shown(analysis, SCAN_SIZE)
    return (
        f'<figure class="refused-picture"><img src="{_data_url(scan)}" alt="The picture"></figure>'
    )


def series(found: SeriesPrediction) -> str:
    """The answers for a sheet, a stack or a volume: together, and slice by slice."""
    kind = "sheet" if found.kind == "sheet" else "series"
    rows = "".join(
        f'<tr class="{"refused" if one.label is None else ""}"><th scope="row">{index}</th>'
        f"<td>{text.heading(one)}</td>"
        f"<td>{percent(one.confidence) if one.confidence else ''}</td></tr>"
        for index, one in zip(found.indices, found.slices, strict=True)
    )
    head = "".join(f'<th scope="col">{word}</th>' for word in ("Slice", "Class", "Confidence"))
    pooled = f"<p>{text.POOLED}</p>" if found.tumour is not None else ""
    return (
        f'<section class="answer files"><p class="file">{escape(found.name)}</p>'
        f"<h2>A {kind} of {len(found.slices)} slices</h2><p>{escape(summary(found))}.</p>"
        f"{pooled}{_warnings([*found.warnings, *found.errors])}"
        '<div class="scroll" tabindex="0" role="region" aria-label="Answers">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def slices(shown: Sequence[Analysis]) -> str:
    """Slices of a series, each under the map of its class."""
    figures = "".join(
        f'<figure><img src="{_data_url(_under_map(one))}" alt="Slice {one.index}"><figcaption>'
        f"{one.index}: {text.heading(one.prediction)}</figcaption></figure>"
        for one in shown
    )
    return f'<section id="evidence"><div class="viewer slices">{figures}</div></section>'


def viewer(analysis: Analysis, metrics: dict[str, Any]) -> str:
    """The scan, and beside it the scan under each class's map; one map is shown at a time, and
    none at first where the answer is "no tumour": it would light up healthy brain."""
    scan, crop = _shown(analysis, SCAN_SIZE)
    small = _fitted(scan.size, HEAT_SIZE)
    seen = crop and crop.moved(small[0] / scan.width, small[1] / scan.height)
    url, name = _data_url(scan), escape(analysis.prediction.path, quote=True)
    found = analysis.prediction.label
    shown = "" if found == LABELS[NOTUMOR] else found
    layers, captions = [], [_part("p", "", shown, "reading", text.NO_MAP)]
    for label, heat in analysis.maps.items():
        layer = heat_layer(heat, small, seen)
        layers.append(
            f'<img class="heat" data-class="{label}" src="{_data_url(layer)}" '
            f'alt="What speaks for {text.class_noun(label)}"{_hidden(label, shown)}>'
        )
        reading = text.how_to_read_map(label, metrics.get("attention", {}))
        captions.append(_part("p", label, shown, "reading", reading))
    return (
        '<section id="evidence"><div id="viewer" class="viewer"><div class="pictures">'
        f'<figure><img src="{url}" alt="The scan {name}"><figcaption>'
        f"{text.FRAMED if crop else 'Scan'}</figcaption></figure>"
        f'<figure><div class="stack"><img src="{url}" alt="">{"".join(layers)}</div>'
        f"<figcaption>What the model looked at ({text.ENGINES[analysis.engine]})</figcaption>"
        f"</figure></div>{_controls(list(analysis.maps), shown)}{''.join(captions)}</div></section>"
    )


def figure(words: str, file: Path) -> str:
    """A picture of the report: a file of `server.REPORT`."""
    return (
        f'<figure><img src="report/{file.name}" alt="{escape(words)}" loading="lazy">'
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )


def column(label: str) -> str:
    """A class as a heading: Glioma, No tumour."""
    return text.class_noun(label).capitalize()


def _controls(labels: Sequence[str], shown: str | None) -> str:
    """Which class's map is shown, how strongly, and what its colours mean."""
    choices = "".join(
        f'<label><input type="radio" name="shown" value="{label}"'
        f"{' checked' if label == shown else ''}><span>{name}</span></label>"
        for label, name in [("", "No map"), *((label, column(label)) for label in labels)]
    )
    colours = ", ".join(f"#{colour}" for colour in INFERNO.split())
    return (
        '<fieldset id="shown-class"><legend>Show what speaks for</legend>'
        f'{choices}</fieldset><div class="strength"><label>Opacity of the map <input type="range" '
        f'id="opacity" min="0" max="1" step="0.05" value="{OPACITY}"></label>'
        '<p class="scale">little <span aria-hidden="true" '
        f'style="background: linear-gradient(to right, {colours})"></span> much</p></div>'
    )


def _part(tag: str, label: str, shown: str | None, kind: str, content: str) -> str:
    return f'<{tag} class="{kind}" data-class="{label}"{_hidden(label, shown)}>{content}</{tag}>'


def _hidden(label: str, shown: str | None) -> str:
    return "" if label == shown else " hidden"


def _bars(prediction: Prediction) -> str:
    shares = prediction.probabilities or {}
    rows = "".join(
        f"<tr><th scope='row'>{column(label)}</th>"
        f"<td class='bar' aria-hidden='true'><span style='width:{shares[label]:.2%}'></span></td>"
        f"<td>{percent(shares[label])}</td></tr>"
        for label in text.likeliest(prediction)
    )
    return (
        "<table class='bars'><caption class='unspoken'>Probability of every class</caption>"
        f"<tbody>{rows}</tbody></table>"
    )


def _shown(analysis: Analysis, longest: int) -> tuple[Image.Image, Crop | None]:
    """The scan as it is shown, and the part that was seen, in a frame, in its pixels."""
    scan, crop = _fit(analysis.scan, longest), analysis.crop
    if crop is None:
        return scan, None
    crop = crop.moved(scan.width / analysis.scan.width, scan.height / analysis.scan.height)
    return framed(scan, crop), crop


def _under_map(one: Analysis) -> Image.Image:
    """A slice under its class's map, but for "no tumour", of which none is shown."""
    label = one.prediction.label
    if label not in one.maps or label == LABELS[NOTUMOR]:
        return _fit(one.scan, SLICE_SIZE)
    return _fit(overlay(one.scan, one.maps[label], crop=one.crop), SLICE_SIZE)


def _warnings(warnings: Sequence[str]) -> str:
    lines = "".join(f"<li>{escape(one)}</li>" for one in warnings)
    return f'<ul class="warnings">{lines}</ul>' if lines else ""


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
