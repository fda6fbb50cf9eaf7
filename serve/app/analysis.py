"""The model behind the app: loaded and warmed once, asked for an answer and its four maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import numpy as np
from PIL import Image

from ..classifier import BATCH, BrainTumorClassifier, Prediction
from ..crop import Crop
from ..formats.raster import InvalidImageError
from ..formats.slices import Slice
from ..gradcam import Engine, GradCamError, explainer
from ..looking import Explain, Looker
from ..sheet import panels_of
from ..view import View, in_slice
from .uploads import Upload


@dataclass(frozen=True, slots=True)
class Analysis:
    """The answer for one picture, or one panel of a sheet, and where each class's evidence lies."""

    scan: Image.Image  # mode "RGB", its own size
    crop: Crop | None  # the part of the scan that was seen
    prediction: Prediction
    maps: dict[str, np.ndarray]  # of every class: Grad-CAM, float32 (14, 14), 0 to 1, of that
    # part; {} where the picture was refused
    engine: Engine  # what made the maps


Answers: TypeAlias = list[Prediction] | InvalidImageError  # of a file: of a sheet one a panel


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

    def analyse(self, upload: Upload, crop: bool = True) -> list[Analysis]:
        """Classify a visitor's picture and make all its maps; of a sheet, those of each panel.

        Args:
            upload: the picture.
            crop: whether what lies around a scan is cut off, and a sheet taken apart.

        Raises:
            InvalidImageError: it cannot be decoded.
        """
        explain, engine = self._explainer
        looker = Looker(self.classifier, explain, crop)
        found, parts = [], iter(_slices(upload, crop))
        while batch := list(islice(parts, BATCH)):
            answers, maps = looker.answers_of_pictures([looker.view(one) for one in batch])
            assert maps is not None
            for part, answer, cams in zip(batch, answers, maps, strict=True):
                labels = self.classifier.labels if answer.brain_mri else ()
                heat = dict(zip(labels, cams, strict=False))
                scan, seen = Image.fromarray(part.pixels), in_slice(answer.crop, part)
                found.append(Analysis(scan, seen, answer, heat, engine))
        return found

    def predict_all(
        self,
        uploads: Sequence[Upload],
        progress: Callable[[tuple[int, int]], object],
        crop: bool = True,
    ) -> list[Answers]:
        """Classify pictures, and the panels of sheets, in their order; a bad one's error is its
        answer.

        Args:
            uploads: the pictures.
            progress: called with (done, all) as it goes.
            crop: as for `analyse`.
        """
        answers: list[Answers] = []
        for start in range(0, len(uploads), BATCH):
            progress((start, len(uploads)))
            answers += self._predict_batch(uploads[start : start + BATCH], crop)
        return answers

    def _predict_batch(self, uploads: Sequence[Upload], crop: bool) -> list[Answers]:
        looker = Looker(self.classifier, crop=crop)
        found: list[list[Prediction]] = [[] for _ in uploads]
        errors: dict[int, InvalidImageError] = {}

        def views() -> Iterator[tuple[int, View]]:
            for number, upload in enumerate(uploads):
                try:
                    parts = _slices(upload, crop)
                except InvalidImageError as error:
                    errors[number] = error
                else:
                    yield from ((number, looker.view(part)) for part in parts)

        seen = views()
        while batch := list(islice(seen, BATCH)):
            predictions, _ = looker.answers_of_pictures([view for _, view in batch])
            for (number, _), answer in zip(batch, predictions, strict=True):
                found[number].append(answer)
        return [errors.get(number, answers) for number, answers in enumerate(found)]

    def _warm_up(self, explain: Explain) -> None:
        size = self.classifier.input_size
        explain([np.zeros((size, size, 3), np.uint8)], ["warm-up"])


def _slices(upload: Upload, crop: bool) -> list[Slice]:
    """A picture, or the panels of a sheet. Raises InvalidImageError."""
    picture = upload.picture()
    return (panels_of(picture) if crop else []) or [picture]
