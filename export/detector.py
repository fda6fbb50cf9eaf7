"""The fitted out-of-distribution score (train/ood.py), as export/ reads it from models/."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Detector:
    """Squared Mahalanobis distance from the nearest class mean, per dimension.

    Lee et al., "A simple unified framework for detecting out-of-distribution samples and
    adversarial attacks", NeurIPS 2018.
    """

    means: np.ndarray  # float32 (classes, 1024)
    whitening: np.ndarray  # float32 (1024, 1024), lower triangular
    threshold: float

    def score(self, features: np.ndarray) -> np.ndarray:
        """The score of block4_pool, float32 (N, 14, 14, 512): float32 (N,)."""
        moments = features.mean(axis=(1, 2)), features.std(axis=(1, 2))
        pooled = np.log1p(np.concatenate(moments, axis=1))
        distances = [(((pooled - mean) @ self.whitening) ** 2).mean(axis=1) for mean in self.means]
        return np.min(distances, axis=0)


def read_detector(path: Path) -> Detector:
    """
    Raises:
        OSError: there is no such file.
        ValueError: it is another kind of file.
    """
    try:
        with np.load(path) as stored:
            return Detector(
                stored["means"].astype(np.float32),
                stored["whitening"].astype(np.float32),
                float(stored["threshold"]),
            )
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not an out-of-distribution score ({error})") from error
