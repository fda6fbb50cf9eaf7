"""Is an ONNX model the same function as the Keras model it came from?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime as ort
from onnx.utils import Extractor
from PIL import Image
from scipy.special import softmax
from tqdm import tqdm

from serve.detector import Detector, pool
from serve.formats.raster import load_image, load_pixels
from serve.gradcam import KerasGradCam
from serve.names import FROZEN_POOL, INPUT_SIZE
from serve.providers import CPU

BATCH = 16
SIZES = ((1, 1), (7, 900), (900, 7), (224, 224), (201, 640), (1000, 1000), (4000, 3000))
LIMITS = {
    "probabilities": 1e-4,
    "classes": 0,
    "cam": 1e-3,
    "ood_score": 1e-3,
    "resize": 1,
    "batch": 1e-5,
    "refused": 0.02,
}


@dataclass(frozen=True)
class Parity:
    """Largest differences over all images."""

    images: int
    probabilities: float  # at the same temperature
    classes: int  # images that get another class
    cam: float  # of a map's cell, from GradientTape's Grad-CAM on the logits
    ood_score: float  # relative
    resize: float  # grey levels, from Pillow's BILINEAR
    batch: float  # of any output, a batch from its images alone
    refused: float  # share of the images above the threshold; all are brain MRI scans

    def failures(self) -> list[str]:
        """What is over its limit, as text."""
        return [
            f"{name} {value:.2g} is over {LIMITS[name]:g}"
            for name, value in self.figures().items()
            if value > LIMITS[name]
        ]

    def figures(self) -> dict[str, float]:
        """All that has a limit."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name in LIMITS}


class Reference:
    """The Keras model's outputs, made as their papers say: no closed form, no graph surgery."""

    def __init__(self, model: keras.Model, temperature: float, detector: Detector) -> None:
        self._temperature, self._detector = temperature, detector
        outputs = [model.get_layer(name).output for name in (FROZEN_POOL, "logits")]
        self._outputs = keras.Model(model.input, outputs)
        self._maps = KerasGradCam(model)

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`probabilities`, `cam` and `ood_score` of uint8 (N, 224, 224, 3)."""
        features, logits = self._outputs.predict_on_batch(pixels.astype(np.float32))
        score = self._detector.score(pool(features))
        return softmax(logits / self._temperature, axis=1), self._maps(pixels), score


def compare(
    model: keras.Model,
    onnx_path: Path,
    images: Sequence[Path],
    temperature: float,
    detector: Detector,
) -> Parity:
    """Classify `images` with both.

    Raises:
        serve.formats.raster.InvalidImageError: one cannot be decoded.
    """
    reference = Reference(model, temperature, detector)
    session = ort.InferenceSession(onnx_path, providers=[CPU])
    found, expected = [], []
    for start in tqdm(range(0, len(images), BATCH), desc="Keras against ONNX", delay=1):
        pixels = np.stack([load_pixels(p, INPUT_SIZE) for p in images[start : start + BATCH]])
        expected.append(reference(pixels))
        found.append(_run(session, pixels))
    probabilities, cam, score = map(np.concatenate, zip(*found, strict=True))
    true_probabilities, true_cam, true_score = map(np.concatenate, zip(*expected, strict=True))
    return Parity(
        images=len(images),
        probabilities=float(np.abs(probabilities - true_probabilities).max()),
        classes=int((probabilities.argmax(1) != true_probabilities.argmax(1)).sum()),
        cam=float(np.abs(cam - true_cam).max()),
        ood_score=float(np.abs(score / true_score - 1).max()),
        resize=resize_difference(onnx.load(onnx_path), images[0]),
        batch=_batch_difference(session, images[:4]),
        refused=float((score > detector.threshold).mean()),
    )


def resize_difference(model: onnx.ModelProto, image: Path) -> float:
    """Largest difference between the resizing of the graph and Pillow's, in grey levels."""
    resizing = Extractor(onnx.shape_inference.infer_shapes(model)).extract_model(["image"], ["rgb"])
    session = ort.InferenceSession(resizing.SerializeToString(), providers=[CPU])
    scan = load_image(image)
    largest = 0.0
    for size in SIZES:
        resized = scan.resize(size, Image.Resampling.BICUBIC)
        (found,) = session.run(None, {"image": np.asarray(resized)[None]})
        pillow = resized.resize((INPUT_SIZE, INPUT_SIZE), Image.Resampling.BILINEAR)
        largest = max(largest, float(np.abs(found[0] - np.asarray(pillow, np.float32)).max()))
    return largest


def _batch_difference(session: ort.InferenceSession, images: Sequence[Path]) -> float:
    pixels = np.stack([load_pixels(path, INPUT_SIZE) for path in images])
    alone = [_run(session, one[None]) for one in pixels]
    together = _run(session, pixels)
    return max(
        float(np.abs(one - np.concatenate(others)).max())
        for one, others in zip(together, zip(*alone, strict=True), strict=True)
    )


def _run(session: ort.InferenceSession, pixels: np.ndarray) -> list[np.ndarray]:
    return session.run(["probabilities", "cam", "ood_score"], {"image": pixels})
