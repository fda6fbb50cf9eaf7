"""The pictures of a training and of what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib
import numpy as np

from serve.artifacts import replacing
from serve.measures import calibration_error, confidence_bins, percent
from serve.names import LABELS
from serve.track_record import Bin
from train.evaluation.predictions import (
    CONFIDENCE_EDGES,
    PROTOCOLS,
    Curve,
    Predictions,
    confidences,
    confusion,
    roc,
)
from train.report.figures import COLUMNS, GROUPS, main_figures, rows_of, texts_of

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from matplotlib.transforms import Bbox

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"  # Okabe and Ito's colour-blind safe set
GREEN, PURPLE = "#009E73", "#CC79A7"  # of the same set
LINES = dict(zip(LABELS, ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (PURPLE, ":")), strict=True))
PANEL = 4.9  # inches
BESIDE = 2  # panels in a row: on a phone four could not be read
MARGIN = 0.12  # inches around a picture
PERCENT = PercentFormatter(1.0, decimals=0, symbol=" %")
CORNER = 0.2  # of the ROC plane, shown enlarged
TITLE, WIDTH = 76, 17  # letters in a line: of a picture's title, of a table's heading
STYLE = {
    "figure.dpi": 130,
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "figure.constrained_layout.w_pad": 0.1,
}


def plot_history(history: Sequence[Mapping[str, float]], kept: int, path: Path) -> None:
    """Loss and accuracy by epoch, of training and, if there was any, validation, the `kept` epoch
    marked."""
    sides = [("", BLUE, "training"), ("val_", ORANGE, "validation")]
    sides = [side for side in sides if f"{side[0]}loss" in history[0]]
    epochs = [entry["epoch"] for entry in history]
    figure, panels = plt.subplots(1, 2, figsize=(12, 4.5), dpi=100, layout="constrained")
    for panel, name in zip(panels, ("loss", "accuracy"), strict=True):
        for prefix, colour, label in sides:
            values = [entry[prefix + name] for entry in history]
            panel.plot(epochs, values, "o-", color=colour, label=label)
        panel.axvline(kept, color=GREY, linestyle="--", label=f"kept: epoch {kept}")
        panel.set(xlabel="epoch", title=name.capitalize())
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylim(bottom=0)
    panels[1].yaxis.set_major_formatter(PercentFormatter(1.0))
    panels[1].legend(frameon=False)
    save(figure, path)


def plot_confusion(protocols: Mapping[str, Predictions], path: Path) -> None:
    """Confusion matrices: images, and their share of the true class."""
    with _panels(protocols, path, "Images, and their share of the true class", 5.4) as panels:
        for panel, tested in zip(panels, protocols.values(), strict=True):
            counts = confusion(tested)
            shares = counts / counts.sum(axis=1, keepdims=True)
            panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
            for (row, column), share in np.ndenumerate(shares):
                panel.text(
                    column,
                    row,
                    f"{counts[row, column]:,}\n{percent(share)}",
                    ha="center",
                    va="center",
                    color="white" if share > 0.5 else "black",
                )
            ticks = range(len(LABELS))
            panel.set_xticks(ticks, LABELS, rotation=30, ha="right", rotation_mode="anchor")
            panel.set_yticks(ticks, LABELS)
            panel.set(xlabel="predicted class", ylabel="true class")
            panel.tick_params(length=0)
            panel.spines[:].set_visible(False)


def plot_roc(protocols: Mapping[str, Predictions], path: Path) -> None:
    """One-vs-rest ROC curves by class, the upper left corner enlarged."""
    with _panels(protocols, path, "ROC curves, each class against the others", 6.6) as panels:
        for panel, tested in zip(panels, protocols.values(), strict=True):
            curves = roc(tested)
            corner = panel.inset_axes((0.4, 0.14, 0.56, 0.56))
            _draw_curves(panel, curves, clip=False)
            _draw_curves(corner, curves, clip=True)
            corner.set(xlim=(0, CORNER), ylim=(1 - CORNER, 1))
            corner.set_xticks((0, CORNER / 2, CORNER))
            corner.set_yticks((1 - CORNER, 1 - CORNER / 2, 1))
            corner.tick_params(labelsize=9)
            panel.indicate_inset_zoom(corner, edgecolor=GREY)
            panel.set(xlabel="false positive rate", ylabel="true positive rate")
            panel.set(xlim=(0, 1), ylim=(0, 1))
            _legend_below(panel)


def _draw_curves(axes: Axes, curves: Mapping[str, Curve], clip: bool) -> None:
    for name, curve in curves.items():
        colour, line = LINES[name]
        axes.plot(
            curve.false_positive_rate,
            curve.true_positive_rate,
            line,
            color=colour,
            linewidth=1.8,
            label=f"{name}, AUC {curve.area:.3f}",
            clip_on=clip,
        )
    axes.set_box_aspect(1)
    axes.grid()


def plot_reliability(protocols: Mapping[str, Predictions], path: Path) -> None:
    """Accuracy by confidence before and after temperature scaling, a point a bin, with the 95 %
    interval that its number of images leaves (Wilson)."""
    title = "Accuracy by confidence, with 95 % intervals; the larger a point, the more images"
    with _panels(protocols, path, title, 6.3) as panels:
        for panel, tested in zip(panels, protocols.values(), strict=True):
            panel.plot((0, 1), (0, 1), color=GREY, linewidth=1, label="accuracy = confidence")
            for when, probabilities, colour, line in (
                ("before", tested.uncalibrated, ORANGE, "s--"),
                ("after", tested.calibrated, BLUE, "o-"),
            ):
                share, right, confidence = np.array(confidence_bins(probabilities, tested.labels)).T
                label = f"{when} scaling, ECE {calibration_error(probabilities, tested.labels):.3f}"
                panel.plot(confidence, right, line, color=colour, markersize=4, label=label)
                low, high = _intervals(share * len(tested.labels), right)
                panel.vlines(confidence, low, high, color=colour, linewidth=1.2, alpha=0.6)
                panel.scatter(
                    confidence, right, 300 * share, colour, marker=line[0], alpha=0.4, clip_on=False
                )
            panel.set(xlabel="mean confidence", ylabel="accuracy", xlim=(0.2, 1), ylim=(0, 1))
            panel.set_box_aspect(1)
            panel.grid()
            for axis in (panel.xaxis, panel.yaxis):
                axis.set_major_formatter(PERCENT)
            _legend_below(panel)


def _intervals(images: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The 95 % intervals, (2, bins), of the shares `right` of that many images each."""
    counts = zip(images.round().astype(int), (images * right).round().astype(int), strict=True)
    return np.array([Bin(0, 1, int(n), int(hits)).interval for n, hits in counts]).T


