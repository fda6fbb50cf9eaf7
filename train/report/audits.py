"""Collections that pass for others' scans and are copies: the words and the picture sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

from serve.artifacts import replacing
from train.data.copies import Match
from train.data.dataset import Scan
from train.report.writing import percent, table

matplotlib.use("Agg")
import matplotlib.pyplot as plt

A_FEW = 0.05  # share of copies up to which the rest is still worth testing on
ROWS, COLUMNS = 6, 3  # pairs of the sheet
PUBLISHED = {
    "pmram": "[PMRAM](https://doi.org/10.17632/m7w55sw88b.1), which papers use as external test"
}


def verdict(copies: int, checked: int) -> str:
    """ "1,440 of 1,505 are copies: no external test" """
    if not copies:
        return f"none of {checked:,} is a copy: nothing here speaks against an external test"
    counts = f"{copies:,} of {checked:,} {'is a copy' if copies == 1 else 'are copies'}"
    if copies > A_FEW * checked:
        return f"{counts}: no external test"
    return f"{counts}: no external test until they are left out"


def copied(metrics: dict[str, Any]) -> str:
    """Which collections are copies of the dataset (python -m train.audit --against)."""
    audited = sorted(metrics["audit"]["against"].items(), key=lambda item: -item[1]["share"])
    rows = [
        (PUBLISHED.get(name, name), f"{of['checked']:,}", f"{of['copies']:,}", percent(of["share"]))
        for name, of in audited
    ]
    header = ("collection", "pictures", "copies of the dataset's", "share")
    return (
        "Copies of the dataset's pictures in other collections, also zoomed, cropped, turned, "
        "mirrored or of other contrast. A collection that consists of copies is no external test, "
        "whatever hospital it names:\n\n" + table(header, rows)
    )


def plot_copies(
    pictures: Sequence[Scan], known: Sequence[Scan], matches: Sequence[Match], path: Path
) -> None:
    """Pairs, evenly from the most to the least alike: a picture, and what it is a copy of. Where
    none is a copy, what comes nearest."""
    found = [i for i, match in enumerate(matches) if match.is_copy]
    found = found or [i for i, match in enumerate(matches) if match.known >= 0]
    found.sort(key=lambda i: -matches[i].likeness)
    shown = ROWS * COLUMNS
    chosen = [found[i * len(found) // shown] for i in range(shown)] if len(found) > shown else found
    rows = max(1, -(-len(chosen) // COLUMNS))
    figure, panels = plt.subplots(
        rows,
        2 * COLUMNS,
        figsize=(12, 2.35 * rows),
        dpi=100,
        layout="constrained",
        squeeze=False,
    )
    for panel in panels.flat:
        panel.axis("off")
    for number, i in enumerate(chosen):
        row, column = divmod(number, COLUMNS)
        match, scan = matches[i], known[matches[i].known]
        notes = [f"alike {match.likeness:.2f}", *["mirrored"] * match.mirrored]
        notes += [] if match.is_copy else ["no copy"]
        for panel, picture, name, note in (
            (panels[row, 2 * column], pictures[i], pictures[i].path.name, ", ".join(notes)),
            (panels[row, 2 * column + 1], scan, scan.path.name, ""),
        ):
            panel.imshow(picture.pixels())
            panel.set_title(name, fontsize=7, parse_math=False)
            panel.text(0, 1.0, note, transform=panel.transAxes, va="top", fontsize=8, color="white")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")
    plt.close(figure)
