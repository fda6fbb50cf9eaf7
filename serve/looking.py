"""Slices -> answers: the scan is found in each, and what is odd about it is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from .crop import Crop
from .formats.slices import Slice
from .view import View, view_of

if TYPE_CHECKING:
    from .classifier import BrainTumorClassifier, Prediction

Explain: TypeAlias = Callable[
    [Sequence[np.ndarray], Sequence[str]], tuple[list["Prediction"], np.ndarray]
]

TURNED = "Turned by 90 degrees? On its side it is far more like a scan."


class Looker:
    """How slices are looked at and answered, by any number of threads.

    Args:
        classifier: answers.
        explain: answers with maps; where there is none, none are made.
        crop: see `serve.view.view_of`.
    """

    def __init__(
        self,
        classifier: BrainTumorClassifier,
        explain: Explain | None = None,
        crop: bool | Crop = True,
    ) -> None:
        self._classifier, self._explain = classifier, explain
        self._crop = crop

    @property
    def takes_apart(self) -> bool:
        """Whether a sheet of slices is seen as these."""
        return bool(self._crop) and not isinstance(self._crop, Crop)

    def view(self, part: Slice) -> View:
        """What the network will see; it takes no model. Raises as `serve.view.view_of` does."""
        return view_of(part, self._classifier.input_size, self._crop)

    def answers(self, views: Sequence[View]) -> tuple[list[Prediction], np.ndarray | None]:
        """The answers in one batch, and maps, float32 (N, 4, 14, 14), where they are made."""
        pixels, names = [one.pixels for one in views], [one.name for one in views]
        maps = None
        if self._explain is None:
            predictions = self._classifier.predict_pixels(pixels, names)
        else:
            predictions, maps = self._explain(pixels, names)
        told = [
            replace(answer, crop=one.crop, warnings=(*one.warnings, *answer.warnings))
            for answer, one in zip(predictions, views, strict=True)
        ]
        return told, maps

    def answers_of_pictures(
        self, views: Sequence[View]
    ) -> tuple[list[Prediction], np.ndarray | None]:
        """As `answers`, and each picture that lies on its side is said to."""
        answers, maps = self.answers(views)
        told = [
            replace(answer, warnings=(*answer.warnings, TURNED))
            if self.turned(one, answer)
            else answer
            for answer, one in zip(answers, views, strict=True)
        ]
        return told, maps

    def turned(self, view: View, answer: Prediction) -> bool:
        """Whether a slice looks turned by 90 degrees; up to two more pictures are asked about."""
        return self._classifier.looks_turned(view.pixels, answer.ood_score)
