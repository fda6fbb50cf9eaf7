"""Is an ONNX model the same function as the Keras model it came from?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import onnxruntime as ort
from tqdm import tqdm

from serve.artifacts import INPUT_SIZE
from serve.images import load_pixels
from serve.providers import CPU

TOLERANCE = 1e-4  # of a probability
BATCH = 16


@dataclass(frozen=True)
class Parity:
    images: int
    largest_difference: float  # of any probability
    different_classes: int

    @property
    def holds(self) -> bool:
        return self.largest_difference <= TOLERANCE and not self.different_classes


def compare(
    model: keras.Model, onnx_path: Path, images: Sequence[Path], temperature: float
) -> Parity:
    """Classify `images` with both at the same temperature.

    Raises:
        serve.images.InvalidImageError: one cannot be decoded.
    """
    logits = keras.Model(model.input, model.get_layer("logits").output)
    session = ort.InferenceSession(onnx_path, providers=[CPU])
    largest, different = 0.0, 0
    for start in tqdm(range(0, len(images), BATCH), desc="Keras against ONNX", delay=1):
        pixels = np.stack([load_pixels(p, INPUT_SIZE) for p in images[start : start + BATCH]])
        raw = logits.predict_on_batch(pixels.astype(np.float32))
        expected = keras.ops.convert_to_numpy(keras.ops.softmax(raw / temperature))
        (found,) = session.run(["probabilities"], {"image": pixels})
        largest = max(largest, float(np.abs(found - expected).max()))
        different += int((found.argmax(1) != expected.argmax(1)).sum())
    return Parity(len(images), largest, different)
