"""The slim network's own out-of-distribution score, see serve/detector.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import keras
import numpy as np
from sklearn.covariance import LedoitWolf
from tqdm import tqdm

from export.slimming.sides import Scan, Sides
from export.slimming.views import toned
from serve.detector import Detector, fit_detector, pool
from serve.formats.raster import load_pixels
from serve.names import FROZEN_POOL, INPUT_SIZE

BATCH = 32


def fit_to_scans(model: keras.Model, sides: Sides, seed: int) -> Detector:
    """Fitted to the training side, each scan as it is and of other brightness and contrast; the
    threshold is set on the validation side."""
    features = keras.Model(model.input, model.get_layer(FROZEN_POOL).output)
    pooled = np.concatenate(
        [_pooled(features, sides.training), _pooled(features, sides.training, seed)]
    )
    held: dict[str, list[Scan]] = defaultdict(list)
    for scan in sides.validation:
        held[scan.collection].append(scan)
    cells = [scan.cell for scan in sides.training]
    tested = [_pooled(features, own) for own in held.values()]
    return fit_detector(pooled, np.array(cells * 2), tested, LedoitWolf(assume_centered=True))


def _pooled(features: keras.Model, scans: Sequence[Scan], seed: int | None = None) -> np.ndarray:
    """float32 (N, 2 * channels); with a seed, of other brightness and contrast."""
    parts = []
    for start in tqdm(range(0, len(scans), BATCH), desc="fitting the refusal", unit="batch"):
        pixels = [load_pixels(scan.path, INPUT_SIZE) for scan in scans[start : start + BATCH]]
        if seed is not None:
            rng = np.random.default_rng([seed, start])
            pixels = [toned(one, rng) for one in pixels]
        parts.append(pool(features.predict_on_batch(np.stack(pixels).astype(np.float32))))
    return np.concatenate(parts)
