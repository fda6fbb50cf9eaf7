"""Answers as readable lines, as JSON Lines and as a CSV table."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias

from .answering import Answered
from .classifier import Prediction
from .formats.errors import InvalidImageError
from .measures import in_100
from .series import SeriesPrediction
from .streams import shown
from .track_record import TrackRecord
from .unfamiliar import is_unfamiliar

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run, or pass over to run it

Show: TypeAlias = Callable[[Answered], None]


class Output(Protocol):
    """Where text goes: a file, or standard output."""

    def write(self, text: str, /) -> object: ...


def harmless(cell: str) -> str:
    """A table's cell that no spreadsheet takes for a formula.

    One that begins with = + - @, a tab or a carriage return gets an apostrophe in front, which
    spreadsheets read as "this is text"; so does one that begins with an apostrophe. Taking one
    leading apostrophe off gives every cell back as it was.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{cell}" if cell.startswith((*FORMULA, "'")) else cell


class Lines:
    """A readable line an image, and one a series; what cannot be read has its line on standard
    error.

    Args:
        output: where they go.
        calibrated: whether the confidences are.
        threshold: of the score of what is no brain MRI.
        record: what the confidences have meant.
    """

    def __init__(
        self, output: Output, calibrated: bool, threshold: float, record: TrackRecord
    ) -> None:
        self._output = output
        self._note = "" if calibrated else " (uncalibrated)"
        self._threshold, self._record = threshold, record

    def __call__(self, one: Answered) -> None:
        if isinstance(one.answer, Prediction):
            self._line(one.answer.path, self._words(one.answer), one.answer.warnings)
        elif isinstance(one.answer, SeriesPrediction):
            for part in one.answer.slices:
                self._line(part.path, self._words(part))
            self._line(one.answer.name, summary(one.answer), one.answer.warnings)

    def _line(self, name: str, words: str, warnings: Sequence[str] = ()) -> None:
        self._output.write(f"{shown(name)}: {'  '.join([words, *map(shown, warnings)])}\n")

    def _words(self, answer: Prediction) -> str:
        if answer.label is None or answer.confidence is None or answer.probabilities is None:
            return (
                f"does not look like a brain MRI scan (score {answer.ood_score:.1f}, "
                f"scans are below {self._threshold:.1f})"
            )
        shares = "  ".join(f"{name} {p:.1%}" for name, p in answer.probabilities.items())
        unsure = "unsure, perhaps " if answer.unsure else ""
        return (
            f"{unsure}{answer.label} {answer.confidence:.1%}{self._note}  "
            f"[{shares}]{self._meaning(answer)}"
        )

    def _meaning(self, answer: Prediction) -> str:
        if answer.confidence is None or is_unfamiliar(answer.warnings):
            return ""
        found = self._record.at(answer.confidence)
        return f"  such answers: {in_100(found.share)} in 100 right" if found else ""


def summary(series: SeriesPrediction) -> str:
    """What the slices of a series say together, in one line."""
    counts = [f"{number} {label}" for label, number in series.classes.items()]
    if others := len(series.slices) - sum(series.classes.values()):
        counts.append(f"{others} unlike brain MRI")
    words = [f"{series.kind}, {len(series.slices)} slices: {', '.join(counts) or 'none'}"]
    if series.tumour is not None:
        words.append(f"any tumour {series.tumour:.1%}")
    if series.run:
        first, last = series.run
        words.append(f"suspicious from {first} to {last}")
    if series.suspicious:
        words.append(f"most at {', '.join(map(str, series.suspicious))}")
    words += [f"{number} skipped, {reason}" for reason, number in series.skipped.items()]
    return "; ".join(words)


class JsonLines:
    """An object an image or a series, a line each: https://jsonlines.org

    A series is {"series": {..., "slices": [...]}}; see `serve.series.SeriesPrediction`.
    """

    def __init__(self, output: Output) -> None:
        self._output = output

    def __call__(self, one: Answered) -> None:
        fields: dict[str, Any]
        if isinstance(one.answer, InvalidImageError):
            fields = {"path": one.found.name, "error": one.answer.reason}
        elif isinstance(one.answer, SeriesPrediction):
            fields = {"series": dataclasses.asdict(one.answer)}
        else:
            fields = dataclasses.asdict(one.answer)
        self._output.write(f"{json.dumps(fields)}\n")


class Table:
    """A row an image in a CSV file (RFC 4180), whose cells are `harmless`.

    Of a series there is a row a slice, and a last one whose path is the series' name and whose
    cell `slice` is empty.
    """

    def __init__(self, output: Output, labels: Sequence[str], header: bool = True) -> None:
        self._output, self._columns = output, columns(labels)
        self._header = header

    def __call__(self, one: Answered) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns)
        if self._header:
            writer.writeheader()
            self._header = False
        for row in _rows(one):
            row |= row.pop("probabilities", None) or {}
            writer.writerow({name: _cell(value) for name, value in row.items()})
        self._output.write(text.getvalue())


def columns(labels: Sequence[str]) -> list[str]:
    """The table's columns: a prediction's fields, the probabilities one by one, and the rest."""
    names = [field.name for field in dataclasses.fields(Prediction)]
    at = names.index("probabilities")
    return [
        *names[:at],
        *labels,
        *names[at + 1 : names.index("warnings")],
        "series",
        "slice",
        "tumour",
        "warnings",
        "error",
    ]


def _rows(one: Answered) -> Iterator[dict[str, Any]]:
    if isinstance(one.answer, InvalidImageError):
        yield {"path": one.found.name, "error": one.answer.reason}
    elif isinstance(one.answer, Prediction):
        yield dataclasses.asdict(one.answer)
    else:
        series = one.answer
        for index, part in zip(series.indices, series.slices, strict=True):
            yield dataclasses.asdict(part) | {"series": series.name, "slice": index}
        for error in series.errors:
            yield {"series": series.name, "slice": "?", "error": error}
        whole = {"tumour": series.tumour, "warnings": series.warnings}
        yield {"path": series.name, "series": series.name} | whole


def _cell(value: object) -> object:
    if isinstance(value, dict):  # a crop
        value = "; ".join(f"{name} {number}" for name, number in value.items())
    if isinstance(value, list | tuple):
        value = "; ".join(map(str, value))
    return harmless(value) if isinstance(value, str) else value
