"""The page, as a visitor uses it: a real server, a real browser."""

from __future__ import annotations

import csv
import io
import re
import shutil
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

from serve.app.words import CLASSES, NO_MRI
from tests.conftest import label_of

PHONE = {"width": 390, "height": 844}
SCAN_BOX = "#scan-box input[type=file]"
FILES_BOX = "#files-box input[type=file]"
LAYER = "#viewer .heat:visible"


@pytest.fixture(scope="module")
def photograph(tmp_path_factory) -> Path:
    """A meadow under a sky, with noise as a camera adds it."""
    y, x = np.mgrid[0:300, 0:400] / 300
    sky = np.stack([90 + 100 * y, 150 + 60 * y, 235 - 20 * y], axis=-1)
    meadow = np.stack([60 + 40 * np.sin(60 * x), 130 + 30 * np.cos(45 * x * y), 40 + 0 * x], -1)
    pixels = np.where((y > 0.55 + 0.05 * np.sin(7 * x))[..., None], meadow, sky)
    pixels += np.random.default_rng(0).normal(0, 6, pixels.shape)
    path = tmp_path_factory.mktemp("photograph") / "meadow.jpg"
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return path


def send(page, file: Path) -> None:
    """Upload a file and wait for what is said of it."""
    page.set_input_files(SCAN_BOX, file)
    page.locator("#answer section", has_text=file.name).wait_for()


def layer_of(label: str) -> str:
    """The map of a class, while it is shown."""
    return f"{LAYER}[data-class={label}]"


def test_every_scan_gets_its_class(open_page, scans):
    page = open_page()
    for scan in scans:
        send(page, scan)
        assert page.locator(".answer h2").inner_text() == CLASSES[label_of(scan)]
        said = page.locator(".answer").inner_text()
        assert re.search(r"\d% confidence", said.replace("\u00a0", ""))
        assert re.search(r"\d+ in 100 were right on patients that this model had never seen", said)
        assert page.locator(".bars tbody tr").count() == 4


def test_examples_by_keyboard_alone(open_page):
    page = open_page()
    page.get_by_role("tab", name="Classify a scan").focus()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.example") == "2":
            break
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Meningioma", exact=True).wait_for()
    chosen = page.get_by_role("radio", name="Meningioma")
    assert chosen.is_checked()
    chosen.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.locator(layer_of("notumor")).wait_for()
    for key, label in (
        ("ArrowRight", "pituitary"),
        ("ArrowDown", "glioma"),
        ("ArrowLeft", "pituitary"),
    ):
        page.keyboard.press(key)
        page.locator(layer_of(label)).wait_for()


def test_class_and_opacity_ask_nothing_of_the_server(open_page):
    page = open_page()
    page.get_by_role("button", name="Example: glioma").first.click()
    layer = page.locator(LAYER)
    layer.wait_for()
    assert layer.get_attribute("data-class") == "glioma"
    page.wait_for_timeout(1000)  # let the answer's own requests end
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    slider = page.get_by_role("slider", name="Opacity of the map")
    before = layer.evaluate("layer => getComputedStyle(layer).opacity")
    slider.focus()
    page.keyboard.press("Home")
    page.wait_for_function(
        "layer => getComputedStyle(layer).opacity === '0'", arg=layer.element_handle()
    )
    assert float(before) > 0.1
    for label, name in (("pituitary", "Pituitary tumour"), ("notumor", "No tumour")):
        page.get_by_role("radio", name=name).check()
        page.locator(layer_of(label)).wait_for()
        assert page.locator(LAYER).count() == 1
        assert name.lower() in page.locator("#viewer .reading:visible").inner_text()
    assert [url for url in asked if not url.startswith("data:")] == []


def test_a_photograph_is_refused_until_asked_for_anyway(open_page, photograph):
    page = open_page()
    send(page, photograph)
    assert page.get_by_role("heading", name=NO_MRI).is_visible()
    shown = page.locator("#answer").inner_text()
    assert not any(name in shown for name in CLASSES.values())
    assert not page.locator("#evidence").is_visible()
    page.get_by_role("button", name="Analyse anyway").click()
    page.locator(LAYER).wait_for()
    heading = page.locator(".answer h2").inner_text()
    assert heading in CLASSES.values() or heading.startswith("Unsure: ")
    assert NO_MRI in page.locator(".answer .warning").inner_text()
    assert "right on patients" not in page.locator(".answer").inner_text()
    page.get_by_role("button", name="Analyse anyway").wait_for(state="hidden")


def test_a_bad_file_gets_one_friendly_line(open_page, bad_files):
    page = open_page()
    for path, message in bad_files.values():
        send(page, path)
        said = page.get_by_role("alert").inner_text()
        assert said.splitlines()[-1].startswith(f"{path.name}: ")
        assert message in said
        assert "/" not in said
        assert "Traceback" not in said