def plot_confidence(protocols: Mapping[str, Predictions], path: Path) -> None:
    """How many right and wrong answers there are of each confidence, on a logarithmic scale."""
    with _panels(protocols, path, "Confidence of right and of wrong answers", 5.3) as panels:
        width = CONFIDENCE_EDGES[1] - CONFIDENCE_EDGES[0]
        for panel, tested in zip(panels, protocols.values(), strict=True):
            for side, (name, counts, colour) in enumerate(
                zip(("right", "wrong"), confidences(tested), (BLUE, ORANGE), strict=True)
            ):
                panel.bar(
                    CONFIDENCE_EDGES[:-1] + width * (0.1 + 0.4 * side),
                    counts,
                    0.4 * width,
                    align="edge",
                    color=colour,
                    label=f"{name}: {counts.sum():,} images",
                )
            panel.set(xlabel="confidence", ylabel="images", xlim=(0.2, 1))
            panel.set_yscale("log")
            panel.set_ylim(bottom=0.7)
            panel.xaxis.set_major_formatter(PERCENT)
            panel.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
            panel.set_box_aspect(0.85)
            panel.grid(axis="y")
            _legend_below(panel)


def plot_table(
    header: Sequence[str], groups: Sequence[Sequence[Sequence[str]]], path: Path
) -> None:
    """A table of text: the first column to the left, a rule above each group of rows.

    A heading is wrapped to its column, and a cell's bracket stands on a line of its own.
    """
    headings = [wrapped(cell, WIDTH) for cell in header]
    rows = [[[cell.replace(" (", "\n(") for cell in row[1:]] for row in group] for group in groups]
    widths = (2.7, *(1.85 for _ in header[1:]))  # inches
    lines = _lines(headings) + 1 + sum(_lines(row) for group in rows for row in group)
    height = 0.27  # of a line, in inches
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(sum(widths), height * (lines + 1)))
        panel = figure.add_axes((0, 0, 1, 1))
        panel.axis("off")
        panel.set(xlim=(0, sum(widths)), ylim=(lines + 0.5, -0.5))

        def write(first: str, cells: Sequence[str], middle: float, **style: str) -> None:
            panel.text(0.15, middle, first, va="center", **style)
            for column, cell in enumerate(cells, 1):
                centre = sum(widths[:column]) + widths[column] / 2
                panel.text(centre, middle, cell, ha="center", va="center", **style)

        top = float(_lines(headings))
        write(headings[0], headings[1:], top / 2, weight="bold")
        top += 0.5
        for group, cells in zip(groups, rows, strict=True):
            panel.axhline(top, 0.01, 0.99, color=GREY, linewidth=0.8)
            for row, texts in zip(group, cells, strict=True):
                write(row[0], texts, top + _lines(texts) / 2)
                top += _lines(texts)
        save(figure, path)


