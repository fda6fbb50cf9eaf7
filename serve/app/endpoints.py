"""The endpoints that programs call: /predict, /explain and /predict_batch."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, TypedDict

import gradio as gr
from gradio.data_classes import FileData
from gradio_client.utils import python_type_to_json_schema
from PIL import Image

from ..classifier import Prediction
from ..formats.scans import InvalidImageError, Series, Slice
from ..overlay import overlay
from ..series import SeriesPrediction
from . import words as text
from .analysis import Analyser
from .reading import answer_all, found_in, opened
from .uploads import received, received_all, refused

PREDICTED = "predicted"
EXAMPLE = FileData(path="scan.jpg", orig_name="scan.jpg").model_dump()  # of the documentation

File = dict[str, Any]  # Gradio's FileData: path, orig_name and more


class Answer(TypedDict):
    """The answer for one picture."""

    file: str  # its own name; "path" would have Gradio's client download it
    label: str | None  # the likeliest class
    confidence: float | None  # its probability, 0 to 1, calibrated
    probabilities: dict[str, float] | None  # of every class
    brain_mri: bool  # False: unlike a brain MRI, so these three are null
    unsure: bool  # True: answers of such a confidence were too often wrong
    ood_score: float  # how unlike the training scans
    model: str
    provider: str
    milliseconds: float  # inference alone
    crop: dict[str, Any] | None  # the part of the picture that was seen, in its pixels: x, y,
    # width and height, and the black added at its left, top, right and bottom; null: all of it
    warnings: list[str]  # what looks odd, in words


class Failure(TypedDict):
    """A picture that could not be read."""

    file: str
    error: str


class Explained(TypedDict):
    """The answer for one picture, and what it rests on."""

    answer: Answer
    engine: str  # what made the maps: keras or onnx
    maps: dict[str, list[list[float]]] | None  # of every class: Grad-CAM, 14 rows of 14, 0 to 1;
    # null where brain_mri is false


def add_endpoints(analyser: Analyser, queue: dict[str, Any]) -> None:
    """Add the endpoints to the `gr.Blocks` that is being built; none shows on the page.

    Args:
        analyser: answers.
        queue: how many may run at once, for every endpoint's event.
    """

    def predict(scan: File, crop: bool = True) -> Answer:
        """Classify one picture of a brain MRI slice. Research and education only.

        Returns the likeliest class, its calibrated confidence and all probabilities. Where
        brain_mri is false, the picture is unlike a brain MRI and these three are null; where
        unsure is true, answers of such a confidence were too often wrong. What lies around the
        scan is cut off, unless crop is false.
        """
        return _answer(analyser.predict(_picture(scan, crop), crop))

    def explain(
        scan: File, label: str = PREDICTED, crop: bool = True
    ) -> tuple[Explained, Image.Image | None]:
        """Classify one picture and say where each class's evidence lies (Grad-CAM).

        Returns the answer with the maps of all classes, 14 x 14 from 0 to 1, and the picture
        with one class's map laid over it: the predicted class's, or that of label. The maps are
        of the part that crop says. Where brain_mri is false, maps and picture are null.
        """
        known = (PREDICTED, *analyser.classifier.labels)
        if label not in known:
            raise refused(f"label must be one of {', '.join(known)}.")
        found = analyser.analyse(_picture(scan, crop), crop)
        maps = {name: one.tolist() for name, one in found.maps.items()}
        result = Explained(answer=_answer(found.prediction), engine=found.engine, maps=maps or None)
        shown = found.prediction.label if label == PREDICTED else label
        if shown not in found.maps:
            return result, None
        return result, overlay(found.scan, found.maps[shown], crop=found.crop)

    def predict_batch(scans: list[File], crop: bool = True) -> list[Answer | Failure]:
        """Classify several pictures, and every slice of a sheet, a stack or a volume.

        A bad file gets its reason, the others their answers.
        """
        found = [one for scan in received_all(scans) for one in found_in([scan])]
        answers: list[Answer | Failure] = []
        for one in answer_all(analyser.looker(crop), found):
            if isinstance(one.answer, InvalidImageError):
                answers.append(Failure(file=one.answer.name, error=one.answer.reason))
            elif isinstance(one.answer, SeriesPrediction):
                answers += map(_answer, one.answer.slices)
            else:
                answers.append(_answer(one.answer))
        return answers

    with gr.Group(visible=False):
        scan = gr.File(label="The picture: JPEG, PNG, BMP, TIFF, WebP or GIF")
        scans = gr.File(label="The pictures", file_count="multiple")
        # Gradio takes neither these nor `api_info` as an argument.
        scan.example_payload = lambda: EXAMPLE  # type: ignore[method-assign]
        scans.example_payload = lambda: [EXAMPLE, EXAMPLE]  # type: ignore[method-assign]
        label = gr.Radio(
            [PREDICTED, *analyser.classifier.labels],
            value=PREDICTED,
            label="The class whose map is laid over the picture",
        )
        crop = gr.Checkbox(value=True, label=text.CROP)
        picture = gr.Image(format="png", label="The picture under that map")
        call = gr.Button()
        for function, inputs, outputs in (
            (predict, [scan, crop], [_json("The answer", Answer)]),
            (explain, [scan, label, crop], [_json("The answer and the maps", Explained), picture]),
            (predict_batch, [scans, crop], [_json("The answers", list[Answer | Failure])]),
        ):
            call.click(function, inputs, outputs, preprocess=False, **queue)


def _picture(scan: File, crop: bool) -> Slice:
    """The one picture in a file.

    Raises:
        InvalidImageError: it cannot be read.
        gradio.Error: it holds several.
    """
    found = found_in([received(scan)])
    if len(found) != 1:
        raise refused(f"It holds {len(found)} pictures or series: /predict_batch answers each.")
    if isinstance(found[0], InvalidImageError):
        raise found[0]
    read = opened(found[0], crop)
    if isinstance(read, Series):
        raise refused(f"It holds {len(read)} slices, not one: /predict_batch answers each.")
    return read


def _answer(prediction: Prediction) -> Answer:
    return Answer(
        file=prediction.path,
        label=prediction.label,
        confidence=prediction.confidence,
        probabilities=prediction.probabilities,
        brain_mri=prediction.brain_mri,
        ood_score=prediction.ood_score,
        model=prediction.model,
        provider=prediction.provider,
        milliseconds=prediction.milliseconds,
        unsure=prediction.unsure,
        crop=asdict(prediction.crop) if prediction.crop else None,
        warnings=list(prediction.warnings),
    )


def _json(label: str, kind: Any) -> gr.JSON:  # noqa: ANN401
    """A result whose fields, those of `kind`, the API's documentation names."""
    result = gr.JSON(label=label)
    result.api_info = lambda: python_type_to_json_schema(kind)  # type: ignore[method-assign]
    return result
