"""The public demo: python space_app.py

Research and education only: not a medical device, never a diagnosis.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Container
from html import escape
from pathlib import Path
from threading import Thread
from typing import Any, TypeAlias

import gradio as gr

from ..artifacts import EXAMPLES, MODELS, TRAINED_ON_NAME
from ..command import UserError
from ..formats.budget import MAX_UPLOAD_PIXELS, lower_limit
from ..formats.raster import InvalidImageError
from ..metrics import read_metrics
from ..trained_on import read_trained_on
from . import html
from . import words as text
from .analysis import Analyser, SeriesAnalysis
from .endpoints import add_endpoints
from .guarded import GuardedBlocks
from .server import serve
from .table import table
from .uploads import Upload, received, received_all

WAITING_CALLS = 40  # more are asked to come back later

# One decodes, one runs.
AT_ONCE: dict[str, Any] = {"concurrency_limit": 2, "concurrency_id": "model"}

Outputs: TypeAlias = tuple[str, ...]  # of an event: what each of its components becomes

DROP_BOX = "dropBox(element, trigger, upload)"
RESULT = "result(element, watch, props)"
SAY = "() => said"
SENT_ONE, SENT_ALL = "() => [sent[0]]", "() => [sent]"
FAILED = "() => failed()"


def main() -> None:
    """Serve the demo until it is stopped; what was uploaded goes with it."""
    keras = _parse().keras
    lower_limit(MAX_UPLOAD_PIXELS)
    try:
        analyser = Analyser()
        if keras:
            Thread(target=analyser.load_keras, daemon=True).start()
        serve(lambda: build(analyser), _theme())
    except UserError as error:
        sys.exit(f"error: {error}")


def build(analyser: Analyser) -> gr.Blocks:
    """The page and its endpoints."""
    metrics = read_metrics()
    with GuardedBlocks(title=text.TITLE, analytics_enabled=False, fill_width=True) as demo:
        gr.HTML(html.HEADER, apply_default_css=False)
        with gr.Tab("Classify a scan"):
            _classify_tab(analyser, metrics)
        with gr.Tab("Several files"):
            _files_tab(analyser)
        with gr.Tab("About the model"):
            _about_tab()
        add_endpoints(analyser, AT_ONCE)
    demo.queue(
        max_size=WAITING_CALLS,
        default_concurrency_limit=AT_ONCE["concurrency_limit"],
        api_open=False,
    )
    return demo


def _classify_tab(analyser: Analyser, metrics: dict[str, Any]) -> None:
    threshold, record = analyser.classifier.ood_threshold, analyser.classifier.track_record
    files = sorted(EXAMPLES.glob("*.jpg"))
    labels = [_class_of(file, analyser) for file in files]
    with gr.Column(elem_id="workspace"):
        box = gr.HTML(
            html.drop_box("Drop a scan here, paste it<br>or click to choose a file"),
            js_on_load=DROP_BOX,
            apply_default_css=False,
            elem_id="scan-box",
        )
        answer = gr.HTML(html.WAITING, js_on_load=RESULT, apply_default_css=False, elem_id="answer")
        examples = gr.HTML(
            html.examples(files, labels, _learnt()),
            js_on_load="examples(element, trigger)",
            apply_default_css=False,
            elem_id="examples",
        )
        pictures = gr.HTML(
            html.NO_PICTURES, js_on_load=RESULT, apply_default_css=False, elem_id="pictures"
        )

    def answer_to(upload: Upload, event: gr.EventData) -> Outputs:
        try:
            found = analyser.analyse(upload, _crop(event))
        except InvalidImageError as error:
            return html.error(str(error)), html.NO_PICTURES
        if isinstance(found, SeriesAnalysis):
            return html.series(found.answer), html.slices(found.shown)
        if not found.prediction.brain_mri:
            return html.refusal(found.prediction, threshold), html.refused_picture(found)
        return html.answer(found.prediction, record, metrics), html.viewer(found, metrics)

    def classify(file: dict[str, Any] | None, event: gr.EventData) -> Outputs:
        return _of_turn(event, *answer_to(received(file), event))

    def classify_example(event: gr.EventData) -> Outputs:
        file = files[int(event.example) % len(files)]
        return _of_turn(event, *answer_to(Upload(file.name, file), event))

    outputs, sent = [answer, pictures], gr.File(visible=False)
    _answers(box.upload(classify, sent, outputs, js=SENT_ONE, **_event(answer)), outputs)
    _answers(examples.click(classify_example, None, outputs, **_event(answer)), outputs)
    gr.on([box.clear, examples.clear], None, None, outputs, js=SAY, api_visibility="private")


def _files_tab(analyser: Analyser) -> None:
    box = gr.HTML(
        html.drop_box("Drop scans here, paste them<br>or click to choose files", several=True),
        js_on_load=DROP_BOX,
        apply_default_css=False,
        elem_id="files-box",
    )
    answers = gr.HTML(
        html.WAITING_FOR_FILES, js_on_load=RESULT, apply_default_css=False, elem_id="answers"
    )

    def classify(
        files: list[dict[str, Any]] | None,
        event: gr.EventData,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> str:
        found = analyser.predict_all(received_all(files), progress, _crop(event))
        return _of_turn(event, table(found, analyser.classifier.labels))[0]

    sent = gr.File(file_count="multiple", visible=False)
    _answers(box.upload(classify, sent, answers, js=SENT_ALL, **_event(answers)), [answers])
    box.clear(None, None, [answers], js=SAY, api_visibility="private")


def _of_turn(event: gr.EventData, *parts: str) -> Outputs:
    """The parts of an answer, marked with what they answer: script.js drops one that comes late."""
    turn = escape(str((event._data or {}).get("turn", "")))
    return tuple(f'<div data-turn="{turn}">{part}</div>' for part in parts)


def _crop(event: gr.EventData) -> bool:
    """Whether the visitor wants what lies around a scan cut off."""
    return bool((event._data or {}).get("crop", True))


def _event(progress_on: gr.HTML) -> dict[str, Any]:
    return {
        "api_visibility": "private",
        "show_progress_on": progress_on,
        "preprocess": False,
        "trigger_mode": "multiple",
        **AT_ONCE,
    }


def _answers(event: Any, outputs: list[gr.HTML]) -> None:  # noqa: ANN401
    """Where `event` fails, that is what its outputs say."""
    event.failure(None, None, outputs, js=FAILED, api_visibility="private")


def _about_tab() -> None:
    for part in text.model_card():
        if isinstance(part, str):
            gr.Markdown(part, elem_classes="card")
        else:
            words, file = part
            gr.HTML(html.figure(words, file), apply_default_css=False, elem_classes="card")
    gr.Markdown(text.API, elem_classes="card")


def _class_of(example: Path, analyser: Analyser) -> str:
    """The class that an example's name states: Te-gl_0010.jpg."""
    code = example.stem.split("-")[1][:2]
    return next(label for label in analyser.classifier.labels if label.startswith(code))


def _learnt() -> Container[str]:
    """The names of the files that the model was trained or validated on, as far as it is said."""
    if not (MODELS / TRAINED_ON_NAME).is_file():
        return set()
    return {Path(row.file).name for row in read_trained_on() if row.side != "test"}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Serve the demo; GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say where."
    )
    parser.add_argument(
        "--no-keras",
        dest="keras",
        action="store_false",
        help="leave TensorFlow out: all maps are the ONNX file's own",
    )
    return parser.parse_args()


def _theme() -> gr.themes.Base:
    """Calm: system fonts (nothing is fetched), greys and one accent."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "monospace"],
        text_size=gr.themes.sizes.text_md,
        radius_size=gr.themes.sizes.radius_md,
    ).set(
        color_accent="*primary_700",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
    )
