"""The public demo: python space_app.py

Research and education only: not a medical device, never a diagnosis.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before Gradio is imported
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import gradio as gr

from ..artifacts import EXAMPLES, MODELS, TRAINED_ON_NAME, read_metrics
from ..classifier import ModelError
from ..formats.raster import InvalidImageError
from ..trained_on import read_trained_on
from . import html
from . import words as text
from .analysis import Analyser
from .endpoints import add_endpoints
from .uploads import MAX_BYTES, Upload, received, received_all, refuse_addresses

STYLE = Path(__file__).with_name("style.css")
SCRIPT = Path(__file__).with_name("script.js")

WAITING_CALLS = 40  # more are asked to come back later
SWEEP = (60, 600)  # seconds: how often files are looked at, how old they may get
SESSIONS = 200  # whose state is kept

# One decodes, one runs.
AT_ONCE: dict[str, Any] = {"concurrency_limit": 2, "concurrency_id": "model"}

Outputs: TypeAlias = tuple[Any, ...]  # of an event: what each of its components becomes

OPACITY = 0.6
SHOW_CLASS = "(label) => showClass(label)"
SET_OPACITY = "(opacity) => setOpacity(opacity)"
CLICKED_EXAMPLE = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-example]");
  if (button) trigger("click", { example: Number(button.dataset.example) });
});
"""


