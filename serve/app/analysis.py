"""The model behind the app: loaded and warmed once, asked for an answer and its four maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..classifier import BrainTumorClassifier, Prediction
from ..crop import Crop
from ..formats.scans import Slice
from ..gradcam import Engine, GradCamError, explainer
from ..looking import Explain, Looker
from ..view import in_slice


@dataclass(frozen=True, slots=True)
class Analysis:
    """The answer for one picture, and where each class's evidence lies."""

    scan: Image.Image  # mode "RGB", its own size
    crop: Crop | None  # the part of the scan that was seen; None: all of it
    prediction: Prediction
    maps: dict[str, np.ndarray]  # of every class: Grad-CAM, float32 (14, 14), 0 to 1, of that
    # part; {} where the picture was refused
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

    def looker(self, crop: bool | Crop) -> Looker:
        """How series and several files are looked at: with the ONNX file's own maps.

        Args:
            crop: whether what lies around a scan is cut off, and a sheet taken apart; or what is
                to be cut out.
        """
        return Looker(self.classifier, self.classifier.explain_pixels, crop)

    def analyse(self, picture: Slice, crop: bool | Crop) -> Analysis:
        """Classify one picture and make all its maps; `crop` as for `looker`."""
        explain, engine = self._explainer
        looker = Looker(self.classifier, explain, crop)
        (answer,), cams = looker.answers_of_pictures([looker.view(picture)])
        assert cams is not None
        labels = self.classifier.labels if answer.brain_mri else ()
        maps = dict(zip(labels, cams[0], strict=False))
        seen = in_slice(answer.crop, picture)
        return Analysis(Image.fromarray(picture.pixels), seen, answer, maps, engine)

    def predict(self, picture: Slice, crop: bool) -> Prediction:
        """Classify one picture; `crop` as for `looker`."""
        looker = Looker(self.classifier, crop=crop)
        return looker.answers_of_pictures([looker.view(picture)])[0][0]

    def _warm_up(self, explain: Explain) -> None:
        size = self.classifier.input_size
        explain([np.zeros((size, size, 3), np.uint8)], ["warm-up"])
