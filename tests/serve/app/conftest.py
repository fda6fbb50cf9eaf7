"""The demo, started once for all of these tests."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="needs gradio")

from tests.serve.app.server import running_app


@pytest.fixture(scope="session")
def app():
    with running_app("--no-keras") as running:
        yield running


@pytest.fixture
def open_page(app, browser):
    """Opens the demo; afterwards no page may have erred or asked any other host."""
    pages, wrong = [], []

    def open_one(**settings):
        page = browser.new_page(**settings)
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.on("request", lambda request: _note_foreign(request.url, app.url, wrong))
        page.goto(app.url)
        page.get_by_role("button", name="Example").first.wait_for()
        page.locator("#scan-box input[type=file]").wait_for(state="attached")
        page.wait_for_function("() => Boolean(window.showClass)")  # the script has run
        pages.append(page)
        return page

    yield open_one
    for page in pages:
        page.close()
    assert wrong == []


@pytest.fixture(scope="session")
def bad_files(tmp_path_factory) -> dict[str, tuple[Path, str]]:
    """Files that are no picture, and what must be said of them."""
    folder = tmp_path_factory.mktemp("bad")
    contents = {
        "empty.jpg": (b"", "the file is empty"),
        "words.jpg": (b"these are words", "not a picture in a format that is read here"),
        "huge.png": (png_of_zeros(20_000, 10_000), "over the limit of"),
    }
    for name, (content, _) in contents.items():
        (folder / name).write_bytes(content)
    return {name: (folder / name, message) for name, (_, message) in contents.items()}


@pytest.fixture(scope="session")
def no_mri(tmp_path_factory) -> Path:
    """A meadow under a sky, with noise as a camera adds it."""
    y, x = np.mgrid[0:300, 0:400] / 300
    sky = np.stack([90 + 100 * y, 150 + 60 * y, 235 - 20 * y], axis=-1)
    meadow = np.stack([60 + 40 * np.sin(60 * x), 130 + 30 * np.cos(45 * x * y), 40 + 0 * x], -1)
    pixels = np.where((y > 0.55 + 0.05 * np.sin(7 * x))[..., None], meadow, sky)
    pixels += np.random.default_rng(0).normal(0, 6, pixels.shape)
    path = tmp_path_factory.mktemp("no_mri") / "meadow.jpg"
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return path


def png_of_zeros(width: int, height: int) -> bytes:
    """A black 1-bit PNG, made without holding its pixels."""
    packed = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    data = b"".join(packed.compress(row) for _ in range(height)) + packed.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def _note_foreign(address: str, ours: str, wrong: list[str]) -> None:
    if not address.startswith((ours, "data:", "blob:")):
        wrong.append(f"asked {address}")