def wrapped(words: str, width: int) -> str:
    """Words on lines of at most so many letters."""
    return "\n".join(fill(line, width) for line in words.splitlines())


def _lines(cells: Sequence[str]) -> int:
    """The lines of the tallest cell."""
    return max(1 + cell.count("\n") for cell in cells)


@contextmanager
def _panels(
    protocols: Mapping[str, Predictions], path: Path, title: str, height: float
) -> Iterator[list[Axes]]:
    """A panel a protocol, side by side in the common look; written to `path` at the end.

    The height of a panel, with its title and legend, is in inches.
    """
    across = min(BESIDE, len(protocols))
    down = -(-len(protocols) // across)
    size = max(PANEL * across, 1.5 * PANEL), height * down
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(
            down, across, figsize=size, sharey=True, squeeze=False, layout="constrained"
        )
        panels = list(grid.flat)
        for spare in panels[len(protocols) :]:
            spare.remove()
        figure.suptitle(wrapped(title, TITLE))
        for panel, (name, tested) in zip(panels, protocols.items(), strict=False):
            heading = wrapped(f"{name}: {PROTOCOLS[name]}", TITLE // 2 - 4)
            panel.set_title(f"{heading}\n{len(tested.labels):,} images")
            panel.yaxis.set_tick_params(labelleft=True)
        yield panels[: len(protocols)]
        save(figure, path)


def _legend_below(panel: Axes) -> None:
    panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16))


def save(figure: Figure, path: Path) -> None:
    """Write a picture with all that is drawn, also beyond its edges, and close it."""
    drawn = Bbox.union([figure.bbox_inches, figure.get_tightbbox()]).padded(MARGIN)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", bbox_inches=drawn)
    plt.close(figure)


PICTURES: dict[str, Callable[[Mapping[str, Predictions], Path], None]] = {
    "confusion": plot_confusion,
    "roc": plot_roc,
    "reliability": plot_reliability,
    "confidence": plot_confidence,
}


def draw(metrics: dict[str, Any], tested: Mapping[str, Predictions], folder: Path) -> list[Path]:
    """Draw the pictures of what was measured, and say which they are."""
    drawn = []
    if tested:
        for name, plot in PICTURES.items():
            drawn.append(folder / f"{name}.png")
            plot(tested, drawn[-1])
    if columns := texts_of(main_figures(metrics)):
        drawn.append(folder / "figures.png")
        header = ("", *(f"{name}\n{COLUMNS[name]}" for name in columns))
        plot_table(header, [rows_of(group, columns) for group in GROUPS], drawn[-1])
    return drawn
