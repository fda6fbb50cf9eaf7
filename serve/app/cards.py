"""The answers for several files: a card each, a filter, and one switch for all their maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

from PIL import Image

from ..answering import Answered
from ..formats.errors import InvalidImageError
from ..measures import percent
from ..overlays import slices_of
from ..series import SeriesPrediction
from ..view import in_slice
from . import volume
from . import words as text
from .compare import FEWEST, MOST
from .html import column, data_url, framed_scan, heat_url
from .table import table
from .viewer import LIKELIEST, likeliest, map_name, radios, shown_first

SIDE, HEAT_SIDE = 288, 72  # pixels, the longer side of a thumbnail and of its map

FAILED, REFUSED, UNSURE, SERIES, SHEET = "failed", "refused", "unsure", "series", "sheet"
KINDS = {
    UNSURE: "Unsure",
    SERIES: "Volumes",
    SHEET: "Sheets",
    REFUSED: "No brain MRI",
    FAILED: "Not read",
}


def cards(answers: Sequence[Answered], labels: Sequence[str]) -> str:
    """A card for every picture and series, and the same as a table that can be saved.

    A card is a button, `data-card` its number: script.js asks for the whole answer.
    """
    kinds = [_kind(one) for one in answers]
    items = "".join(
        _card(number, one, kind, labels)
        for number, (one, kind) in enumerate(zip(answers, kinds, strict=True))
    )
    answered = len(answers) - kinds.count(FAILED)
    return (
        f'<section class="files" data-says="{answered} of {len(answers)} files answered.">'
        f"{_filter(kinds, labels)}{maps(labels)}{compare(answered)}"
        f'<ul class="cards">{items}</ul>'
        f"{table(answers, labels)}</section>"
    )


def _kind(one: Answered) -> str:
    if isinstance(one.answer, InvalidImageError):
        return FAILED
    if isinstance(one.answer, SeriesPrediction):
        return SHEET if one.answer.kind == SHEET else SERIES
    if one.answer.label is None:
        return REFUSED
    return UNSURE if one.answer.unsure else one.answer.label


def _card(number: int, one: Answered, kind: str, labels: Sequence[str]) -> str:
    if isinstance(one.answer, InvalidImageError):
        title, note = KINDS[FAILED], one.answer.reason
    elif isinstance(one.answer, SeriesPrediction):
        tumour = one.answer.tumour
        title = volume.heading(one.answer)
        note = volume.note(one.answer)
        note += "" if tumour is None else f"; any tumour {percent(tumour)}"
    else:
        title = text.heading(one.answer)
        confidence = one.answer.confidence
        sure = [] if confidence is None else [f"{percent(confidence)} confidence"]
        note = ". ".join([*sure, *one.answer.warnings])
    name = escape(one.found.name)
    words = f'<strong>{escape(title)}</strong><span class="note">{escape(note)}</span>'
    content = f'{_picture(one, labels)}<span class="name">{name}</span>{words}'
    inner = (
        f'<div class="card-face">{content}</div>'
        if kind == FAILED
        else f'<button type="button" class="card-face" data-card="{number}">{content}</button>'
        f'<label class="switch"><input type="checkbox" name="compare" value="{number}">'
        f'<span>Compare<span class="unspoken"> {name}</span></span></label>'
    )
    return f'<li class="{kind}" data-kind="{kind}">{inner}</li>'


def _picture(one: Answered, labels: Sequence[str]) -> str:
    """The scan, or a series' most suspicious slice, and the map of every class over it."""
    try:
        part, prediction, cams = next(slices_of(one, _shown(one)))
    except (StopIteration, InvalidImageError):
        return '<span class="stack empty"></span>'
    seen = in_slice(prediction.crop, part)
    image, seen = framed_scan(Image.fromarray(part.pixels), seen, SIDE)
    layers = ""
    if prediction.label is not None:
        for label, cam in zip(labels, cams, strict=True):
            mark = likeliest(label, shown_first(prediction.label))
            layers += (
                f'<img class="heat" data-class="{label}"{mark} alt="" hidden '
                f'src="{heat_url(cam, image.size, seen, HEAT_SIDE)}">'
            )
    return f'<span class="stack"><img src="{data_url(image)}" alt="">{layers}</span>'


def _shown(one: Answered) -> set[int] | None:
    series = one.answer
    if not isinstance(series, SeriesPrediction):
        return None
    return {(series.suspicious or series.indices[len(series.indices) // 2 :])[0]}


def _filter(kinds: Sequence[str], labels: Sequence[str]) -> str:
    """Which cards are shown; only what there is can be chosen."""
    counts = Counter(kinds)
    names = {label: column(label) for label in labels} | KINDS
    choices = {"": f"All ({len(kinds)})"}
    choices |= {kind: f"{name} ({counts[kind]})" for kind, name in names.items() if counts[kind]}
    return _choices("filter", "Show", choices)


def maps(labels: Sequence[str]) -> str:
    """Which map lies over all the thumbnails."""
    choices = {one: map_name(one) for one in ("", LIKELIEST, *labels)}
    return _choices("all-maps", "Over all scans, what speaks for", choices)


def compare(answered: int) -> str:
    """What looks at some of the cards side by side; cards.js says how many are chosen."""
    if answered < FEWEST:
        return ""
    return (
        f'<p class="downloads comparing" data-fewest="{FEWEST}" data-most="{MOST}">'
        '<button type="button" class="compare-cards" disabled>Compare side by side</button>'
        f'<span role="status">Choose {FEWEST} to {MOST} cards.</span></p>'
    )


def _choices(name: str, legend: str, choices: Mapping[str, str]) -> str:
    return (
        f'<fieldset class="choices {name}"><legend>{legend}</legend>'
        f"{radios(name, choices, '')}</fieldset>"
    )
