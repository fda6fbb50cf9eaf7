"""The out-of-distribution score in NumPy: fitted by train/ to the published network, by export/ to
the slim one, and built into the graph by export/."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .artifacts import replacing
from .command import UserError

KEPT = 0.985  # share of every collection's held-out scans that the threshold lets pass
FAMILIAR = 0.95  # and that the lower one, of the warning, says nothing of


@dataclass(frozen=True)
class Detector:
    """Squared Mahalanobis distance from the nearest class mean, per dimension.

    Lee et al., "A simple unified framework for detecting out-of-distribution samples and
    adversarial attacks", NeurIPS 2018. The arrays are rounded to what float16 can represent.
    """

    means: np.ndarray  # float32 (classes, D); D is 512, in the slim network fewer
    whitening: np.ndarray  # float32 (D, D), lower triangular
    threshold: float  # above it a picture is no brain MRI
    warning: float = np.inf  # above it a scan is unlike what was trained on

    def score(self, pooled: np.ndarray) -> np.ndarray:
        """How unlike the training scans, float32 (N,), of pooled features (N, D)."""
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
        features: block3_pool, (N, 28, 28, channels).

    Returns:
        float32 (N, 2 * channels).
    """
    features = features.astype(np.float32)
    moments = features.mean(axis=(1, 2)), features.std(axis=(1, 2))
    return np.log1p(np.concatenate(moments, axis=1))


def fit_detector(
    pooled: np.ndarray,
    cells: np.ndarray,
    held_out: Sequence[np.ndarray],
    covariance: Any,  # noqa: ANN401
) -> Detector:
    """Fit means and one covariance for all, then set the thresholds on `held_out`.

    Args:
        pooled: float32 (N, D), of training scans.
        cells: (N,), what the scans of one mean share: collection and class.
        held_out: float32 (M, D), of scans of other patients, of each collection.
        covariance: estimates it, of rows about zero, as scikit-learn's `LedoitWolf` does.
    """
    names, cell = np.unique(cells, return_inverse=True)
    means = np.stack([pooled[cell == number].mean(axis=0) for number in range(len(names))])
    precision = covariance.fit(pooled - means[cell]).precision_
    bare = Detector(_rounded(means), _rounded(np.linalg.cholesky(precision)), np.inf)
    scores = [bare.score(own) for own in held_out]
    threshold, warning = (
        max(float(np.quantile(own, share)) for own in scores) for share in (KEPT, FAMILIAR)
    )
    return replace(bare, threshold=threshold, warning=warning)


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


def _rounded(values: np.ndarray) -> np.ndarray:
    """float32, of what float16 can represent."""
    return values.astype(np.float16).astype(np.float32)
