"""Scans, the maps over them, and what they are looked at with, as HTML; viewer.js does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ..names import LABELS, NOTUMOR
from ..overlay import INFERNO
from . import words as text
from .analysis import Analysis
from .html import (
    HEAT_SIZE,
    REPORT_BUTTON,
    SCAN_SIZE,
    column,
    data_url,
    framed_scan,
    heat_url,
    html_size,
)

OPACITY = 0.6  # of the map, until the visitor says otherwise
BESIDE, OVER = "beside", "over"
LAYOUTS = {BESIDE: "Side by side", OVER: "One over the other"}
LIKELIEST = "likeliest"  # in a class's place: of each scan its own likeliest tumour


@dataclass(frozen=True, slots=True)
class Shown:
    """A scan as it is shown, or the slice of a series that comes first."""

    name: str
    picture: str  # an address
    size: tuple[int | str, int | str]  # its width and height in pixels: its place is kept for it
    heats: Mapping[str, str]  # the map of every class, an address each; {}: it was refused
    first: str  # the class whose map is shown at first; "" none
    engine: str  # what drew the maps
    caption: str = text.SCAN
    above: str = ""  # HTML


def shown(analysis: Analysis) -> Shown:
    """A picture that was answered."""
    scan, seen = framed_scan(analysis.scan, analysis.crop, SCAN_SIZE)
    return Shown(
        analysis.prediction.path,
        data_url(scan),
        scan.size,
        {label: heat_url(one, scan.size, seen, HEAT_SIZE) for label, one in analysis.maps.items()},
        shown_first(analysis.prediction.label),
        text.ENGINES[analysis.engine],
        text.FRAMED if seen else text.SCAN,
    )


def viewer(one: Shown, metrics: dict[str, Any], key: str) -> str:
    """The scan, and beside it the scan under each class's map; one map is shown at a time, and
    none at first where the answer is "no tumour": it would light up healthy brain.

    Args:
        one: what is shown.
        metrics: metrics.json.
        key: of this viewer in the page.
    """
    labels = list(one.heats)
    save = (
        '<div class="tools downloads"><button type="button" class="overlay-png">'
        f"Save the picture (PNG)</button>{REPORT_BUTTON}</div>"
    )
    return (
        f'<section id="{key}" class="viewer" data-name="{escape(one.name, quote=True)}">'
        f"{pictures(one, one.first)}{controls(['', *labels], one.first, key)}"
        f"{readings(['', *labels], one.first, metrics)}{tools(key)}{save}</section>"
    )


def pictures(one: Shown, chosen: str) -> str:
    """The scan, and the same under its maps.

    Args:
        one: the scan.
        chosen: the class whose map is shown; "" none; `LIKELIEST`, the one of `one.first`.
    """
    wanted = one.first if chosen == LIKELIEST else chosen
    layers = "".join(
        f'<img class="heat" data-class="{label}"{likeliest(label, one.first)} src="{layer}" '
        f'alt="What speaks for {text.class_noun(label)}"{hidden(label, wanted)}>'
        for label, layer in one.heats.items()
    )
    name = escape(one.name, quote=True)
    scan = f'<img class="scan" src="{one.picture}" {html_size(one.size)}'
    plain = f'{scan} alt="The scan {name}">'
    under = f'{scan} alt="">{layers}'
    return (
        f'<div class="one">{one.above}<div class="pictures">'
        f'<figure class="plain">{_view(plain, "The scan")}'
        f"<figcaption>{one.caption}</figcaption></figure>"
        f"<figure>{_view(under, 'Under the map')}"
        f"<figcaption>{text.LOOKED_AT} ({one.engine})</figcaption></figure></div></div>"
    )


def shown_first(label: str | None) -> str:
    """The class whose map is shown until the visitor chooses; "" none."""
    return "" if label is None or label == LABELS[NOTUMOR] else label


def likeliest(label: str, first: str) -> str:
    """Marks the map of a scan's likeliest tumour."""
    return ' data-likeliest=""' if label == first else ""


