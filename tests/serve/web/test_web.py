"""The page that classifies in the browser, as it is built and served, in a real browser."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serve import BrainTumorClassifier
from serve.artifacts import EXAMPLES, INT8_NAME, ONNX_NAME
from serve.command import UserError
from serve.formats.raster import load_image
from serve.names import INTENDED_USE
from serve.overlay import INFERNO, heat_layer
from serve.runtime import ort
from serve.web.build import choose_model
from tests.conftest import ROOT, label_of, run
from tests.serve.crop_pictures import bordered

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")

WEB = ROOT / "serve" / "web"
SITE = WEB / "site"
PATIENCE = 120_000  # milliseconds
BUTTONS = {
    "Tr-gl_1133.jpg": "Glioma 2",
    "Te-gl_0261.jpg": "Glioma 3",
    "Tr-gl_0044.jpg": "Glioma 1",
    "Tr-me_0089.jpg": "Meningioma 1",
    "Tr-me_0269.jpg": "Meningioma 2",
    "Tr-me_0314.jpg": "Meningioma 3",
    "Tr-no_0745.jpg": "No tumour 1",
    "Tr-no_0773.jpg": "No tumour 2",
    "Tr-pi_0210.jpg": "Pituitary 1",
    "Tr-pi_0345.jpg": "Pituitary 2",
}
PLAIN_WORDS = {
    "glioma": "Glioma",
    "meningioma": "Meningioma",
    "notumor": "No tumour",
    "pituitary": "Pituitary tumour",
}

pytestmark = [
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node.js and npm"),
]


@pytest.fixture(scope="session")
def scans() -> list[Path]:
    """The page's own examples."""
    return sorted(EXAMPLES.iterdir())


@dataclass
class Visit:
    """A loaded page, and what the browser did for it."""

    page: sync_api.Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def answer(self, choose: Callable[[], None]) -> dict:
        """What the page answers to a picture; it must neither ask nor tell anyone."""
        self.requests.clear()
        choose()
        self.page.wait_for_selector("#answer[data-answer]", timeout=PATIENCE)
        assert self.requests == []
        assert self.complaints == []
        return json.loads(self.page.locator("#answer").get_attribute("data-answer"))

    def example(self, name: str) -> dict:
        return self.answer(self.page.get_by_role("button", name=BUTTONS[name]).click)

    def file(self, *paths: Path) -> dict:
        return self.answer(lambda: self.page.get_by_label("Choose a file").set_input_files(paths))


