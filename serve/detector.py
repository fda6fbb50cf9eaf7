"""The out-of-distribution score in NumPy: fitted by train/, built into the graph by export/."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .artifacts import replacing
from .command import UserError


@dataclass(frozen=True)
class Detector:
    """Squared Mahalanobis distance from the nearest class mean, per dimension.

    Lee et al., "A simple unified framework for detecting out-of-distribution samples and
    adversarial attacks", NeurIPS 2018. The arrays are rounded to what float16 can represent.
    """

    means: np.ndarray  # float32 (classes, 512)
    whitening: np.ndarray  # float32 (512, 512), lower triangular
    threshold: float  # above it a picture is no brain MRI
    warning: float = np.inf  # above it a scan is unlike what was trained on

    def score(self, pooled: np.ndarray) -> np.ndarray:
        """How unlike the training scans, float32 (N,), of pooled features (N, 512)."""
        distances = [(((pooled - mean) @ self.whitening) ** 2).mean(axis=1) for mean in self.means]
        return np.min(distances, axis=0)

    def save(self, path: Path) -> None:
        """Write the arrays, in float16, and the thresholds as .npz."""
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                means=self.means.astype(np.float16),
                whitening=self.whitening.astype(np.float16),
                threshold=self.threshold,
                warning=self.warning,
            )


def pool(features: np.ndarray) -> np.ndarray:
    """Each channel's mean and standard deviation over the picture, as log(1 + x).

    Args:
        features: block3_pool, (N, 28, 28, 256).

    Returns:
        float32 (N, 512).
    """
    features = features.astype(np.float32)
    moments = features.mean(axis=(1, 2)), features.std(axis=(1, 2))
    return np.log1p(np.concatenate(moments, axis=1))


def read_detector(path: Path) -> Detector:
    """Read what `Detector.save` wrote.

    Raises:
        OSError: there is no such file.
        UserError: it is another kind of file.
    """
    try:
        with np.load(path) as stored:
            return Detector(
                stored["means"].astype(np.float32),
                stored["whitening"].astype(np.float32),
                float(stored["threshold"]),
                float(stored.get("warning", np.inf)),
            )
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not an out-of-distribution score ({error})") from error
