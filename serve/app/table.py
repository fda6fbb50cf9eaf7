"""Several files: the table on the page, and the same as CSV."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Sequence
from html import escape

from ..classifier import Prediction
from ..formats.raster import InvalidImageError
from ..measures import percent
from ..outputs import harmless
from . import words as text
from .analysis import Answers
from .html import column

NONE = "none"  # what the table says where no class is given


def table(files: Sequence[Answers], labels: Sequence[str]) -> str:
    """A row for every file, and for every panel of a sheet, and a link that saves them as CSV; no
    copy stays on the server."""
    answers: list[Prediction | InvalidImageError] = []
    for one in files:
        answers += [one] if isinstance(one, InvalidImageError) else one
    columns = ["File", "Class", "Confidence", *map(column, labels)]
    head = "".join(f'<th scope="col">{name}</th>' for name in columns)
    rows = "".join(_row(one, labels) for one in answers)
    failed = sum(isinstance(one, InvalidImageError) for one in files)
    summary = f"{len(files) - failed} of {len(files)} files answered."
    link = base64.b64encode(_csv(answers, labels).encode("utf-8-sig")).decode()
    return (
        f'<section class="files"><p>{summary} <a download="answers.csv" '
        f'href="data:text/csv;base64,{link}">Download as CSV</a></p>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Answers">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _row(one: Prediction | InvalidImageError, labels: Sequence[str]) -> str:
    if isinstance(one, InvalidImageError):
        kind, cells = "failed", [""] * (2 + len(labels))
    elif one.label is None:
        kind, cells = "refused", [NONE, *[""] * (1 + len(labels))]
    else:
        kind = "unsure" if one.unsure else ""
        cells = [text.heading(one), *(percent(share) for share in _shares(one, labels))]
    name = one.name if isinstance(one, InvalidImageError) else one.path
    said = kind in ("failed", "refused") or (
        not isinstance(one, InvalidImageError) and one.warnings
    )
    note = f'<p class="note">{escape(_note(one))}</p>' if said else ""
    rest = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr class="{kind}"><th scope="row">{escape(name)}{note}</th>{rest}</tr>'


def _csv(answers: Sequence[Prediction | InvalidImageError], labels: Sequence[str]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["file", "class", "confidence", *labels, "note"])
    for one in answers:
        if isinstance(one, InvalidImageError):
            name, cells = one.name, [""] * (2 + len(labels))
        else:
            shares = [f"{share:.6f}" for share in _shares(one, labels)]
            name, cells = one.path, [one.label or "", *(shares or [""] * (1 + len(labels)))]
        writer.writerow([harmless(name), *cells, harmless(_note(one))])
    return file.getvalue()


def _shares(one: Prediction, labels: Sequence[str]) -> list[float]:
    """The confidence, and the probability of every class; none where the picture was refused."""
    if one.confidence is None or one.probabilities is None:
        return []
    return [one.confidence, *(one.probabilities[label] for label in labels)]


def _note(one: Prediction | InvalidImageError) -> str:
    if isinstance(one, InvalidImageError):
        return one.reason
    odd = one.unsure or one.label is None
    notes = [text.heading(one)] if odd else []
    first, *others = [*notes, *one.warnings] or [""]
    return "; ".join([first[:1].lower() + first[1:], *others])
