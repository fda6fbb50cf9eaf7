"""The parts of the page that Gradio has no component for, as HTML. Visitors' text is escaped."""

from __future__ import annotations

import base64
import io
from collections.abc import Container, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..classifier import Prediction
from ..crop import Crop
from ..measures import percent
from ..names import INTENDED_USE
from ..overlay import framed, heat_layer
from ..track_record import TrackRecord
from . import words as text
from .bounds import MAX_BYTES, MOST_FILES

if TYPE_CHECKING:
    from .analysis import Analysis

SCAN_SIZE = 800  # pixels, the longer side of the scan as it is shown
HEAT_SIZE = 320  # of the map over it: it is smooth, the browser stretches it
THUMBNAIL_SIZE = 112
EVERY_CLASS = "Probability of every class"
OPACITY = 0.6  # of the map, until the visitor says otherwise

DISCLAIMER = f'<p class="disclaimer" role="note"><strong>{escape(INTENDED_USE)}</strong></p>'
HEADER = f'<header class="title"><h1>{text.TITLE}</h1><p>{text.PURPOSE}</p></header>{DISCLAIMER}'
CLOSE = '<button type="button" class="close-card">Back to all files</button>'
REPORT_BUTTON = '<button type="button" class="report">Save the report (HTML)</button>'
WAITING_FOR_FILES = (
    '<p class="waiting">Choose several scans, volumes or the files of a DICOM series, at most '
    f"{MOST_FILES} of {MAX_BYTES // 2**20} MB each. Every scan or series gets a card.</p>"
)
CHOOSE = "Choose a scan: a picture, DICOM, or a volume (NIfTI, a stack of pages)."
WAITING = (
    f'<p class="waiting">{CHOOSE} The answer appears here; what you upload is deleted within '
    "minutes.</p>"
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
        f'<img src="{data_url(fit(Image.open(file).convert("RGB"), THUMBNAIL_SIZE))}" alt="">'
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
        f"{warned(prediction.warnings)}<p>{text.NO_MRI_REASON}</p>"
        f"<p>If it is one, perhaps:</p><ul>{causes}</ul>"
        f'<p class="small">Difference from the scans that the model knows: '
        f"{prediction.ood_score:.1f}; nearly all slices of brain MRI stay below "
        f"{threshold:.1f}.</p></section>"
    )


def answer(prediction: Prediction, record: TrackRecord, metrics: dict[str, Any]) -> str:
    """The class, its confidence and what that has meant, and all probabilities as bars."""
    unsure = " unsure" if prediction.unsure else ""
    bars = bars_of(prediction.probabilities or {}, EVERY_CLASS)
    return (
        f'<section class="answer{unsure}">'
        f'<p class="file">{escape(prediction.path)}</p>'
        f"<h2>{text.heading(prediction)}</h2>"
        f'<p class="confidence"><strong>{percent(prediction.confidence or 0)}</strong> '
        f"confidence, calibrated</p>{warned(prediction.warnings)}{bars}"
        f'<p class="record">{text.what_it_rests_on(prediction, record, metrics)}</p></section>'
    )


def refused_picture(analysis: Analysis) -> str:
    """The picture that was refused, without any map."""
    scan, _ = framed_scan(analysis.scan, analysis.crop, SCAN_SIZE)
    return (
        f'<figure class="refused-picture"><img src="{data_url(scan)}" {html_size(scan.size)} '
        'alt="The picture"></figure>'
    )


def html_size(size: tuple[int | str, int | str]) -> str:
    """A picture's width and height, so that nothing jumps when it comes."""
    return f'width="{size[0]}" height="{size[1]}"'


def figure(words: str, file: Path) -> str:
    """A picture of the report: a file of `server.REPORT`."""
    return (
        f'<figure tabindex="0"><img src="report/{file.name}" alt="{escape(words)}" loading="lazy">'
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )


def column(label: str) -> str:
    """A class as a heading: Glioma, No tumour."""
    return text.class_noun(label).capitalize()


def bars_of(shares: Mapping[str, float], caption: str, spoken: bool = True) -> str:
    """A bar for every class, the longest first.

    Args:
        shares: 0 to 1.
        caption: what they are.
        spoken: that is said to screen readers alone.
    """
    look = " class='unspoken'" if spoken else ""
    rows = "".join(
        f"<tr><th scope='row'>{column(label)}</th>"
        f"<td class='bar' aria-hidden='true'><span style='width:{share:.2%}'></span></td>"
        f"<td>{percent(share)}</td></tr>"
        for label, share in sorted(shares.items(), key=lambda pair: -pair[1])
    )
    return f"<table class='bars'><caption{look}>{caption}</caption><tbody>{rows}</tbody></table>"


def framed_scan(
    scan: Image.Image, seen: Crop | None, longest: int
) -> tuple[Image.Image, Crop | None]:
    """The scan as it is shown, with a frame around the part that was seen, and that part in its
    pixels; None: all of it.

    Args:
        scan: of any size.
        seen: in the scan's pixels.
        longest: pixels, the longer side that is shown.
    """
    shown = fit(scan, longest)
    if seen is None or seen == Crop(0, 0, *scan.size):
        return shown, None
    seen = seen.moved(shown.width / scan.width, shown.height / scan.height)
    return framed(shown, seen), seen


def heat_url(cam: np.ndarray, size: tuple[int, int], seen: Crop | None, longest: int) -> str:
    """A map's address, of a scan as `framed_scan` gives it.

    Args:
        cam: float (h, w), 0 to 1.
        size: the scan's, pixels.
        seen: the part of it that the map is of; None: all of it.
        longest: pixels, the longer side of the map.
    """
    small = fitted(size, longest)
    part = seen and seen.moved(small[0] / size[0], small[1] / size[1])
    return data_url(heat_layer(cam, small, part))


def warned(warnings: Sequence[str]) -> str:
    """What looks odd about a scan, a line each."""
    lines = "".join(f"<li>{escape(one)}</li>" for one in warnings)
    return f'<ul class="warnings">{lines}</ul>' if lines else ""


def fit(image: Image.Image, longest: int) -> Image.Image:
    size = fitted(image.size, longest)
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def fitted(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """`size`, shrunk so that no side is longer than `longest`."""
    scale = min(1, longest / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def data_url(image: Image.Image) -> str:
    """The picture within the page itself: nothing is written, nothing more is fetched."""
    file = io.BytesIO()
    image.save(file, "WEBP", quality=90, method=1)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
