"""The page that needs no server, built, served and visited by a browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from serve import BrainTumorClassifier
from serve.artifacts import EXAMPLES, MODELS
from serve.formats.raster import load_image
from serve.web.build import choose_model
from tests.conftest import ROOT, run

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")

WEB = ROOT / "serve" / "web"
SITE = WEB / "site"
PATIENCE = 120_000  # milliseconds
BOX = "#scan-box input[type=file]"
DATA_URL = """picture => {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: picture.naturalWidth, height: picture.naturalHeight });
  canvas.getContext("2d").drawImage(picture, 0, 0);
  return canvas.toDataURL();
}"""


@pytest.fixture(scope="session")
def scans() -> list[Path]:
    """The page's own examples."""
    return sorted(EXAMPLES.iterdir())


@dataclass
class Visit:
    """A loaded page, and what the browser did for it."""

    page: sync_api.Page
    address: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def answer(self, choose: Callable[[], None]) -> dict:
        """What the page answers to a picture; it must ask nobody else, and tell nobody."""
        self.requests.clear()
        self.page.evaluate("delete document.getElementById('answer').dataset.answer")
        choose()
        self.page.wait_for_selector("#answer[data-answer]", timeout=PATIENCE)
        assert all(request.startswith((self.address, "blob:")) for request in self.requests)
        assert self.complaints == []
        return json.loads(self.page.locator("#answer").get_attribute("data-answer"))

    def example(self, name: str) -> dict:
        return self.answer(self.page.locator(f"[data-name='{name}']").click)

    def file(self, *paths: Path) -> dict:
        return self.answer(lambda: self.page.set_input_files(BOX, paths))

    def said(self) -> str:
        return self.page.locator("#answer").inner_text()


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


def note(said: str, complaints: list[str]) -> None:
    if "blocked by Playwright" not in said:
        complaints.append(said)


def visit(browser: sync_api.Browser, address: str, **settings) -> Visit:
    context = browser.new_context(**settings)
    result = Visit(context.new_page(), re.match(r"\w+://[^/]+/", address)[0])
    context.on("request", lambda request: result.requests.append(request.url))
    result.page.on("console", lambda message: note(message.text, result.complaints))
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
    assert f"{address}model.onnx.gz" in result.requests
    return result


@pytest.fixture(scope="module")
def classifier(address) -> BrainTumorClassifier:
    return BrainTumorClassifier(choose_model(MODELS), device="cpu")


def explain(classifier: BrainTumorClassifier, picture: Path):
    """Python's answer where, as in the browser, the graph resizes the picture."""
    answers, maps = classifier.explain_pixels([np.asarray(load_image(picture))], [picture.name])
    return answers[0], dict(zip(classifier.labels, maps[0], strict=True))
