"""What a confidence has meant: how many such answers were right on patients never seen."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..artifacts import MODELS

PREDICTIONS = MODELS / "predictions" / "patient.csv"
FEWEST = 200  # answers that a bin must hold for its share to be worth quoting
ENOUGH = 0.8  # share of right answers under which an answer is called unsure


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of similar confidence."""

    low: float  # confidences from here
    high: float  # to here
    answers: int
    right: int

    @property
    def share(self) -> float:
        return self.right / self.answers


class TrackRecord:
    """Bins of confidence with whole percents as bounds, each of `FEWEST` answers or more.

    Args:
        answers: confidence (0 to 1) and whether the answer was right, of every test scan.
    """

    def __init__(self, answers: Iterable[tuple[float, bool]]) -> None:
        percents: dict[int, list[bool]] = {}
        for confidence, right in answers:
            percents.setdefault(min(int(confidence * 100), 99), []).append(right)
        self.bins = _join(percents)

    def at(self, confidence: float) -> Bin | None:
        """The bin that `confidence` falls into, or None where nothing was measured."""
        return next((b for b in self.bins if confidence >= b.low), None)

    @property
    def unsure_below(self) -> float:
        """The confidence under which fewer than `ENOUGH` of the answers were right."""
        return next((b.high for b in self.bins if b.share < ENOUGH), 0.0)


def read_track_record(path: Path = PREDICTIONS) -> TrackRecord:
    """The track record on the protocol that keeps patients apart; empty without its file."""
    if not path.is_file():
        return TrackRecord([])
    with path.open(newline="", encoding="utf-8") as file:
        return TrackRecord(map(_answer, csv.DictReader(file)))


def _answer(row: dict[str, str]) -> tuple[float, bool]:
    label = row["label"]
    probabilities = {
        name: float(value)
        for name, value in row.items()
        if name not in ("file", "label", "temperature")
    }
    best = max(probabilities, key=probabilities.__getitem__)
    return probabilities[best], best == label


def _join(percents: dict[int, list[bool]]) -> list[Bin]:
    """Bins from the most confident down; the last reaches to 0 and takes in what is left."""
    bins: list[Bin] = []
    high, pending = 100, []
    for percent in range(99, -1, -1):
        pending += percents.get(percent, [])
        if len(pending) >= FEWEST:
            bins.append(Bin(percent / 100, high / 100, len(pending), sum(pending)))
            high, pending = percent, []
    if bins or pending:
        last = bins.pop() if bins else Bin(0, 1, 0, 0)
        bins.append(Bin(0, last.high, last.answers + len(pending), last.right + sum(pending)))
    return bins
