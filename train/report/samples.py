"""Sample predictions with their Grad-CAM and the radiologists' outline, right and wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.special import softmax

from serve.artifacts import replacing
from serve.names import INPUT_SIZE, LABELS
from train.data.dataset import Scan
from train.report.plots import plt

COLUMNS = 6
STRONGEST = 0.55  # opacity of the hottest spot


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
    """Right answers above, wrong ones below: the scan, its heat map and the outline."""
    ordered = [sample for sample in samples if sample.right][: 2 * COLUMNS]
    ordered += [sample for sample in samples if not sample.right][: 2 * COLUMNS]
    rows = -(-len(ordered) // COLUMNS)
    figure, panels = plt.subplots(
        rows, COLUMNS, figsize=(12, 2.5 * rows), dpi=100, layout="constrained", squeeze=False
    )
    for panel in panels.flat:
        panel.axis("off")
    for panel, sample in zip(panels.flat, ordered, strict=False):
        answer = int(sample.probabilities.argmax())
        heat = _upsampled(sample.heat)
        panel.imshow(sample.scan.pixels())
        panel.imshow(heat, cmap="viridis", alpha=heat * STRONGEST, vmin=0, vmax=1)
        panel.contour(sample.mask, levels=[0.5], colors="white", linewidths=1)
        verdict = "right" if sample.right else f"it is {LABELS[sample.label]}"
        panel.set_title(
            f"{LABELS[answer]} {sample.probabilities[answer]:.0%}\n{verdict}", fontsize=9
        )
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")
    plt.close(figure)


def _upsampled(heat: np.ndarray) -> np.ndarray:
    """Scaled to a maximum of 1 and smoothly enlarged, float32 (224, 224)."""
    image = Image.fromarray((heat / max(float(heat.max()), 1e-9)).astype(np.float32))
    large = image.resize((INPUT_SIZE, INPUT_SIZE), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(large), 0, 1)
