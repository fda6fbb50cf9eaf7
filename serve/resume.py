"""What an interrupted run has answered already."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .command import UserError
from .outputs import columns
from .whole_file import part_of


@dataclass(frozen=True)
class Earlier:
    """The whole rows of an earlier run.

    Args:
        text: they, as they are in the file.
        names: how often each picture, and each series that is whole, is among them.
        models: which gave the answers.
        failed: whether one of them could not be read.
    """

    text: str = ""
    names: Counter[str] = field(default_factory=Counter)
    models: frozenset[str] = frozenset()
    failed: bool = False

    def take(self, name: str) -> bool:
        """Whether what has this name has been answered; each row counts for one."""
        self.names[_written(name)] -= 1
        return self.names[_written(name)] >= 0


def earlier_json(path: str) -> Earlier:
    """The objects of FILE.part, or of FILE where that is not there.

    Raises:
        UserError: they are not as this program writes them.
    """
    source = _source(path)
    text = _whole(source, "\n")
    try:
        return _earlier(text, list(map(_flat, map(json.loads, text.splitlines()))))
    except (ValueError, TypeError, KeyError, IndexError):
        raise _not_ours(source) from None


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    """Of a series its name, its model and its first error."""
    if "series" not in fields:
        return fields
    series = fields["series"]
    model = next((part["model"] for part in series["slices"]), None)
    return {"path": series["name"], "model": model, "error": series["errors"][:1]}


def earlier_table(path: str, labels: Sequence[str]) -> Earlier:
    """The rows of FILE.part, or of FILE where that is not there.

    Raises:
        UserError: it is not a table as this program writes it.
    """
    source = _source(path)
    header = columns(labels)
    rows = list(csv.reader(io.StringIO(_whole(source, "\r\n"), newline="")))
    if not rows:
        return Earlier()
    if len(rows[-1]) < len(header):  # cut off within a cell of several lines
        rows.pop()
    if not rows or rows[0] != header or any(len(row) != len(header) for row in rows):
        raise _not_ours(source)
    named = [dict(zip(header, row, strict=True)) for row in rows[1:]]
    while named and named[-1]["slice"]:  # of a series that is not whole
        named.pop()
    kept = io.StringIO(newline="")
    csv.writer(kept).writerows([header, *(row.values() for row in named)])
    return _earlier(kept.getvalue(), [r | {"path": r["path"].removeprefix("'")} for r in named])


def _earlier(text: str, rows: Sequence[dict[str, Any]]) -> Earlier:
    return Earlier(
        text,
        Counter(_written(row["path"]) for row in rows),
        frozenset(row["model"] for row in rows if row.get("model")),
        any(row.get("error") for row in rows),
    )


def _source(path: str) -> Path:
    part = part_of(path)
    return part if part.exists() else Path(path)


def _whole(path: Path, line_end: str) -> str:
    """The text up to the last whole line; what a killed run wrote last may be cut off."""
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    return text[: text.rfind(line_end) + len(line_end)] if line_end in text else ""


def _written(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _not_ours(path: Path) -> UserError:
    return UserError(f"{path}: --resume cannot go on with it: it was not written by this command")
