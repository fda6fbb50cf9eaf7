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
from ..formats.scans import InvalidImageError, Series, Slice
from ..gradcam import Engine, GradCamError, explainer
from ..looking import Explain, Looker
from ..series import SeriesPrediction, answer_series
from ..sheet import sheet_of
from ..view import View, in_slice
from .uploads import Upload

MOST_SLICES = 300  # of one file


@dataclass(frozen=True, slots=True)
class Analysis:
    """The answer for one slice, and where each class's evidence lies."""

    scan: Image.Image  # mode "RGB", its own size
    index: int  # where it lies in its series, from 0
    crop: Crop | None  # the part of the scan that was seen
    prediction: Prediction
    maps: dict[str, np.ndarray]  # of every class: Grad-CAM, float32 (14, 14), 0 to 1, of that
    # part; {} where the picture was refused
    engine: Engine  # what made the maps


@dataclass(frozen=True, slots=True)
class SeriesAnalysis:
    """The answers for a sheet, a stack or a volume."""

    answer: SeriesPrediction
    shown: list[Analysis]  # of a sheet all panels, of others the most suspicious slices, or, where
    # there are none, the one in the middle


Answers: TypeAlias = list[Prediction] | InvalidImageError  # of a file, one a slice


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

    def analyse(self, upload: Upload, crop: bool = True) -> Analysis | SeriesAnalysis:
        """Classify what a visitor has sent, and make its maps.

        Args:
            upload: a picture, or a series of slices.
            crop: whether what lies around a scan is cut off, and a sheet taken apart.

        Raises:
            InvalidImageError: it cannot be decoded.
        """
        explain, engine = self._explainer
        looker = Looker(self.classifier, explain, crop)
        read = _read(upload, crop)
        if isinstance(read, Slice):
            (one,), maps = looker.answers_of_pictures([looker.view(read)])
            assert maps is not None
            return self._analysis(read, one, maps[0], engine)
        answer, maps = answer_series(read, looker, BATCH)
        assert maps is not None
        answers = dict(zip(answer.indices, zip(answer.slices, maps, strict=True), strict=True))
        middle = answer.indices[len(answer.indices) // 2 :][:1]
        wanted = set(answers if answer.kind == "sheet" else answer.suspicious or middle)
        parts = [one for one in read if isinstance(one, Slice) and one.index in wanted]
        shown = [self._analysis(part, *answers[part.index], engine) for part in parts]
        return SeriesAnalysis(answer, shown)

    def _analysis(
        self, part: Slice, answer: Prediction, cams: np.ndarray, engine: Engine
    ) -> Analysis:
        labels = self.classifier.labels if answer.brain_mri else ()
        maps = dict(zip(labels, cams, strict=False))
        scan, seen = Image.fromarray(part.pixels), in_slice(answer.crop, part)
        return Analysis(scan, part.index, seen, answer, maps, engine)

    def predict_all(
        self,
        uploads: Sequence[Upload],
        progress: Callable[[tuple[int, int]], object],
        crop: bool = True,
    ) -> list[Answers]:
        """Classify pictures, and the slices of series, in their order; a bad one's error is its
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
                for part in _slices(upload, crop):
                    if isinstance(part, Slice):
                        yield number, looker.view(part)
                    else:
                        errors[number] = part

        seen = views()
        while batch := list(islice(seen, BATCH)):
            predictions, _ = looker.answers_of_pictures([view for _, view in batch])
            for (number, _), answer in zip(batch, predictions, strict=True):
                found[number].append(answer)
        return [answers or errors[number] for number, answers in enumerate(found)]

    def _warm_up(self, explain: Explain) -> None:
        size = self.classifier.input_size
        explain([np.zeros((size, size, 3), np.uint8)], ["warm-up"])


def _read(upload: Upload, crop: bool) -> Slice | Series:
    """A picture; or a sheet's panels, a stack or a volume. Raises InvalidImageError."""
    series = upload.series()
    if len(series) > MOST_SLICES:
        reason = f"it has {len(series)} slices, over {MOST_SLICES}: the command line takes any"
        raise InvalidImageError(upload.name, reason)
    if len(series) != 1:
        return series
    picture = series.only()
    return (sheet_of(series, picture) if crop else None) or picture


def _slices(upload: Upload, crop: bool) -> Iterator[Slice | InvalidImageError]:
    try:
        read = _read(upload, crop)
    except InvalidImageError as error:
        yield error
        return
    if isinstance(read, Slice):
        yield read
        return
    yield from read
    if read.skipped.total() == len(read):
        yield InvalidImageError(upload.name, f"nothing to classify: {', '.join(read.skipped)}")
