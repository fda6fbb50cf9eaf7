"""The pictures of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

from serve.artifacts import LABELS, replacing
from train.dataset import Scan

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator, PercentFormatter

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"  # Okabe and Ito's colour-blind safe set


def plot_history(history: Sequence[Mapping[str, float]], kept: int, path: Path) -> None:
    """Loss and accuracy by epoch, training and validation, the `kept` epoch marked."""
    epochs = [entry["epoch"] for entry in history]
    figure, panels = plt.subplots(1, 2, figsize=(12, 4.5), dpi=100, layout="constrained")
    for panel, name in zip(panels, ("loss", "accuracy"), strict=True):
        for key, colour, label in ((name, BLUE, "training"), (f"val_{name}", ORANGE, "validation")):
            panel.plot(epochs, [entry[key] for entry in history], "o-", color=colour, label=label)
        panel.axvline(kept, color=GREY, linestyle="--", label=f"kept: epoch {kept}")
        panel.set(xlabel="epoch", title=name.capitalize())
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("cross-entropy")
    panels[0].set_ylim(bottom=0)
    panels[1].yaxis.set_major_formatter(PercentFormatter(1.0))
    panels[1].legend(frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")
    plt.close(figure)


def plot_pairs(pairs: Sequence[tuple[Scan, Scan, float, bool]], path: Path) -> None:
    """Near-duplicates side by side: (one, other, similarity, mirrored)."""
    rows = -(-len(pairs) // 3)
    figure, panels = plt.subplots(
        rows, 6, figsize=(12, 2.35 * rows), dpi=100, layout="constrained", squeeze=False
    )
    for panel in panels.flat:
        panel.axis("off")
    for number, (one, other, similarity, mirrored) in enumerate(pairs):
        row, column = number // 3, 2 * (number % 3)
        conflict = one.label != other.label
        notes = [f"{similarity:.4f}"] + ["mirrored"] * mirrored + ["TWO LABELS"] * conflict
        for panel, scan, note in (
            (panels[row, column], one, "alike " + ", ".join(notes)),
            (panels[row, column + 1], other, ""),
        ):
            panel.imshow(scan.pixels())
            panel.set_title(
                f"{scan.part}: {LABELS[scan.label]}\n{scan.path.name}",
                fontsize=8,
                color=ORANGE if conflict else "black",
            )
            panel.text(0, 1.0, note, transform=panel.transAxes, va="top", fontsize=8, color="white")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")
    plt.close(figure)
