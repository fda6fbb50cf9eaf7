"""The public demo: python space_app.py

Research and education only: not a medical device, never a diagnosis.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from html import escape
from threading import Thread
from typing import Any, TypeAlias

import gradio as gr

from ..command import UserError
from ..crop import Crop
from ..formats.budget import MAX_UPLOAD_PIXELS, lower_limit
from ..metrics import read_metrics
from ..sources import Found
from . import html
from . import words as text
from .about import about_tab
from .analysis import Analyser
from .cards import cards
from .compare import FEWEST, MOST, compared
from .endpoints import add_endpoints
from .example_scans import classes_of, example_scans, learnt
from .guarded import GuardedBlocks
from .reading import answer_all, found_in, report_of
from .server import serve
from .uploads import Upload, received, received_all
from .whole import FIRST, whole

WAITING_CALLS = 40  # more are asked to come back later

# One decodes, one runs.
AT_ONCE: dict[str, Any] = {"concurrency_limit": 2, "concurrency_id": "model"}

Outputs: TypeAlias = tuple[str, ...]  # of an event: what each of its components becomes

DROP_BOX = "dropBox(element, trigger, upload)"
RESULT = "result(element, watch, props)"
SAY = "() => said"
CARDS = "cards(element, trigger, watch, props)"
SENT_ONE, SENT_ALL = "() => [sentTo('scan-box')[0] ?? null]", "() => [sentTo('files-box')]"
SAVE_REPORT, NO_REPORT = "(page) => saveReport(page)", "() => noReport()"
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
            _files_tab(analyser, metrics)
        with gr.Tab("About the model"):
            about_tab()
        add_endpoints(analyser, AT_ONCE)
    demo.queue(
        max_size=WAITING_CALLS,
        default_concurrency_limit=AT_ONCE["concurrency_limit"],
        api_open=False,
    )
    return demo


def _classify_tab(analyser: Analyser, metrics: dict[str, Any]) -> None:
    files = example_scans()
    with gr.Column(elem_id="workspace", elem_classes="workspace"):
        box = _part(
            html.drop_box("Drop a scan here, paste it<br>or click to choose a file"),
            DROP_BOX,
            "scan-box",
        )
        answer = _part(html.WAITING, RESULT, "answer")
        pictures = _part(html.NO_PICTURES, RESULT, "pictures")
        examples = _part(
            html.examples(files, classes_of(files), learnt()),
            "examples(element, trigger)",
            "examples",
        )

    def sent_or_example(file: dict[str, Any] | None, event: gr.EventData) -> list[Upload]:
        number = (event._data or {}).get("example")
        if number is None:
            return [received(file)]
        example = files[int(number) % len(files)]
        return [Upload(example.name, example)]

    def classify(
        file: dict[str, Any] | None,
        event: gr.EventData,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Outputs:
        found = found_in(sent_or_example(file, event))
        return _of_turn(event, *whole(analyser, metrics, found, FIRST, _crop(event), progress))

    def report(file: dict[str, Any] | None, event: gr.EventData) -> str:
        return _report(analyser, event, sent_or_example(file, event))

    outputs, sent = [answer, pictures], gr.File(visible=False)
    _answers(box.upload(classify, sent, outputs, js=SENT_ONE, **_event(answer)), outputs)
    _answers(examples.click(classify, sent, outputs, js=SENT_ONE, **_event(answer)), outputs)
    gr.on([box.clear, examples.clear], None, None, outputs, js=SAY, api_visibility="private")
    _save(box, report, sent, SENT_ONE)


def _files_tab(analyser: Analyser, metrics: dict[str, Any]) -> None:
    box = _part(
        html.drop_box("Drop scans here, paste them<br>or click to choose files", several=True),
        DROP_BOX,
        "files-box",
    )
    with gr.Column(elem_id="card", elem_classes="workspace"):
        answer = _part("", RESULT, "card-answer")
        pictures = _part("", RESULT, "card-pictures")
    answers = _part(html.WAITING_FOR_FILES, CARDS, "answers")

    def classify(
        files: list[dict[str, Any]] | None,
        event: gr.EventData,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Outputs:
        looker = analyser.looker(_crop(event))
        found = answer_all(looker, found_in(received_all(files)), progress)
        return _of_turn(event, cards(found, analyser.classifier.labels))

    def open_cards(files: list[dict[str, Any]] | None, event: gr.EventData) -> Outputs:
        chosen = _of_cards(found_in(received_all(files)), event.cards)
        if len(chosen) < FEWEST:
            said, pictures = whole(analyser, metrics, chosen, "card-viewer", _crop(event))
        else:
            answers = answer_all(analyser.looker(_crop(event)), chosen)
            said, pictures = compared(answers, analyser.classifier.labels, metrics)
        return _of_turn(event, html.CLOSE + said, pictures)

    def report(files: list[dict[str, Any]] | None, event: gr.EventData) -> str:
        return _report(analyser, event, received_all(files))

    outputs, sent = [answer, pictures], gr.File(file_count="multiple", visible=False)
    _answers(box.upload(classify, sent, answers, js=SENT_ALL, **_event(answers)), [answers])
    _answers(answers.click(open_cards, sent, outputs, js=SENT_ALL, **_event(answer)), outputs)
    box.clear(None, None, [answers], js=SAY, api_visibility="private")
    answers.clear(None, None, outputs, js=SAY, api_visibility="private")
    _save(box, report, sent, SENT_ALL)


def _part(value: str, script: str, name: str) -> gr.HTML:
    return gr.HTML(value, js_on_load=script, apply_default_css=False, elem_id=name)


def _report(analyser: Analyser, event: gr.EventData, uploads: list[Upload]) -> str:
    """The report of all that was sent, or of the cards that are open."""
    found, cards = found_in(uploads), (event._data or {}).get("cards")
    if cards:
        found = _of_cards(found, cards)
    return report_of(analyser.classifier, answer_all(analyser.looker(_crop(event)), found))


def _of_cards(found: Sequence[Found], numbers: Sequence[int]) -> list[Found]:
    return [found[int(one) % len(found)] for one in numbers[:MOST]]


def _save(box: gr.HTML, report: Callable[..., str], sent: gr.File, js: str) -> None:
    """The report of what was sent to a box, when it is asked for."""
    page = gr.Textbox(visible=False)
    settings = _event(box) | {"show_progress": "hidden"}
    event = box.submit(report, sent, page, js=js, **settings)
    event.success(None, page, None, js=SAVE_REPORT, api_visibility="private")
    event.failure(None, None, None, js=NO_REPORT, api_visibility="private")


def _of_turn(event: gr.EventData, *parts: str) -> Outputs:
    """The parts of an answer, marked with what they answer: script.js drops one that comes late."""
    turn = escape(str((event._data or {}).get("turn", "")))
    return tuple(f'<div data-turn="{turn}">{part}</div>' for part in parts)


def _crop(event: gr.EventData) -> bool | Crop:
    """Whether the visitor wants what lies around a scan cut off, or what is framed by hand."""
    wanted = (event._data or {}).get("crop", True)
    if not isinstance(wanted, dict):
        return bool(wanted)
    x, y, width, height = (int(wanted[side]) for side in ("x", "y", "width", "height"))
    return Crop(x, y, width, height)


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
