"""A volume or a stack of slices: what is said of it, and its slices one by one, as HTML."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from PIL import Image

from ..answering import Answered
from ..classifier import Prediction
from ..formats.errors import InvalidImageError
from ..measures import percent
from ..overlays import slices_of
from ..series import HEALTHY, SUSPICIOUS, SeriesPrediction
from ..view import in_slice
from . import words as text
from .html import (
    bars_of,
    data_url,
    fit,
    framed_scan,
    heat_url,
    warned,
)
from .viewer import Shown, shown_first

SLICE_SIZE, HEAT_SIZE, THUMBNAIL_SIZE = 512, 112, 144  # pixels, the longer side

NOTHING_KNOWN = "No slice of it looks like a brain MRI"
SUSPECTED = "Tumour suspected"
NONE_FOUND = "No tumour found"
MEANING = (
    "That is the highest mean over three neighbouring slices: a tumour shows in several, a false "
    "alarm often in one. It is no probability of disease."
)
UNLIKE = "unlike a brain MRI"
SHARES = "Share of the slices that look like each class"
COUNTED = "Slices are counted from 0, as in tables and reports."
SHEET = "A sheet of {} slices"


def heading(series: SeriesPrediction) -> str:
    """What the slices say together."""
    if series.tumour is None:
        return NOTHING_KNOWN
    if is_sheet(series):
        return SHEET.format(len(series.slices))
    return SUSPECTED if series.tumour >= SUSPICIOUS else NONE_FOUND


def shares(series: SeriesPrediction) -> dict[str, float]:
    """The share of its slices that look like each class, 0 to 1."""
    return {label: count / len(series.slices) for label, count in series.classes.items()}


def is_sheet(series: SeriesPrediction) -> bool:
    """Whether its slices are the panels of one picture."""
    return series.kind == "sheet"


def note(series: SeriesPrediction) -> str:
    """What it is, and where to look."""
    words = f"{series.kind}, {len(series.slices)} slices"
    if series.run:
        first, last = series.run
        words += f"; suspicious {'slice' if first == last else 'slices'} {_span(first, last)}"
    return words


def answer(series: SeriesPrediction, metrics: dict[str, Any]) -> str:
    """What the slices say together, how many are of which class, and what was left out."""
    refused = len(series.slices) - sum(series.classes.values())
    look, role = ("refused", ' role="alert"') if series.tumour is None else ("series", "")
    said = [f"{note(series)}."]
    if series.tumour is not None:
        said += [MEANING]
    if series.tumour is not None and series.tumour < SUSPICIOUS:
        said += [text.missed_elsewhere(metrics.get("protocols", {}))]
    left_out = {UNLIKE: refused, **series.skipped, "unreadable": len(series.errors)}
    said += [
        f"{number} slices left out: {reason}." for reason, number in left_out.items() if number
    ]
    said += [COUNTED]
    share = (
        ""
        if series.tumour is None
        else f'<p class="confidence"><strong>{percent(series.tumour)}</strong> any tumour</p>'
    )
    return (
        f'<section class="answer {look}"{role}><p class="file">{escape(series.name)}</p>'
        f"<h2>{heading(series)}</h2>{share}{warned(series.warnings)}"
        f"{bars_of(shares(series), SHARES, spoken=False)}"
        f'<p class="record">{escape(" ".join(said))}</p></section>'
    )


def shown(one: Answered, series: SeriesPrediction) -> Shown:
    """Its slices, one at a time, with the suspicion along them; the most suspicious come first.

    Args:
        one: the answer, with its maps.
        series: the same answer.

    Raises:
        InvalidImageError: a slice cannot be read any more.
    """
    labels = list(series.slices[0].probabilities or text.CLASSES)
    slices: list[dict[str, Any]] = []
    small: dict[int, str] = {}
    sizes: list[tuple[int, int]] = []
    for part, prediction, cams in slices_of(one):
        image = Image.fromarray(part.pixels)
        scan, seen = framed_scan(image, in_slice(prediction.crop, part), SLICE_SIZE)
        sizes.append(scan.size)
        known = labels if prediction.label is not None else ()
        slices.append(
            {
                "index": part.index,
                "says": _says(prediction),
                "scan": data_url(scan),
                "caption": text.FRAMED if seen else text.SCAN,
                "heats": {
                    label: heat_url(cam, scan.size, seen, HEAT_SIZE)
                    for label, cam in zip(known, cams, strict=False)
                },
            }
        )
        if is_sheet(series) or part.index in series.suspicious:
            small[part.index] = data_url(fit(image, THUMBNAIL_SIZE))
    if not slices:
        raise InvalidImageError(series.name, "its slices cannot be read any more")
    positions = {index: at for at, index in enumerate(series.indices)}
    first = positions[series.suspicious[0]] if series.suspicious else len(slices) // 2
    along = _slider(series, slices, first) + _most(series, small, positions)
    data = json.dumps(slices).replace("<", "\\u003c")
    above = (
        f'<div class="along">{along}</div>'
        f'<script type="application/json" class="slices-data">{data}</script>'
    )
    start = slices[first]
    heats = {label: start["heats"].get(label, "") for label in labels}
    return Shown(
        series.name,
        start["scan"],
        sizes[first],
        heats,
        shown_first(_commonest(series)),
        text.ENGINES["onnx"],
        start["caption"],
        above,
    )


def _slider(series: SeriesPrediction, slices: list[dict[str, Any]], first: int) -> str:
    """The suspicion of every slice as a bar over its place on the slider."""
    bars = "".join(_bar(at, one) for at, one in enumerate(series.slices))
    n = len(slices)
    word = "Panel" if is_sheet(series) else "Slice"
    says = f"{word} {slices[first]['index']}: {slices[first]['says']}"
    return (
        '<div class="slices"><p class="small">How likely each slice shows a tumour</p>'
        f'<svg class="suspicion" viewBox="0 0 {n} 100" preserveAspectRatio="none" '
        f'aria-hidden="true">{bars}</svg>'
        f'<input type="range" class="slice" min="0" max="{n - 1}" value="{first}" '
        f'aria-label="{word}" aria-valuetext="{escape(says, quote=True)}">'
        f'<p class="says">{escape(says)}</p></div>'
    )


def _bar(at: int, one: Prediction) -> str:
    if one.probabilities is None:
        return f'<rect class="unknown" x="{at}.1" y="96" width="0.8" height="4"/>'
    share = _tumour(one)
    look = "suspicious" if share >= SUSPICIOUS else "quiet"
    height = max(3.0, 100 * share)
    return (
        f'<rect class="{look}" x="{at}.1" y="{100 - height:.1f}" width="0.8" '
        f'height="{height:.1f}"/>'
    )


def _most(series: SeriesPrediction, small: dict[int, str], positions: dict[int, int]) -> str:
    """Thumbnails of all panels of a sheet, or of the most suspicious slices, the most first."""
    if is_sheet(series):
        shown = [
            _thumbnail(at, small[index], f"Panel {index}", text.heading(series.slices[at]))
            for index, at in positions.items()
            if index in small
        ]
        label = "All panels"
    else:
        shown = [
            _thumbnail(at, small[index], f"Slice {index}", percent(_tumour(series.slices[at])))
            for index, at in ((index, positions[index]) for index in series.suspicious)
            if index in small
        ]
        label = "Most suspicious slices"
    if not shown:
        return ""
    return f'<div class="most" role="group" aria-label="{label}">{"".join(shown)}</div>'


def _thumbnail(at: int, picture: str, *lines: str) -> str:
    return (
        f'<button type="button" data-slice="{at}"><img src="{picture}" alt="">'
        f"<span>{'<br>'.join(lines)}</span></button>"
    )


def _says(one: Prediction) -> str:
    if one.label is None or one.confidence is None:
        return text.NO_MRI
    return f"{text.heading(one)}, {percent(one.confidence)} confidence"


def _tumour(one: Prediction) -> float:
    return 1 - (one.probabilities or {}).get(HEALTHY, 1.0)


def _commonest(series: SeriesPrediction) -> str | None:
    """The tumour that most suspicious slices show; None where none is suspected."""
    if series.tumour is None or series.tumour < SUSPICIOUS:
        return None
    tumours = {label: n for label, n in series.classes.items() if label != HEALTHY}
    return max(tumours, key=tumours.__getitem__, default=None)


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"
