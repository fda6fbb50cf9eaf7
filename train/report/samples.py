"""Sample predictions with their Grad-CAM and the radiologists' outline, right and wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap
from matplotlib.lines import Line2D
from PIL import Image
from scipy.special import softmax

from serve.measures import percent
from serve.names import LABELS
from serve.overlay import INFERNO, overlay
from train.data.dataset import Scan
from train.report.plots import plt, save

COLUMNS = 4  # on a phone more could not be read
MOST = 3 * COLUMNS  # of the right answers, and of the wrong ones
TITLES = ("Right answers", "Wrong answers")
OUTLINE = "#5cf2ff"  # stands out from grey and from every colour of the map


@dataclass(frozen=True)
class Sample:
    """A scan, what was answered, where the map of the true class lies and where the tumour."""

    scan: Scan
    label: int
    probabilities: np.ndarray  # float32 (4,), uncalibrated
    heat: np.ndarray  # float32 (14, 14), not negative
    mask: np.ndarray  # bool (224, 224)

    @property
    def right(self) -> bool:
        return int(self.probabilities.argmax()) == self.label


def choose_samples(
    scans: Sequence[Scan],
    labels: np.ndarray,
    masks: np.ndarray,
    maps: np.ndarray,
    logits: np.ndarray,
) -> list[Sample]:
    """Of each class the middle one of the right and of the wrong answers; no choice by looks."""
    right = logits.argmax(axis=1) == labels
    chosen = []
    for label in np.unique(labels):
        for kind in (right, ~right):
            found = np.flatnonzero(kind & (labels == label))
            if len(found):
                chosen.append(found[len(found) // 2])
    return [Sample(scans[i], int(labels[i]), softmax(logits[i]), maps[i], masks[i]) for i in chosen]


def plot_samples(samples: Sequence[Sample], path: Path) -> None:
    """Right answers above, wrong ones below: the scan under its map, as the app draws it, and the
    outline; below them what the colours and the line mean."""
    right = [sample for sample in samples if sample.right][:MOST]
    wrong = [sample for sample in samples if not sample.right][:MOST]
    rows = [-(-len(part) // COLUMNS) for part in (right, wrong)]
    figure = plt.figure(figsize=(9.5, 2.75 * sum(rows) + 1.6), dpi=100, layout="constrained")
    *parts, foot = figure.subfigures(3, 1, height_ratios=[*(max(n, 0.01) for n in rows), 0.45])
    for part, title, own, count in zip(parts, TITLES, (right, wrong), rows, strict=True):
        if own:
            part.suptitle(title, fontsize=13)
            panels = part.subplots(count, COLUMNS, squeeze=False)
            for panel in panels.flat:
                panel.axis("off")
            for panel, sample in zip(panels.flat, own, strict=False):
                _draw(panel, sample)
    _explain(foot.subplots())
    save(figure, path)


def _draw(panel: Axes, sample: Sample) -> None:
    answer = int(sample.probabilities.argmax())
    scan = Image.fromarray(sample.scan.pixels()).convert("RGB")
    panel.imshow(overlay(scan, sample.heat / max(float(sample.heat.max()), 1e-9)))
    panel.contour(sample.mask, levels=[0.5], colors=OUTLINE, linewidths=1.2)
    verdict = "" if sample.right else f"\nit is {LABELS[sample.label]}"
    panel.set_title(f"{LABELS[answer]} {percent(sample.probabilities[answer], 0)}{verdict}")


def _explain(panel: Axes) -> None:
    """What the colours and the line mean."""
    colours = ListedColormap([f"#{colour}" for colour in INFERNO.split()])
    bar = panel.figure.colorbar(
        ScalarMappable(cmap=colours), ax=panel, orientation="horizontal", fraction=0.35, aspect=30
    )
    bar.set_ticks([0, 1], labels=["little", "much"])
    bar.set_label("what speaks for the true class (Grad-CAM)")
    panel.axis("off")
    line = Line2D([], [], color=OUTLINE, linewidth=1.5, label="the tumour, as radiologists drew it")
    panel.legend(handles=[line], loc="center", facecolor="black", labelcolor="white", framealpha=1)