@contextmanager
def served(*command: str | Path) -> Iterator[str]:
    """The address that a server prints."""
    server = subprocess.Popen(
        [sys.executable, "-u", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline()).group()
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def visit(browser: sync_api.Browser, address: str, **settings) -> Visit:
    context = browser.new_context(**settings)
    result = Visit(context.new_page())
    context.on("request", lambda request: result.requests.append(request.url))
    result.page.on("console", lambda message: result.complaints.append(message.text))
    result.page.on("pageerror", lambda error: result.complaints.append(str(error)))
    result.page.goto(address)
    result.page.wait_for_selector("body[data-ready]", timeout=PATIENCE)
    return result


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    done = run("serve/web/build.py")
    assert done.returncode == 0, done.stderr
    with served(WEB / "server.py", "--port", "0") as address:
        yield address


@pytest.fixture(scope="module")
def visited(browser, address) -> Visit:
    result = visit(browser, address)
    assert all(request.startswith(address) for request in result.requests)
    assert f"{address}model.onnx" in result.requests
    return result


@pytest.fixture(scope="module")
def classifier(address) -> BrainTumorClassifier:
    return BrainTumorClassifier(SITE / "model.onnx", device="cpu")


def explain(classifier: BrainTumorClassifier, picture: Path):
    """Python's answer where, as in the browser, the graph resizes the picture."""
    answers, maps = classifier.explain_pixels([np.asarray(load_image(picture))], [picture.name])
    return answers[0], dict(zip(classifier.labels, maps[0], strict=True))


def test_examples_are_answered_as_in_python(visited, classifier, scans):
    for scan in scans:
        answer = visited.example(scan.name)
        expected, _ = explain(classifier, scan)
        assert answer["label"] == expected.label
        probabilities = list(expected.probabilities.values())
        # the decoders of Chromium and Pillow differ by a grey level
        assert answer["probabilities"] == pytest.approx(probabilities, abs=1e-2)
        assert answer["oodScore"] == pytest.approx(expected.ood_score, rel=1e-2)
        shown = visited.page.locator("#answer-card").inner_text()
        assert PLAIN_WORDS[expected.label] in shown
        assert f"{max(answer['probabilities']):.1%}".replace("%", "\u00a0% confidence") in shown
        assert f"answered in {answer['seconds']:.1f} s" in shown
        assert visited.page.locator("#bars li").count() == 4


def test_a_file_is_answered_as_its_example(visited, scans):
    answer = visited.file(scans[2])
    assert answer["probabilities"] == visited.example(scans[2].name)["probabilities"]


def test_a_border_is_cut_off_as_in_python(visited, classifier, scans, tmp_path):
    scan = Image.open(scans[2]).convert("RGB").resize((400, 400))
    page = bordered(scan, 0.6, "white", True, np.random.default_rng(0))
    page.save(tmp_path / "page.png")
    answer = visited.file(tmp_path / "page.png")
    expected = classifier.predict(tmp_path / "page.png")
    assert answer["label"] == expected.label
    assert answer["probabilities"] == pytest.approx([*expected.probabilities.values()], abs=5e-2)
    assert answer["crop"] == asdict(expected.crop) | {"padding": list(expected.crop.padding)}
    assert "within the frame" in visited.page.locator("#answer-card").inner_text()
    canvas = "id => { const c = document.getElementById(id);"
    canvas += " return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]; }"
    side = visited.page.evaluate("document.getElementById('heat').width")
    heat = np.array(visited.page.evaluate(canvas, "heat")).reshape(side, side, 4)[..., 3]
    start = round(expected.crop.x * side / page.width)
    assert heat.max() > 200
    assert not heat[:, : start - 1].any()
    assert visited.example(scans[0].name)["crop"] is None


def test_a_picture_that_is_no_scan_is_refused(visited, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    assert visited.file(tmp_path / "noise.png")["label"] is None
    shown = visited.page.locator("#answer-card").inner_text()
    assert "does not look like a brain MRI" in shown
    assert not any(words in shown for words in PLAIN_WORDS.values())
    assert visited.page.get_by_role("slider").count() == 0


def test_colours_keep_their_order_and_transparent_pixels_are_black(
    visited, classifier, scans, tmp_path
):
    grey = Image.open(scans[3]).convert("L")
    black, alpha = Image.new("L", grey.size), Image.linear_gradient("L").resize(grey.size)
    Image.merge("RGBA", (grey, black, black, alpha)).save(tmp_path / "red.png")
    pixels = np.asarray(load_image(tmp_path / "red.png"))
    session = ort.InferenceSession(SITE / classifier.model, providers=["CPUExecutionProvider"])
    probabilities, (score,) = session.run(["probabilities", "ood_score"], {"image": pixels[None]})
    answer = visited.file(tmp_path / "red.png")
    # red and blue exchanged, an opaque or a white ground differ by 0.17 and more
    assert answer["probabilities"] == pytest.approx(probabilities[0].tolist(), abs=5e-2)
    assert answer["oodScore"] == pytest.approx(score, rel=2e-2)


def test_a_file_that_is_no_picture_is_named(visited, tmp_path):
    (tmp_path / "words.jpg").write_text("these are words", encoding="utf-8")
    visited.page.get_by_label("Choose a file").set_input_files(tmp_path / "words.jpg")
    message = visited.page.get_by_text("words.jpg: not a picture that this browser can read")
    message.wait_for()
    assert visited.example("Tr-gl_0044.jpg")["label"] == "glioma"


def test_drag_and_drop(visited, scans):
    content = base64.b64encode(scans[6].read_bytes()).decode()
    drop = """content => {
        const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([bytes], "dropped.jpg"));
        const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
        document.getElementById("drop").dispatchEvent(event);
    }"""
    answer = visited.answer(lambda: visited.page.evaluate(drop, content))
    assert answer["label"] == label_of(scans[6])
    assert "dropped.jpg" in visited.page.get_by_role("status").inner_text()


def test_the_last_picture_chosen_is_the_one_answered(visited):
    visited.page.get_by_role("button", name="Glioma 1").click()
    assert visited.example("Tr-no_0745.jpg")["label"] == "notumor"
    visited.page.wait_for_timeout(500)
    assert "No tumour 1" in visited.page.get_by_role("status").inner_text()


def test_maps_are_drawn_as_in_python(visited, classifier, scans):
    scan = scans[0]
    visited.example(scan.name)
    _, maps = explain(classifier, scan)
    colours = np.asarray(heat_layer(np.linspace(0, 1, 256)[None], (256, 1)), int)[0]
    for label in classifier.labels:
        visited.page.get_by_text(PLAIN_WORDS[label], exact=True).last.click()
        assert visited.page.get_by_role("radio", name=PLAIN_WORDS[label]).is_checked()
        url = visited.page.evaluate("document.getElementById('heat').toDataURL()")
        image = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))
        drawn = np.asarray(image.convert("RGBA"), int)
        heat = drawn[..., 3]
        expected = np.asarray(heat_layer(maps[label], image.size), int)[..., 3]
        assert np.abs(heat - expected).mean() < 4  # bilinear here, bicubic there
        assert np.abs(heat - expected).max() < 64
        hot = heat > 128  # colours of clearer pixels are stored coarsely
        assert hot.any() == maps[label].any()
        assert np.abs(drawn - colours[heat])[hot].max(initial=0) <= 3
    assert INFERNO.split() == re.findall(
        r"\b[0-9a-f]{6}\b", (SITE / "heat.js").read_text(encoding="utf-8")
    )


