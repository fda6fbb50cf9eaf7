"""The page, as a visitor uses it: a real server, a real browser."""

from __future__ import annotations

import base64
import csv
import io
import re
import shutil
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from serve.app.bounds import MAX_BYTES
from serve.app.words import CLASSES, NO_MRI, NO_MRI_CAUSES
from tests.conftest import label_of
from tests.serve.app.page_speed import layout_shift

PHONE = {"width": 390, "height": 844}
SCAN_BOX = "#scan-box input[type=file]"
FILES_BOX = "#files-box input[type=file]"
LAYER = "#viewer .heat:visible"


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
    for _ in range(30):
        page.keyboard.press("Tab")
        if "Example: meningioma" in (page.evaluate("document.activeElement.ariaLabel") or ""):
            break
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Meningioma", exact=True).wait_for()
    chosen = page.get_by_role("radio", name="Meningioma")
    assert chosen.is_checked()
    chosen.focus()
    for key, label in (
        ("ArrowRight", "notumor"),
        ("ArrowRight", "pituitary"),
        ("ArrowLeft", "notumor"),
    ):
        page.keyboard.press(key)
        page.locator(layer_of(label)).wait_for()


def test_nothing_jumps_while_it_loads_and_answers(open_page):
    page = open_page()
    page.get_by_role("button", name="Example").first.click()
    page.locator("#viewer").wait_for()
    assert layout_shift(page) < 0.1


def test_class_and_opacity_ask_nothing_of_the_server(open_page):
    page = open_page()
    page.get_by_role("button", name="Example: glioma").last.click()
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
        page.get_by_role("radio", name=name, exact=True).check()
        page.locator(layer_of(label)).wait_for()
        assert page.locator(LAYER).count() == 1
        assert name.lower() in page.locator("#viewer .reading:visible").inner_text()
    assert [url for url in asked if not url.startswith("data:")] == []


def test_a_photograph_gets_no_class_but_advice(open_page, no_mri):
    page = open_page()
    send(page, no_mri)
    assert page.get_by_role("heading", name=NO_MRI).is_visible()
    shown = page.locator("#answer").inner_text()
    assert not any(name in shown for name in CLASSES.values())
    assert "%" not in shown
    assert all(cause in shown for cause in NO_MRI_CAUSES)
    assert not page.locator("#viewer").is_visible()
    assert page.get_by_role("img", name="The picture").is_visible()


def test_a_bad_file_gets_one_friendly_line(open_page, bad_files):
    page = open_page()
    for path, message in bad_files.values():
        send(page, path)
        said = page.get_by_role("alert").inner_text()
        assert said.splitlines()[-1].startswith(f"{path.name}: ")
        assert message in said
        assert "/" not in said
        assert "Traceback" not in said


def drop(page, files: list[tuple[str, bytes | int]], kind: str = "drop") -> None:
    """Drop files on the page, or paste them into it; of one that is a number, so many zeros."""
    page.evaluate(
        """([kind, files]) => {
          const data = new DataTransfer();
          for (const [name, content] of files) {
            const bytes = typeof content === "number" ? new Uint8Array(content)
              : Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
            data.items.add(new File([bytes], name));
          }
          const options = { bubbles: true, cancelable: true };
          document.body.dispatchEvent(kind === "paste"
            ? new ClipboardEvent(kind, { ...options, clipboardData: data })
            : new DragEvent(kind, { ...options, dataTransfer: data }));
        }""",
        [
            kind,
            [
                (name, one if isinstance(one, int) else base64.b64encode(one).decode())
                for name, one in files
            ],
        ],
    )