def controls(choices: Sequence[str], chosen: str, key: str) -> str:
    """Which class's map is shown, how the pictures lie, how strong the map is, and what its
    colours mean.

    Args:
        choices: classes; "" for none, `LIKELIEST` for each scan's own.
        chosen: one of them.
        key: of the viewer in the page.
    """
    classes = radios(f"shown-{key}", {one: map_name(one) for one in choices}, chosen)
    layouts = radios(f"layout-{key}", LAYOUTS, BESIDE)
    colours = ", ".join(f"#{colour}" for colour in INFERNO.split())
    return (
        '<label class="divide"><input type="range" class="divider" min="0" max="100" value="50">'
        "Scan left of the line, map right of it</label>"
        f'<div class="choosing"><fieldset class="choices shown-class">'
        f"<legend>Show what speaks for</legend>{classes}</fieldset>"
        f'<fieldset class="choices layout"><legend>Scan and map</legend>{layouts}</fieldset></div>'
        '<div class="strength"><label>Opacity of the map <input type="range" '
        f'class="opacity" min="0" max="1" step="0.05" value="{OPACITY}"></label>'
        '<p class="scale">little <span aria-hidden="true" '
        f'style="background: linear-gradient(to right, {colours})"></span> much</p></div>'
    )


def map_name(choice: str) -> str:
    """What a map is called where it is chosen."""
    special = {"": "No map", LIKELIEST: "The likeliest tumour"}
    return special.get(choice) or column(choice)


def radios(name: str, choices: Mapping[str, str], chosen: str) -> str:
    """One of several.

    Args:
        name: of all of them in the page.
        choices: what each of them is called, by its value.
        chosen: a value.
    """
    return "".join(
        f'<label><input type="radio" name="{name}" value="{value}"'
        f"{' checked' if value == chosen else ''}><span>{words}</span></label>"
        for value, words in choices.items()
    )


def readings(choices: Sequence[str], chosen: str, metrics: dict[str, Any]) -> str:
    """How each map is to be read; that of the map that is shown is shown."""
    special = {"": text.NO_MAP, LIKELIEST: text.LIKELIEST_MAP}
    attention = metrics.get("attention", {})
    return "".join(
        f'<p class="reading" data-class="{one}"{hidden(one, chosen)}>'
        f"{special.get(one) or text.how_to_read_map(one, attention)}</p>"
        for one in choices
    )


def tools(key: str) -> str:
    """How the scan is looked at."""
    transfer = "".join(f'<feFunc{one} type="linear"/>' for one in "RGB")
    sliders = "".join(
        f'<label>{name} <input type="range" class="{name.lower()}" min="-100" max="100" value="0">'
        "</label>"
        for name in ("Brightness", "Contrast")
    )
    return (
        '<div class="tools" role="group" aria-label="How the scan is looked at">'
        '<button type="button" data-zoom="0.667" aria-label="Zoom out">&minus;</button>'
        '<button type="button" data-zoom="1.5" aria-label="Zoom in">+</button>'
        f"{sliders}"
        '<button type="button" class="window" aria-pressed="false">'
        "Drag for brightness and contrast</button>"
        '<button type="button" class="reset">Reset</button></div>'
        f'<svg aria-hidden="true" width="0" height="0"><filter id="window-{key}" '
        'color-interpolation-filters="sRGB">'
        f"<feComponentTransfer>{transfer}</feComponentTransfer></filter></svg>"
    )


def _view(layers: str, label: str) -> str:
    """A picture that can be moved and brought closer."""
    return (
        f'<div class="view" tabindex="0" role="group" aria-label="{label}: {text.VIEW_KEYS}">'
        f'<div class="layers stack">{layers}</div></div>'
    )


def hidden(label: str, shown: str) -> str:
    return "" if label == shown else " hidden"