def test_too_large_a_file_is_refused(open_page, scans, tmp_path):
    page = open_page()
    large = tmp_path / "large.jpg"
    large.write_bytes(scans[0].read_bytes() + bytes(11 * 2**20))
    page.set_input_files(SCAN_BOX, large)
    page.get_by_text("exceed the maximum allowed size").wait_for()


def test_a_pasted_scan_is_classified(open_page):
    page = open_page()
    page.evaluate(
        """async () => {
          const example = document.querySelector("[data-example='2'] img").src;
          const scan = await (await fetch(example)).blob();
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([scan], "pasted.webp", { type: "image/webp" }));
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
        }"""
    )
    page.locator(".answer", has_text="pasted.webp").wait_for()
    assert page.locator(".answer h2").inner_text() == CLASSES["meningioma"]


def test_a_files_name_is_text_and_no_markup(open_page, scans, tmp_path):
    page = open_page()
    named = tmp_path / "<img src=x onerror=alert(1)>${1+1}{{value}}.jpg"
    shutil.copy(scans[0], named)
    page.set_input_files(SCAN_BOX, named)
    page.locator(".answer .file", has_text="onerror").wait_for()
    assert page.locator(".answer img").count() == 0
    assert "${" not in page.locator(".answer .file").inner_text().replace(named.name, "")


def test_several_files(open_page, scans, bad_files, photograph):
    page = open_page(accept_downloads=True)
    page.get_by_role("tab", name="Several files").click()
    empty = bad_files["empty.jpg"][0]
    page.set_input_files(FILES_BOX, [scans[0], empty, scans[3], photograph, scans[7]])
    page.get_by_text("4 of 5 files answered").wait_for()
    rows = [row.inner_text() for row in page.locator(".files tbody tr").all()]
    assert [row.split("\t")[0] for row in rows] == [
        *(scans[0].name, empty.name, scans[3].name, photograph.name, scans[7].name)
    ]
    assert CLASSES[label_of(scans[3])] in rows[2]
    assert "the file is empty" in rows[1]
    assert "does not look like a brain MRI" in rows[3]
    assert "%" not in rows[3]
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    table = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    assert [row["class"] for row in table] == ["glioma", "", "meningioma", "", "pituitary"]
    assert table[1]["note"] == "the file is empty"
    assert table[3]["confidence"] == table[3]["glioma"] == ""
    shares = [float(table[0][label]) for label in CLASSES]
    assert sum(shares) == pytest.approx(1, abs=1e-4)
    assert max(shares) == pytest.approx(float(table[0]["confidence"]))


def test_about_the_model(open_page):
    page = open_page()
    page.get_by_role("tab", name="About the model").click()
    page.get_by_role("heading", name="What was measured").wait_for()
    assert page.get_by_role("heading", name="Limits").is_visible()
    assert page.get_by_role("heading", name="Call it from a program").is_visible()
    for picture in page.locator("[role=tabpanel]:visible img").all():
        picture.scroll_into_view_if_needed()
        picture.evaluate("picture => picture.decode()")
        assert picture.get_attribute("alt")
    with urlopen(page.url) as response:
        assert "/models/report" not in response.read().decode()


def test_phone_width_has_no_sideways_scroll(open_page):
    page = open_page(viewport=PHONE)
    assert page.get_by_text("never a diagnosis").first.is_visible()
    page.get_by_role("button", name="Example: no tumour").first.click()
    page.locator(LAYER).wait_for()
    for tab in ("Several files", "About the model", "Classify a scan"):
        page.get_by_role("tab", name=tab).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(open_page, scheme):
    page = open_page(color_scheme=scheme)
    background = brightness(page, "body", "backgroundColor")
    assert background > 0.9 if scheme == "light" else background < 0.15
    for part in (".title h1", ".title p", ".disclaimer", ".waiting", ".examples span"):
        ink = brightness(page, part, "color")
        lighter, darker = max(ink, background), min(ink, background)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, part  # WCAG 2.2, 1.4.3


def test_screen_readers_get_names(open_page):
    page = open_page()
    page.get_by_role("button", name="Example: pituitary tumour").first.click()
    page.locator(LAYER).wait_for()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("main button, main input, main img")]
          .filter((part) => part.checkVisibility())
          .filter((part) => part.tagName === "IMG"
            ? !part.hasAttribute("alt")
            : !(part.ariaLabel || part.title || part.innerText?.trim()
                || part.labels?.[0]?.innerText.trim()))
          .map((part) => part.outerHTML.slice(0, 200))"""
    )
    assert nameless == []


def brightness(page, part: str, style: str) -> float:
    """Relative luminance of a colour of the page (WCAG 2.2)."""
    colour = page.locator(part).first.evaluate(f"part => getComputedStyle(part).{style}")
    channels = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