def test_the_slider_sets_the_opacity_of_the_map(visited):
    visited.example("Tr-gl_0044.jpg")
    slider = visited.page.get_by_role("slider", name="Opacity of the map")
    for value, opacity in (("25", "0.25"), ("60", "0.6")):
        slider.fill(value)
        assert visited.page.locator("#heat").evaluate("e => getComputedStyle(e).opacity") == opacity


def test_the_page_stays_alive_while_the_model_runs(visited):
    visited.page.evaluate("ticks = 0; ticking = setInterval(() => ticks++, 20)")
    visited.page.evaluate("ticks = 0")
    visited.example("Tr-me_0314.jpg")
    assert visited.page.evaluate("clearInterval(ticking); ticks") >= 5


def test_what_the_page_says_of_itself(visited, classifier):
    disclaimer = visited.page.locator("body > :first-child")
    assert disclaimer.inner_text() == INTENDED_USE
    assert "your scan never leaves this machine" in visited.page.locator("header").inner_text()
    about = visited.page.locator("#about").inner_text()
    for name in ("model_version", "precision", "license"):
        assert classifier.metadata[name] in about
    assert classifier.metadata["source_sha256"][:12] in about


def test_it_runs_without_isolation_on_one_thread(browser, address, scans):
    """Any static host will do; the browser itself keeps the page from asking other sites."""
    command = ("-m", "http.server", "--bind", "127.0.0.1", "--directory", SITE, "0")
    with served(*command) as elsewhere:
        there = visit(browser, elsewhere)
        assert "on 1 thread of this machine" in there.page.locator("#about").inner_text()
        assert there.example(scans[4].name)["label"] == label_of(scans[4])
        fetch = "url => fetch(url, { mode: 'no-cors' }).then(() => 'sent', () => 'refused')"
        assert there.page.evaluate(fetch, elsewhere) == "sent"
        assert there.page.evaluate(fetch, address) == "refused"


def test_isolation_gives_threads(visited):
    assert visited.page.evaluate("crossOriginIsolated")
    cores = visited.page.evaluate("Math.min(navigator.hardwareConcurrency, 8)")
    assert f"on {cores} thread" in visited.page.locator("#about").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_width_and_colour_scheme(browser, address, scans, scheme):
    phone = visit(browser, address, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    phone.example(scans[0].name)
    assert phone.page.evaluate("document.documentElement.scrollWidth") == 360
    colour = phone.page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", colour))) / 3
    assert (brightness > 128) == (scheme == "light")
    phone.page.context.close()


def test_int8_is_preferred(tmp_path):
    with pytest.raises(UserError, match="neither"):
        choose_model(tmp_path)
    for name in (ONNX_NAME, INT8_NAME):
        (tmp_path / name).touch()
        assert choose_model(tmp_path).name == name


def test_mistakes_are_one_line(address):
    port = address.split(":")[-1].strip("/")
    for done, message in (
        (run("serve/web/server.py", "--port", port), f"cannot listen on port {port}"),
        (run("serve/web/build.py", env={"PATH": ""}), "npm is not installed"),
    ):
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1
