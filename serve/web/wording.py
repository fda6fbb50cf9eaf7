"""What the page says: the app's own words and HTML, so that the two cannot differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..app import cards, compare, html, viewer, volume
from ..app import words as text
from ..app.bounds import MOST_FILES
from ..app.example_scans import classes_of, example_scans, learnt
from ..app.framing import EDGES, framing
from ..app.viewer import LIKELIEST
from ..html_report import DISCLAIMER, STYLE
from ..measures import in_100
from ..names import LABELS, NOTUMOR
from ..track_record import ENOUGH

HINTS = {
    "blocked": "The browser does not let this page read the clipboard. "
    "Press Ctrl+V (\u2318V) instead.",
    "empty": "There is no picture in the clipboard.",
    "nothing": "That was no file. Save the picture first, then drop its file here.",
}


def page_parts() -> dict[str, str]:
    """What index.html leaves open."""
    examples = example_scans()
    return {
        "title": text.TITLE,
        "header": html.HEADER,
        "drop_box": html.drop_box(
            "Drop scans here, paste them<br>or click to choose files", several=True
        ),
        "waiting": f'<p class="waiting">{html.CHOOSE} The answer appears here.</p>',
        "no_pictures": html.NO_PICTURES,
        "examples": html.examples(examples, classes_of(examples), learnt()),
    }


def wording(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What words.json holds.

    Args:
        metrics: metrics.json.
    """
    return {
        "title": text.TITLE,
        "disclaimer": DISCLAIMER,
        "reportStyle": STYLE,
        "classes": {label: text.class_name(label) for label in LABELS},
        "healthy": LABELS[NOTUMOR],
        "everyClass": html.EVERY_CLASS,
        "unsure": text.UNSURE.format(in_100(ENOUGH)),
        "missed": text.missed_elsewhere(metrics.get("protocols", {})),
        "noMri": text.NO_MRI,
        "noMriReason": text.NO_MRI_REASON,
        "causes": text.NO_MRI_CAUSES,
        "kinds": cards.KINDS,
        "seriesUnknown": volume.NOTHING_KNOWN,
        "seriesSuspected": volume.SUSPECTED,
        "seriesNone": volume.NONE_FOUND,
        "sheet": volume.SHEET,
        "seriesMeaning": volume.MEANING,
        "unlike": volume.UNLIKE,
        "counted": volume.COUNTED,
        "shares": volume.SHARES,
        "hints": HINTS,
        "scan": text.SCAN,
        "framed": text.FRAMED,
        "framing": framing("{width}", "{height}"),
        "framedByHand": framing("{width}", "{height}", {edge: f"{{{edge}}}" for edge in EDGES}),
        "most": MOST_FILES,
        "tooMany": f"These are too many: at most {MOST_FILES} at once. The command line takes any "
        "number: brain-tumor-vgg16 --csv answers.csv FOLDER",
        "viewers": {
            shown: viewer.viewer(_shown(shown), dict(metrics), "viewer") for shown in ("", *LABELS)
        },
        "scans": {shown: viewer.pictures(_shown(shown), LIKELIEST) for shown in ("", *LABELS)},
        "together": compare.together("{scans}", LABELS, dict(metrics)),
        "compared": compare.heading("{}"),
        "allMaps": cards.maps(LABELS),
        "comparing": cards.compare(MOST_FILES),
        "fewest": compare.FEWEST,
    }


def _shown(first: str) -> viewer.Shown:
    """The app's scan and maps; what is in braces is filled in by viewers.js."""
    heats = {label: f"{{{label}}}" for label in LABELS}
    engine = text.ENGINES["onnx"]
    size = "{width}", "{height}"
    return viewer.Shown("{name}", "{scan}", size, heats, first, engine, "{caption}", "{above}")
