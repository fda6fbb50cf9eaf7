"""What a confidence has meant: how many such answers were right on scans the file never saw.

The record travels in the ONNX metadata `track_record`, a JSON object. Each of its keys, GROUPS,
holds a list of bins, the most confident first: [from, to, answers, right].
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from .command import UserError
from .measures import in_100, percent

PATIENTS, HOSPITALS = "patients", "hospitals"
GROUPS = (PATIENTS, HOSPITALS)  # patients never seen of the own collection, other hospitals' scans
SCANS = {
    PATIENTS: "patients that this model had never seen",
    HOSPITALS: "other hospitals' scans",
}
MOST = 10**12  # answers that a bin may hold
FEWEST = 100  # answers that a bin must hold for its share to be worth quoting
ENOUGH = 0.8  # an answer is unsure where the share of right ones may be lower than this
Z = 1.959964  # of a 95 % interval


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of similar confidence."""

    low: float  # confidences from here
    high: float  # to here
    answers: int
    right: int

    @property
    def share(self) -> float:
        """Of the answers that were right, 0 to 1."""
        return self.right / self.answers

    @property
    def interval(self) -> tuple[float, float]:
        """The share's 95 % interval. Wilson, "Probable inference, the law of succession, and
        statistical inference", JASA 1927."""
        n, share = self.answers, self.share
        middle = share + Z**2 / (2 * n)
        reach = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
        whole = 1 + Z**2 / n
        return max(0.0, (middle - reach) / whole), min(1.0, (middle + reach) / whole)


@dataclass(frozen=True)
class TrackRecord:
    """The bins of every group of scans that was measured."""

    groups: dict[str, list[Bin]] = field(default_factory=dict)

    def at(self, confidence: float, group: str = PATIENTS) -> Bin | None:
        """The bin that `confidence` falls into, or None where nothing was measured."""
        return next((b for b in self.groups.get(group, []) if confidence >= b.low), None)

    def unsure(self, confidence: float, elsewhere: bool = False) -> bool:
        """Whether answers of such a confidence may be wrong too often to stand by one class.

        Args:
            confidence: of the answer, 0 to 1.
            elsewhere: whether other hospitals' scans decide, where they were measured.
        """
        found = (self.at(confidence, HOSPITALS) if elsewhere else None) or self.at(confidence)
        return found is not None and found.interval[0] < ENOUGH

    def to_json(self) -> str:
        """What `read_track_record` reads."""
        rows = {
            group: [[b.low, b.high, b.answers, b.right] for b in bins]
            for group, bins in self.groups.items()
        }
        return json.dumps(rows)


def read_track_record(text: str) -> TrackRecord:
    """The metadata property `track_record` -> the record.

    Raises:
        UserError: it is something else.
    """
    try:
        groups = {
            group: [
                Bin(float(low), float(high), int(n), int(right)) for low, high, n, right in bins
            ]
            for group, bins in json.loads(text).items()
        }
    except (AttributeError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UserError(f"no track record ({error})") from None
    bins = [b for own in groups.values() for b in own]
    if not groups.keys() <= set(GROUPS) or any(not 0 <= b.right <= b.answers <= MOST for b in bins):
        raise UserError("no track record")
    return TrackRecord(groups)


def meaning(found: Bin | None, group: str = PATIENTS) -> str:
    """How often answers of such a confidence were right, in a sentence; "" where nobody knows.

    Args:
        found: the bin.
        group: that it is of.
    """
    if found is None:
        return ""
    low, high = (percent(bound, 0) for bound in found.interval)
    span = f"{percent(found.low, 0)} to" if found.low else "up to"
    return (
        f"Of answers this confident, {in_100(found.share)} in 100 were right on {SCANS[group]} "
        f"(95\u00a0% interval {low} to {high}; {found.answers:,} answers of "
        f"{span} {percent(found.high, 0)} confidence)."
    )


def bins_of(answers: Iterable[tuple[float, bool]]) -> list[Bin]:
    """Bins with whole percents as bounds, each of `FEWEST` answers or more, from the most confident
    down; the last reaches to 0 and takes in what is left.

    Args:
        answers: confidence (0 to 1) and whether the answer was right, of every scan.
    """
    percents: dict[int, list[bool]] = {}
    for confidence, right in answers:
        percents.setdefault(min(int(confidence * 100), 99), []).append(right)
    bins: list[Bin] = []
    high, pending = 100, []
    for low in range(99, -1, -1):
        pending += percents.get(low, [])
        if len(pending) >= FEWEST:
            bins.append(Bin(low / 100, high / 100, len(pending), sum(pending)))
            high, pending = low, []
    if bins or pending:
        last = bins.pop() if bins else Bin(0, 1, 0, 0)
        bins.append(Bin(0, last.high, last.answers + len(pending), last.right + sum(pending)))
    return bins
