"""The model behind the app: loaded and warmed once, asked for an answer and its four maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..classifier import BATCH, BrainTumorClassifier, Prediction
from ..formats.raster import InvalidImageError, load_pixels
from ..gradcam import Engine, Explain, GradCamError, explainer
from .uploads import Upload


@dataclass(frozen=True, slots=True)
class Analysis:
    """The answer for one picture, and where each class's evidence lies."""

    scan: Image.Image  # mode "RGB", its own size
    prediction: Prediction
    maps: dict[str, np.ndarray]  # of every class: Grad-CAM, float32 (14, 14), 0 to 1; {} where
    # the picture was refused
    engine: Engine  # what made the maps


class Analyser:
    """Answers for any number of threads, at first with the ONNX file's own maps.

    Raises:
        serve.ModelError: the ONNX file cannot be served.
    """

    def __init__(self) -> None:
        self.classifier = BrainTumorClassifier()
        self._explainer: tuple[Explain, Engine] = explainer(self.classifier, "onnx"), "onnx"
        self._warm_up(self._explainer[0])

    def load_keras(self) -> None:
        """Have Keras's Grad-CAM, the reference, take over where TensorFlow and the checkpoint
        are. It takes up to a minute, in which the others go on."""
        try:
            explain = explainer(self.classifier, "keras")
        except GradCamError:
            return
        self._warm_up(explain)
        self._explainer = explain, "keras"

    def analyse(self, scan: Image.Image, name: str) -> Analysis:
        """Classify a decoded picture and make all its maps."""
        explain, engine = self._explainer
        pixels = load_pixels(scan, self.classifier.input_size)
        (prediction,), (maps,) = explain([pixels], [name])
        labels = self.classifier.labels if prediction.brain_mri else ()
        return Analysis(scan, prediction, dict(zip(labels, maps, strict=False)), engine)

    def predict(self, upload: Upload) -> Prediction:
        """Classify a visitor's picture.

        Raises:
            InvalidImageError: it cannot be decoded.
        """
        pixels = load_pixels(upload.image(), self.classifier.input_size)
        return self.classifier.predict_pixels([pixels], [upload.name])[0]

    def predict_all(
        self, uploads: Sequence[Upload], progress: Callable[[tuple[int, int]], object]
    ) -> list[Prediction | InvalidImageError]:
        """Classify pictures a batch at a time, in their order; a bad one's error is its answer.

        Args:
            uploads: the pictures.
            progress: called with (done, all) as it goes.
        """
        answers: list[Prediction | InvalidImageError] = []
        for start in range(0, len(uploads), BATCH):
            progress((start, len(uploads)))
            answers += self._predict_batch(uploads[start : start + BATCH])
        return answers

    def _predict_batch(self, uploads: Sequence[Upload]) -> list[Prediction | InvalidImageError]:
        answers: dict[int, Prediction | InvalidImageError] = {}
        pixels: dict[int, np.ndarray] = {}
        for i, upload in enumerate(uploads):
            try:
                pixels[i] = load_pixels(upload.image(), self.classifier.input_size)
            except InvalidImageError as error:
                answers[i] = error
        if pixels:
            names = [uploads[i].name for i in pixels]
            predictions = self.classifier.predict_pixels(list(pixels.values()), names)
            answers |= zip(pixels, predictions, strict=True)
        return [answers[i] for i in range(len(uploads))]

    def _warm_up(self, explain: Explain) -> None:
        size = self.classifier.input_size
        explain([np.zeros((size, size, 3), np.uint8)], ["warm-up"])
