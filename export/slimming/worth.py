"""What the small model is worth beside the float32 one, on what neither was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from export.float32_against_int8 import (
    Answers,
    answers_of,
    figures_against,
    read_masks,
    same_class,
    track_record,
)
from export.quantize import scans_of
from export.slimming.sides import Scan
from serve.command import UserError
from serve.names import NOTUMOR
from serve.track_record import HOSPITALS, PATIENTS
from serve.trained_on import index_of

SPECIFICITY = 0.9


@dataclass(frozen=True)
class Asked:
    """Scans, and what both models answer."""

    scans: list[Scan]
    float32: Answers
    small: Answers

    def of(self, collection: str) -> Asked:
        """Those of a collection; of the dataset: ""."""
        chosen = np.array([scan.collection == collection for scan in self.scans])
        scans = [scan for scan in self.scans if scan.collection == collection]
        return Asked(scans, self.float32.of(chosen), self.small.of(chosen))

    @property
    def collections(self) -> list[str]:
        """But for the dataset."""
        return sorted({scan.collection for scan in self.scans} - {""})

    @property
    def labels(self) -> np.ndarray:
        """int (N,), see `serve.trained_on.index_of`."""
        return np.array([index_of(scan.label) for scan in self.scans])


def ask(float32: Path, small: Path, scans: Sequence[Scan]) -> Asked:
    """Both models, of all scans."""
    images = [scan.path for scan in scans]
    return Asked(list(scans), answers_of(float32, images), answers_of(small, images))


def published_figures(
    asked: Asked, slices: Path | None, masks: Path | None
) -> dict[str, float | str | None]:
    """On the dataset's scans of patients never seen; the track record is of all scans."""
    own = asked.of("")
    outlines = read_masks([scan.path for scan in own.scans], slices, masks)
    figures = figures_against(own.float32, own.small, "small", own.labels, outlines)
    if not asked.collections:
        return figures
    elsewhere = np.array([scan.collection != "" for scan in asked.scans])
    theirs = asked.small.of(elsewhere), asked.labels[elsewhere]
    groups = {PATIENTS: (own.small, own.labels), HOSPITALS: theirs}
    return figures | {"track_record": track_record(groups)}


def hospital_figures(asked: Asked) -> dict[str, dict[str, float]]:
    """On each other hospital's tested scans: the same class, and, where tumours and healthy scans
    are among them, the tumours found where one healthy scan in ten is called a tumour."""
    figures = {}
    for collection in asked.collections:
        own = asked.of(collection)
        healthy = own.labels == NOTUMOR
        answers = {"float32": own.float32, "small": own.small}
        figures[collection] = {
            "images": len(own.scans),
            "same_class": same_class(own.float32, own.small),
        }
        if healthy.any() and not healthy.all():
            for name, one in answers.items():
                key = f"sensitivity_at_specificity_90_{name}"
                figures[collection][key] = _sensitivity(one, healthy)
    return figures


def refusal_figures(
    asked: Asked, float32: Path, small: Path, others: Path | None
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
    truth = np.repeat([0, 1], [len(asked.scans), len(pictures)])
    for name, model, inside in (
        ("float32", float32, asked.float32),
        ("small", small, asked.small),
    ):
        outside = answers_of(model, pictures)
        scores = np.concatenate([inside.scores, outside.scores])
        figures[f"auroc_{name}"] = float(roc_auc_score(truth, scores))
        figures[f"refused_{name}"] = float((~outside.brain_mri).mean())
        figures[f"scans_refused_{name}"] = float((~inside.brain_mri).mean())
    return figures


def _sensitivity(answers: Answers, healthy: np.ndarray) -> float:
    tumour = 1 - answers.probabilities[:, NOTUMOR]
    return float((tumour[~healthy] > np.quantile(tumour[healthy], SPECIFICITY)).mean())