@pytest.mark.parametrize("way", ["drop", "paste", "click"])
@pytest.mark.parametrize("bad", ["words.jpg", "empty.jpg", "large.jpg", "two files", "photograph"])
def test_no_answer_stays_under_a_file_that_gets_none(
    open_page, scans, bad_files, no_mri, tmp_path, way, bad
):
    page = open_page()
    send(page, scans[0])
    page.locator(LAYER).wait_for()
    if bad == "large.jpg":
        files = [("large.jpg", MAX_BYTES + 1)]
    elif bad == "two files":
        files = [(scan.name, scan.read_bytes()) for scan in scans[:2]]
    else:
        path = no_mri if bad == "photograph" else bad_files[bad][0]
        files = [(path.name, path.read_bytes())]
    if way != "click":
        drop(page, files, way)
    elif bad == "two files":
        pytest.skip("the file chooser takes one")
    else:
        path, content = tmp_path / files[0][0], files[0][1]
        path.write_bytes(bytes(content))  # of a number, so many zeros
        page.set_input_files(SCAN_BOX, path)
    page.get_by_role("alert").wait_for()
    said = page.locator("#answer").inner_text()
    assert scans[0].name not in said
    assert CLASSES["glioma"] not in said
    assert not page.locator("#viewer").is_visible()
    look = ".answer.refused" if bad == "photograph" else ".answer.failed"
    assert page.locator(look).is_visible()


def test_a_late_answer_does_not_come_under_a_later_file(open_page, scans):
    page = open_page()
    send(page, scans[0])
    page.route("**/queue/data*", lambda route: (time.sleep(2), route.continue_()))
    drop(page, [(scans[3].name, scans[3].read_bytes())])
    page.locator("#answer", has_text="Looking at").wait_for()
    page.wait_for_timeout(500)
    drop(page, [(scan.name, scan.read_bytes()) for scan in scans[:2]])
    page.get_by_role("alert").wait_for()
    page.wait_for_timeout(5000)
    assert "These are 2 files" in page.locator("#answer").inner_text()
    assert not page.locator("#viewer").is_visible()
    page.unroute("**/queue/data*")
    send(page, scans[3])
    page.locator(LAYER).wait_for()


@pytest.mark.parametrize("first", [None, "Paste from the clipboard"])
def test_a_pasted_scan_is_classified(open_page, scans, first):
    page = open_page()
    if first:
        page.get_by_role("button", name=first).first.click()
    drop(page, [("pasted.jpg", scans[3].read_bytes())], "paste")
    page.locator(".answer", has_text="pasted.jpg").wait_for()
    assert page.locator(".answer h2").inner_text() == CLASSES[label_of(scans[3])]


def test_a_files_name_is_text_and_no_markup(open_page, scans, tmp_path):
    page = open_page()
    named = tmp_path / "<img src=x onerror=alert(1)>${1+1}{{value}}.jpg"
    shutil.copy(scans[0], named)
    page.set_input_files(SCAN_BOX, named)
    page.locator(".answer .file", has_text="onerror").wait_for()
    assert page.locator(".answer img").count() == 0
    assert "${" not in page.locator(".answer .file").inner_text().replace(named.name, "")


def test_too_many_files_clear_the_table_and_say_what_to_use(open_page, scans):
    page = open_page()
    page.get_by_role("tab", name="Several files").click()
    page.set_input_files(FILES_BOX, scans[:2])
    page.get_by_text("2 of 2 files answered").wait_for()
    drop(page, [(f"{number}.jpg", b"x") for number in range(201)])
    page.get_by_text("201 files are too many").wait_for()
    assert page.locator("#answers table").count() == 0
    assert "command line" in page.locator("#answers").inner_text()


def test_a_spreadsheet_runs_no_name(open_page, scans, tmp_path):
    page = open_page(accept_downloads=True)
    names = ["=cmd|calc!A1.jpg", "+1+1.jpg", "@SUM(1).jpg", "-2+3.jpg", "'quoted.jpg", "plain.jpg"]
    for name in names:
        shutil.copy(scans[0], tmp_path / name)
    page.get_by_role("tab", name="Several files").click()
    page.set_input_files(FILES_BOX, [tmp_path / name for name in names])
    page.get_by_text("6 of 6 files answered").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    table = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    cells = [row["file"] for row in table]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    assert [cell.removeprefix("'") for cell in cells] == names


