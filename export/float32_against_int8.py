"""Does the int8 model, or the small one, answer as the float32 model does?"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image
from tqdm import tqdm

from serve import tumours
from serve.formats.raster import load_pixels
from serve.measures import calibration_error, pointed
from serve.names import INPUT_SIZE, LABELS
from serve.track_record import PATIENTS, TrackRecord, bins_of

BATCH = 16


@dataclass(frozen=True)
class Answers:
    """What one model says about scans; arrays of (N, ...)."""

    probabilities: np.ndarray  # float32 (N, 4)
    maps: np.ndarray  # float32 (N, 14, 14), of the answered class
    brain_mri: np.ndarray  # bool
    scores: np.ndarray  # float32, how unlike the training scans

    @property
    def classes(self) -> np.ndarray:
        return self.probabilities.argmax(axis=1)

    def of(self, chosen: np.ndarray) -> Answers:
        """For some of the scans, bool (N,)."""
        every = (self.probabilities, self.maps, self.brain_mri, self.scores)
        return Answers(*(values[chosen] for values in every))


def answers_of(model: Path, images: Sequence[Path]) -> Answers:
    """Classify scans on the CPU; those that it takes for no brain MRI, too.

    Raises:
        serve.formats.raster.InvalidImageError: an image cannot be decoded.
    """
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    threshold = float(session.get_modelmeta().custom_metadata_map["ood_threshold"])
    outputs = ["probabilities", "cam", "ood_score"]
    parts = []
    starts = tqdm(range(0, len(images), BATCH), desc=model.name, unit="batch", delay=1)
    for paths in (images[start : start + BATCH] for start in starts):
        pixels = np.stack([load_pixels(path, INPUT_SIZE) for path in paths])
        probabilities, maps, scores = session.run(outputs, {"image": pixels})
        answered = maps[np.arange(len(maps)), probabilities.argmax(axis=1)]
        parts.append((probabilities, answered, scores <= threshold, scores))
    return Answers(*map(np.concatenate, zip(*parts, strict=True)))


def figures_against(
    float32: Answers,
    other: Answers,
    called: str,
    labels: np.ndarray,
    masks: Sequence[np.ndarray | None],
) -> dict[str, float | str | None]:
    """How alike two models answer, and how good either is.

    Args:
        float32, other: of the same scans.
        called: what the second is called in the figures' names.
        labels, masks: see `figures_of`.
    """
    figures: dict[str, float | str | None] = {
        "images": len(labels),
        "same_class": same_class(float32, other),
        "largest_difference": largest_difference(float32, other),
    }
    for name, own in (("float32", float32), (called, other)):
        figures |= {f"{key}_{name}": v for key, v in figures_of(own, labels, masks).items()}
    return figures | {"track_record": track_record({PATIENTS: (other, labels)})}


def same_class(float32: Answers, int8: Answers) -> float:
    """Share of the scans to which both give the same class."""
    return float((float32.classes == int8.classes).mean())


def largest_difference(float32: Answers, int8: Answers) -> float:
    """Of any probability."""
    return float(np.abs(float32.probabilities - int8.probabilities).max())


def figures_of(
    answers: Answers, labels: np.ndarray, masks: Sequence[np.ndarray | None]
) -> dict[str, float | None]:
    """How good the answers are, fractions from 0 to 1.

    Args:
        labels: int (N,), the true classes.
        masks: the tumour's outline, bool (224, 224), of each scan that has one.
    """
    right = answers.classes == labels
    return {
        "accuracy": float(right.mean()),
        "ece": calibration_error(answers.probabilities, labels),
        "pointing_game": _pointing_game(answers, right, masks),
        "refused": float((~answers.brain_mri).mean()),
    }


def track_record(groups: Mapping[str, tuple[Answers, np.ndarray]]) -> str:
    """What the confidences have meant, as the metadata say it.

    Args:
        groups: the answers and the labels, int (N,), of each of `serve.track_record.GROUPS`.
    """
    bins = {}
    for group, (answers, labels) in groups.items():
        right = tumours.Answers(labels, answers.probabilities).right
        confidence = answers.probabilities.max(axis=1)
        bins[group] = bins_of(zip(confidence.tolist(), right.tolist(), strict=True))
    return TrackRecord(bins).to_json()


def _pointing_game(
    answers: Answers, right: np.ndarray, masks: Sequence[np.ndarray | None]
) -> float | None:
    """Of the right answers with an outline; None where there is none."""
    chosen = [i for i in np.flatnonzero(right) if masks[i] is not None]
    if not chosen:
        return None
    return float(pointed(answers.maps[chosen], np.stack([masks[i] for i in chosen])).mean())


def labels_of(images: Sequence[Path]) -> np.ndarray:
    """int (N,), of the folders that the images lie in."""
    return np.array([LABELS.index(path.parent.name) for path in images])


def read_masks(
    images: Sequence[Path], slices: Path | None, folder: Path | None
) -> list[np.ndarray | None]:
    """The radiologists' outline, bool (224, 224), of every image that is a figshare slice.

    Args:
        images: DIR/Testing/CLASS/FILE.
        slices: figshare_slices.csv.
        folder: figshare_masks, INDEX.png.
    """
    if not (slices and folder):
        return [None] * len(images)
    with slices.open(newline="", encoding="utf-8") as file:
        known = {(row["split"], row["class"], row["file"]): row for row in csv.DictReader(file)}
    return [_mask(known.get((p.parts[-3], p.parent.name, p.name)), folder) for p in images]


def _mask(row: Mapping[str, str] | None, folder: Path) -> np.ndarray | None:
    if row is None:
        return None
    mask = np.asarray(Image.open(folder / f"{row['figshare_index']}.png").convert("1"))
    return mask[:, ::-1] if row["mirrored"] == "1" else mask
