"""Near-duplicates as pairs that read as pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from serve.names import LABELS
from train.data.dataset import Scan
from train.report.plots import ORANGE, plt, save

BESIDE = 2  # pairs in a row: on a phone more could not be read
FRAME = "#d0d0d0"

Pair = tuple[Scan, Scan, float, bool]  # one, other, similarity, mirrored


def plot_pairs(pairs: Sequence[Pair], path: Path) -> None:
    """Each pair in a frame of its own, under what they have in common."""
    rows = max(1, -(-len(pairs) // BESIDE))
    figure = plt.figure(figsize=(10, 3.3 * rows), dpi=100)
    frames = figure.subfigures(rows, BESIDE, squeeze=False, wspace=0.04, hspace=0.06)
    for frame, pair in zip(frames.flat, pairs, strict=False):
        _draw(frame, pair)
    save(figure, path)


def _draw(frame: Figure, pair: Pair) -> None:
    one, other, similarity, mirrored = pair
    notes = ["the same picture, mirrored" if mirrored else "the same picture"]
    notes += ["under two labels"] * (one.label != other.label)
    colour = ORANGE if one.label != other.label else "black"
    frame.set(edgecolor=FRAME, linewidth=1.5)
    frame.suptitle(f"{', '.join(notes)} ({similarity:.4f})", fontsize=11, color=colour)
    panels = frame.subplots(
        1, 2, gridspec_kw={"wspace": 0.03, "left": 0.02, "right": 0.98, "bottom": 0.03, "top": 0.76}
    )
    for panel, scan in zip(panels, (one, other), strict=True):
        panel.axis("off")
        panel.imshow(scan.pixels())
        panel.set_title(f"{scan.part}: {LABELS[scan.label]}\n{scan.path.name}", fontsize=10)
