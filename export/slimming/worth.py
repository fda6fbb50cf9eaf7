"""What the small model is worth beside the float32 one, on what neither was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from export.float32_against_int8 import (
    Answers,
    answers_of,
    figures_against,
    labels_of,
    read_masks,
    same_class,
)
from export.quantize import scans_of
from export.slimming.sides import Scan
from serve.command import UserError
from serve.names import LABELS, NOTUMOR

SPECIFICITY = 0.9


def published_figures(
    float32: Path, small: Path, tested: Sequence[Scan], slices: Path | None, masks: Path | None
) -> dict[str, float | str | None]:
    """On the dataset's scans of patients never seen."""
    images = [scan.path for scan in tested if not scan.collection]
    answers = answers_of(float32, images), answers_of(small, images)
    outlines = read_masks(images, slices, masks)
    return figures_against(*answers, "small", labels_of(images), outlines)


def hospital_figures(
    float32: Path, small: Path, tested: Sequence[Scan]
) -> dict[str, dict[str, float]]:
    """On each other hospital's tested scans: the same class, and, where tumours and healthy scans
    are among them, the tumours found where one healthy scan in ten is called a tumour."""
    figures = {}
    for collection in sorted({scan.collection for scan in tested} - {""}):
        own = [scan for scan in tested if scan.collection == collection]
        answers = [answers_of(model, [scan.path for scan in own]) for model in (float32, small)]
        healthy = np.array([scan.label == LABELS[NOTUMOR] for scan in own])
        figures[collection] = {"images": len(own), "same_class": same_class(*answers)}
        if healthy.any() and not healthy.all():
            for name, one in zip(("float32", "small"), answers, strict=True):
                key = f"sensitivity_at_specificity_90_{name}"
                figures[collection][key] = _sensitivity(one, healthy)
    return figures


def refusal_figures(
    float32: Path, small: Path, tested: Sequence[Scan], others: Path | None
) -> dict[str, float]:
    """How well the scores tell scans from other pictures; nothing without any.

    Raises:
        UserError: the folder holds no pictures.
    """
    if others is None:
        return {}
    pictures = scans_of(others)
    if not pictures:
        raise UserError(f"{others}: no pictures (python -m train.other_pictures gathers them)")
    figures: dict[str, float] = {"pictures": len(pictures)}
    for name, model in (("float32", float32), ("small", small)):
        inside = answers_of(model, [scan.path for scan in tested])
        outside = answers_of(model, pictures)
        truth = np.repeat([0, 1], [len(tested), len(pictures)])
        scores = np.concatenate([inside.scores, outside.scores])
        figures[f"auroc_{name}"] = float(roc_auc_score(truth, scores))
        figures[f"refused_{name}"] = float((~outside.brain_mri).mean())
        figures[f"scans_refused_{name}"] = float((~inside.brain_mri).mean())
    return figures


def _sensitivity(answers: Answers, healthy: np.ndarray) -> float:
    tumour = 1 - answers.probabilities[:, NOTUMOR]
    return float((tumour[~healthy] > np.quantile(tumour[healthy], SPECIFICITY)).mean())