def test_several_files(open_page, scans, bad_files, no_mri):
    page = open_page(accept_downloads=True)
    page.get_by_role("tab", name="Several files").click()
    empty = bad_files["empty.jpg"][0]
    page.set_input_files(FILES_BOX, [scans[0], empty, scans[3], no_mri, scans[7]])
    page.get_by_text("4 of 5 files answered").wait_for()
    page.get_by_text("The same as a table").click()
    rows = [row.inner_text() for row in page.locator(".files tbody tr").all()]
    assert [re.split(r"[\t\n]", row)[0] for row in rows] == [
        *(scans[0].name, empty.name, scans[3].name, no_mri.name, scans[7].name)
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
    titles = page.locator("[role=tabpanel]:visible h2").all_inner_texts()
    assert titles[:3] == ["What was measured", "Limits", "The data and its leakage"]
    assert titles[-4:] == ["The files", "The ONNX files", "Embed them", "Call it from a program"]
    contents = page.get_by_role("navigation", name="Contents")
    assert contents.get_by_role("link").all_inner_texts() == titles
    contents.get_by_role("link", name="Limits").click()
    page.wait_for_function(
        "() => Math.abs(document.getElementById('about-limits').getBoundingClientRect().top) < 60"
    )
    for picture in page.locator("[role=tabpanel]:visible img").all():
        picture.scroll_into_view_if_needed()
        picture.evaluate("picture => picture.decode()")
        assert picture.get_attribute("alt")
    with urlopen(page.url) as response:
        assert "/models/report" not in response.read().decode()


def test_no_tumour_shows_no_map_unless_asked(open_page):
    page = open_page()
    page.get_by_role("button", name="Example: no tumour").first.click()
    page.locator("#viewer").wait_for()
    assert page.locator(LAYER).count() == 0
    assert page.get_by_role("radio", name="No map").is_checked()
    said = page.locator(".answer .record").inner_text()
    assert re.search(r"\d+ of 100 tumours were overlooked", said)
    page.get_by_role("radio", name="Glioma").check()
    page.locator(layer_of("glioma")).wait_for()


def test_the_winner_comes_first_and_bold(open_page, scans):
    page = open_page()
    send(page, scans[3])
    shares = page.locator(".bars td:last-child").all_inner_texts()
    numbers = [float(re.sub(r"[^0-9.]", "", share)) for share in shares]
    assert numbers == sorted(numbers, reverse=True)
    weights = page.locator(".bars th").evaluate_all(
        "cells => cells.map((cell) => Number(getComputedStyle(cell).fontWeight))"
    )
    assert weights[0] >= 600 > max(weights[1:])


def test_the_scan_is_large(open_page, scans):
    page = open_page(viewport={"width": 1440, "height": 900})
    send(page, scans[3])
    for figure in page.locator("#viewer figure").all():
        assert figure.bounding_box()["width"] >= 450


def test_a_phone(open_page):
    page = open_page(viewport=PHONE, has_touch=True)
    assert page.get_by_text("never a diagnosis").first.is_visible()
    page.get_by_role("button", name="Example: meningioma").first.tap()
    page.locator(LAYER).wait_for()
    page.wait_for_timeout(1500)  # while it scrolls
    heading = page.locator(".answer h2").bounding_box()
    assert 0 <= heading["y"] < PHONE["height"] - 100
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, a, input, label, [role=tab]")]
          .filter((part) => part.checkVisibility() && part.getBoundingClientRect().width > 0)
          .map((part) => part.closest("label") ?? part)
          .filter((part) => Math.min(part.offsetWidth, part.offsetHeight) < 44)
          .map((part) => part.outerHTML.slice(0, 100))"""
    )
    assert small == []
    for tab in ("Several files", "About the model", "Classify a scan"):
        page.get_by_role("tab", name=tab).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_tables_scroll_inside_themselves(open_page):
    page = open_page(viewport=PHONE)
    page.get_by_role("tab", name="About the model").click()
    page.get_by_role("heading", name="What was measured").wait_for()
    widths = page.locator(".card td:visible").evaluate_all(
        "cells => cells.map((cell) => cell.offsetWidth)"
    )
    assert min(widths) >= 80


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
