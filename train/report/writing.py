"""How figures are written: percent, intervals, Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from serve.measures import percent as percent_of

NOT_MEASURED, UNKNOWN = "Not measured yet.\n", "—"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def interval(figures: Mapping[str, Any], name: str = "accuracy") -> str:
    """The 95 % confidence interval of a protocol's accuracy, or of another figure."""
    low, high = figures[f"{name}_ci"]
    return f"{percent(low)} to {percent(high)}"


def percent(share: float | None) -> str:
    """89.4 %, with a plain space; UNKNOWN for None."""
    return UNKNOWN if share is None else percent_of(share).replace("\u00a0", " ")


def whole(share: float) -> str:
    """89 %."""
    return percent_of(share, 0).replace("\u00a0", " ")