def main() -> None:
    """Serve the demo until it is stopped; what was uploaded goes with it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        analyser = Analyser()
    except ModelError as error:
        sys.exit(f"error: {error}")
    with TemporaryDirectory(prefix="uploads-") as folder:
        os.environ.setdefault("GRADIO_TEMP_DIR", folder)
        demo = build(analyser)
        demo.queue(
            max_size=WAITING_CALLS,
            default_concurrency_limit=AT_ONCE["concurrency_limit"],
            api_open=False,
        )
        demo.launch(
            share=False,
            max_file_size=MAX_BYTES,
            state_session_capacity=SESSIONS,
            footer_links=["api"],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            theme=_theme(),
            css_paths=STYLE,
            js=SCRIPT.read_text(encoding="utf-8"),
        )


def build(analyser: Analyser) -> gr.Blocks:
    """The page and its endpoints."""
    metrics = read_metrics()
    with gr.Blocks(
        title=text.TITLE, analytics_enabled=False, delete_cache=SWEEP, fill_width=True
    ) as demo:
        gr.HTML(html.HEADER, apply_default_css=False)
        with gr.Tab("Classify a scan"):
            _classify_tab(analyser, metrics)
        with gr.Tab("Several files"):
            _files_tab(analyser)
        with gr.Tab("About the model"):
            _about_tab()
        add_endpoints(analyser, AT_ONCE)
        demo.unload(_forget(demo))
    return demo


def _classify_tab(analyser: Analyser, metrics: dict[str, Any]) -> None:
    threshold = analyser.classifier.ood_threshold
    names = [(text.class_noun(label).capitalize(), label) for label in analyser.classifier.labels]
    files = sorted(EXAMPLES.glob("*.jpg"))
    refused = gr.State(None)
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            box = refuse_addresses(
                gr.Image(
                    label="Scan",
                    sources=["upload", "clipboard"],
                    buttons=[],
                    height=190,
                    elem_id="scan-box",
                    placeholder="Drop a scan here, paste it\nor click to choose a file",
                )
            )
            examples = gr.HTML(
                html.examples(files, [_class_of(file, analyser) for file in files], _learnt()),
                js_on_load=CLICKED_EXAMPLE,
                apply_default_css=False,
            )
        with gr.Column(scale=3, min_width=300):
            answer = gr.HTML(html.WAITING, elem_id="answer", apply_default_css=False)
            anyway = gr.Button("Analyse anyway", visible=False, elem_id="anyway")
            with gr.Column(visible=False, elem_id="evidence") as evidence:
                viewer = gr.HTML(elem_id="viewer", apply_default_css=False)
                shown = gr.Radio(names, label="Show the evidence for", elem_id="shown-class")
                opacity = gr.Slider(
                    0, 1, OPACITY, step=0.05, label="Opacity of the map", elem_id="opacity"
                )
    outputs = [box, answer, anyway, evidence, viewer, shown, refused]

    def answer_to(upload: Upload, anyway: bool = False) -> Outputs:
        """What all outputs become; a refused picture gets a class only where it is asked for."""
        try:
            found = analyser.analyse(upload.image(), upload.name)
        except InvalidImageError as error:
            return no_answer(html.error(str(error)))
        prediction = found.prediction
        if not (prediction.brain_mri or anyway):
            return no_answer(html.refusal(found, threshold), refused=upload)
        return (
            None,
            html.answer(prediction, analyser.classifier.track_record),
            gr.Button(visible=False),
            gr.Column(visible=True),
            html.viewer(found, metrics),
            prediction.label,
            None,
        )

    def no_answer(words: str, refused: Upload | None = None) -> Outputs:
        hidden = gr.Column(visible=False)
        return None, words, gr.Button(visible=refused is not None), hidden, "", None, refused

    def classify(file: dict[str, Any] | None) -> Outputs:
        return answer_to(received(file))

    def classify_example(click: gr.EventData) -> Outputs:
        file = files[int(click.example) % len(files)]
        return answer_to(Upload(file.name, file))

    def classify_anyway(upload: Upload | None) -> Outputs:
        if upload is None:
            raise gr.Error("Please send the picture again.", print_exception=False)
        return answer_to(upload, anyway=True)

    event = {"api_visibility": "private", "show_progress_on": answer, **AT_ONCE}
    box.upload(classify, box, outputs, preprocess=False, **event)
    examples.click(classify_example, None, outputs, **event)
    anyway.click(classify_anyway, refused, outputs, **event)
    shown.input(None, shown, js=SHOW_CLASS)
    opacity.change(None, opacity, js=SET_OPACITY)


def _files_tab(analyser: Analyser) -> None:
    labels = analyser.classifier.labels
    box = refuse_addresses(
        gr.File(label="Scans", file_count="multiple", height=190, elem_id="files-box")
    )
    answers = gr.HTML(html.WAITING_FOR_FILES, apply_default_css=False)

    def classify(
        files: list[dict[str, Any]] | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Outputs:
        found = analyser.predict_all(received_all(files), progress)
        return None, html.table(found, labels)

    box.upload(
        classify,
        box,
        [box, answers],
        preprocess=False,
        api_visibility="private",
        show_progress_on=answers,
        **AT_ONCE,
    )


def _about_tab() -> None:
    for part in text.model_card():
        if isinstance(part, str):
            gr.Markdown(part, elem_classes="card")
        else:
            words, file = part
            gr.Image(
                str(file),
                label=words,
                show_label=False,
                alt_text=words,
                buttons=[],
                interactive=False,
                elem_classes="card",
            )
    gr.Markdown(text.API, elem_classes="card")


def _forget(demo: gr.Blocks) -> Callable[[gr.Request], None]:
    """Drops what Gradio remembers of a visitor, the last answer's pictures too."""

    def forget(request: gr.Request) -> None:
        if request.session_hash:
            demo.state_holder.session_data.pop(request.session_hash, None)

    return forget


def _class_of(example: Path, analyser: Analyser) -> str:
    """The class that an example's name states: Te-gl_0010.jpg."""
    code = example.stem.split("-")[1][:2]
    return next(label for label in analyser.classifier.labels if label.startswith(code))


def _learnt() -> set[str]:
    """The names of the files that the model was trained or validated on, as far as it is said."""
    if not (MODELS / TRAINED_ON_NAME).is_file():
        return set()
    return {Path(row.file).name for row in read_trained_on() if row.side != "test"}


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
