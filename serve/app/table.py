"""Several files: the table on the page, and the same as CSV."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterator, Sequence
from html import escape
from typing import TypeAlias

from ..answering import Answered
from ..classifier import Prediction
from ..formats.errors import InvalidImageError
from ..measures import percent
from ..outputs import harmless, summary
from ..series import SeriesPrediction
from . import volume
from . import words as text
from .html import REPORT_BUTTON, column

Answer: TypeAlias = Prediction | SeriesPrediction | InvalidImageError

NONE = "none"  # what the table says where no class is given


def table(answers: Sequence[Answered], labels: Sequence[str]) -> str:
    """A row for every file, and for every panel of a sheet, and a link that saves them as CSV; no
    copy stays on the server."""
    columns = ["File", "Class", "Confidence", *map(column, labels)]
    head = "".join(f'<th scope="col">{name}</th>' for name in columns)
    rows = "".join(_row(*one, labels) for one in _parts(answers))
    link = base64.b64encode(_csv(answers, labels).encode("utf-8-sig")).decode()
    return (
        '<p class="downloads"><a download="answers.csv" '
        f'href="data:text/csv;base64,{link}">Download as CSV</a>'
        f"{REPORT_BUTTON}</p>"
        "<details><summary>The same as a table</summary>"
        '<div class="scroll" tabindex="0" role="region" aria-label="Answers">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></details>"
    )


def _parts(answers: Sequence[Answered]) -> Iterator[tuple[str, Answer]]:
    """What has a row: its name, and its answer."""
    for one in answers:
        yield one.found.name, one.answer
        if isinstance(one.answer, SeriesPrediction) and volume.is_sheet(one.answer):
            yield from ((panel.path, panel) for panel in one.answer.slices)


def _row(name: str, answer: Answer, labels: Sequence[str]) -> str:
    blank = [""] * len(labels)
    if isinstance(answer, InvalidImageError):
        kind, cells = "failed", ["", "", *blank]
    elif isinstance(answer, SeriesPrediction):
        kind, cells = "series", [volume.heading(answer), "", *blank]
    elif answer.label is None:
        kind, cells = "refused", [NONE, "", *blank]
    else:
        kind = "unsure" if answer.unsure else ""
        cells = [text.heading(answer), *(percent(share) for share in _shares(answer, labels))]
    said = kind not in ("", "unsure") or (isinstance(answer, Prediction) and answer.warnings)
    note = f'<p class="note">{escape(_note(answer))}</p>' if said else ""
    rest = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr class="{kind}"><th scope="row">{escape(name)}{note}</th>{rest}</tr>'


def _csv(answers: Sequence[Answered], labels: Sequence[str]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["file", "class", "confidence", *labels, "note"])
    for name, answer in _parts(answers):
        cells = [""] * (2 + len(labels))
        if isinstance(answer, Prediction) and answer.label is not None:
            cells = [answer.label, *(f"{p:.6f}" for p in _shares(answer, labels))]
        writer.writerow([harmless(name), *cells, harmless(_note(answer))])
    return file.getvalue()


def _shares(one: Prediction, labels: Sequence[str]) -> list[float]:
    """The confidence, and the probability of every class; none where the picture was refused."""
    if one.confidence is None or one.probabilities is None:
        return []
    return [one.confidence, *(one.probabilities[label] for label in labels)]


def _note(answer: Answer) -> str:
    if isinstance(answer, InvalidImageError):
        return answer.reason
    if isinstance(answer, SeriesPrediction):
        return "; ".join([summary(answer), *answer.warnings])
    odd = answer.unsure or answer.label is None
    first, *others = [*([text.heading(answer)] if odd else []), *answer.warnings] or [""]
    return "; ".join([first[:1].lower() + first[1:], *others])
