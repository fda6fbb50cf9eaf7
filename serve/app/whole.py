"""The whole answer for one picture or series, as the two parts of the page that show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from ..answering import Answered
from ..crop import Crop
from ..formats.scans import InvalidImageError, Series, Slice
from ..series import SeriesPrediction
from ..sources import Found
from . import html, viewer, volume
from .analysis import Analyser
from .framing import framing
from .reading import Progress, answer_all, opened

Parts: TypeAlias = tuple[str, str]  # what is answered, and the pictures beside it

FIRST = "viewer"  # the key of the first tab's viewer: there a frame can be drawn
SEVERAL = "it holds {} pictures or series: the tab “Several files” takes them"


def whole(
    analyser: Analyser,
    metrics: dict[str, Any],
    found: Sequence[Found],
    key: str,
    crop: bool | Crop,
    progress: Progress = lambda _: None,
) -> Parts:
    """What is said of the one picture or series that was found.

    Args:
        analyser: answers.
        metrics: metrics.json.
        found: what a file holds; of several, that is what is said.
        key: of the viewer in the page.
        crop: whether what lies around a scan is cut off, and a sheet taken apart; or what the
            visitor has framed.
        progress: called with (done, all) as it goes.
    """
    try:
        (one,) = found
    except ValueError:
        return html.error(_sentence(SEVERAL.format(len(found)))), html.NO_PICTURES
    try:
        if isinstance(one, InvalidImageError):
            raise one
        picture = opened(one, analyser.looker(crop).takes_apart)
        if isinstance(picture, Series):
            (answered,) = answer_all(analyser.looker(crop), [picture], progress)
            return _of_series(answered, metrics, key)
        analysis = analyser.analyse(picture, crop)
    except InvalidImageError as error:
        return html.error(str(error)), html.NO_PICTURES
    prediction, classifier = analysis.prediction, analyser.classifier
    by_hand = _by_hand(picture, crop) if key == FIRST else ""
    if not prediction.brain_mri:
        refusal = html.refusal(prediction, classifier.ood_threshold)
        return refusal, html.refused_picture(analysis) + by_hand
    said = html.answer(prediction, classifier.track_record, metrics)
    return said, viewer.viewer(viewer.shown(analysis), metrics, key) + by_hand


def _by_hand(picture: Slice, crop: bool | Crop) -> str:
    """What the visitor frames the scan with."""
    height, width = picture.pixels.shape[:2]
    across, down = picture.scale
    size = round(width * across), round(height * down)
    return framing(*size, _edges(crop, *size) if isinstance(crop, Crop) else None)


def _edges(crop: Crop, width: int, height: int) -> dict[str, int]:
    """Percent of the picture, as `framing.EDGES`."""
    return {
        "left": round(100 * crop.x / width),
        "top": round(100 * crop.y / height),
        "right": round(100 * (crop.x + crop.width) / width),
        "bottom": round(100 * (crop.y + crop.height) / height),
    }


def _of_series(one: Answered, metrics: dict[str, Any], key: str) -> Parts:
    if isinstance(one.answer, InvalidImageError):
        raise one.answer
    if not isinstance(one.answer, SeriesPrediction):
        raise InvalidImageError(one.found.name, "it is no series of slices")
    said = volume.answer(one.answer, metrics)
    return said, viewer.viewer(volume.shown(one, one.answer), metrics, key)


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."
