"""The scan and its maps: looked at closely, turned page by page, saved."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image, ImageSequence

from serve.app.words import CLASSES
from serve.overlay import overlay
from tests.conftest import SHARED, label_of
from tests.serve.app.test_page import LAYER, SCAN_BOX, send

VOLUME = SHARED / "data" / "volumes" / "gbm_01_t1.nii.gz"
SIZES = {"desktop": (1440, 900), "tablet": (820, 1180), "phone": (390, 844)}


@pytest.fixture(scope="session")
def stack(scans, tmp_path_factory):
    """The example scans as the pages of one file: two of each class."""
    pages = [Image.open(scan).convert("L") for scan in scans]
    path = tmp_path_factory.mktemp("stack") / "stack.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    assert len(list(ImageSequence.Iterator(Image.open(path)))) == len(scans)
    return path


def look(page) -> dict:
    """How the scan is looked at."""
    return page.locator("#viewer .layers").first.evaluate(
        """layers => {
          const { a, e, f } = new DOMMatrix(getComputedStyle(layers).transform);
          return { zoom: a, x: e, y: f };
        }"""
    )


@pytest.mark.parametrize("size", SIZES)
def test_a_stack_is_turned_page_by_page(open_page, stack, scans, size):
    width, height = SIZES[size]
    page = open_page(viewport={"width": width, "height": height})
    page.set_input_files(SCAN_BOX, stack)
    slider = page.get_by_role("slider", name="Slice")
    slider.wait_for()
    said = page.locator("#answer").inner_text()
    assert "Tumour suspected" in said
    assert "stack, 8 slices" in said
    assert page.locator("#viewer .suspicion rect").count() == len(scans)
    slider.focus()
    page.keyboard.press("Home")
    pictures = set()
    for number, scan in enumerate(scans):
        says = page.locator("#viewer .says").inner_text()
        assert says.startswith(f"Slice {number}: {CLASSES[label_of(scan)]}, ")
        assert slider.get_attribute("aria-valuetext") == says
        pictures.add(page.locator("#viewer .scan").first.get_attribute("src"))
        page.keyboard.press("ArrowRight")
    assert len(pictures) == len(scans)
    thumbnails = page.get_by_role("group", name="Most suspicious slices").get_by_role("button")
    assert thumbnails.count() == 3
    thumbnails.nth(1).click()
    number = re.search(r"Slice (\d+)", thumbnails.nth(1).inner_text())[1]
    assert page.locator("#viewer .says").inner_text().startswith(f"Slice {number}: ")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.skipif(not VOLUME.is_file(), reason="needs the volumes in ../shared/data")
def test_a_volume(open_page):
    page = open_page()
    page.set_input_files(SCAN_BOX, VOLUME)
    page.locator("#viewer .slices").wait_for()
    said = page.locator("#answer").inner_text()
    assert "NIfTI volume, 20 slices" in said
    assert "4 slices left out: without enough brain" in said
    assert "no probability of disease" in said


def test_zoom_and_pan_by_mouse_and_by_keyboard(open_page, scans):
    page = open_page()
    send(page, scans[3])
    view = page.locator("#viewer .view").first
    page.get_by_role("button", name="Zoom in").click()
    assert look(page)["zoom"] == pytest.approx(1.5)
    before = look(page)
    view.scroll_into_view_if_needed()
    box = view.bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 230, box["y"] + 210, steps=3)
    page.mouse.up()
    after = look(page)
    assert after["x"] - before["x"] == pytest.approx(30, abs=1)
    assert after["y"] - before["y"] == pytest.approx(10, abs=1)
    view.focus()
    page.keyboard.press("ArrowRight")
    assert look(page)["x"] < after["x"]
    page.keyboard.press("+")
    assert look(page)["zoom"] == pytest.approx(2.25)
    both = page.locator("#viewer .layers").evaluate_all(
        "parts => parts.map((part) => getComputedStyle(part).transform)"
    )
    assert len(set(both)) == 1
    page.get_by_role("button", name="Reset").click()
    assert look(page) == {"zoom": 1, "x": 0, "y": 0}


def test_one_over_the_other_with_a_line_between(open_page, scans):
    page = open_page()
    send(page, scans[3])
    page.get_by_role("radio", name="One over the other").focus()
    page.keyboard.press("Space")
    assert page.locator("#viewer .view:visible").count() == 1
    heat, view = page.locator(LAYER), page.locator("#viewer .view:visible")
    view.scroll_into_view_if_needed()
    slider = page.get_by_role("slider", name="Scan left of the line, map right of it")
    slider.focus()
    page.keyboard.press("Home")
    everything, lit = _seen_of(view), heat.evaluate("heat => getComputedStyle(heat).clipPath")
    assert lit.startswith("inset(0")
    page.keyboard.press("End")
    assert slider.get_attribute("aria-valuetext") == "at 100 percent of the picture"
    plain = _seen_of(view)
    slider.fill("50")
    half = _seen_of(view)
    middle = plain.shape[1] // 2
    assert np.abs(half - plain)[:, : middle - 3].max() == 0
    assert np.abs(half - everything)[:, middle + 3 : -3].max() == 0
    assert np.abs(everything - plain)[:, 3:-3].max() > 50
    page.get_by_role("button", name="Zoom in").click()
    slider.focus()
    page.keyboard.press("End")
    lit = _seen_of(view)
    page.get_by_role("radio", name="No map").check()
    assert np.abs(_seen_of(view) - lit)[:, :-3].max() == 0
    send(page, scans[0])
    assert page.locator("#viewer .view:visible").count() == 1  # it stays as it was chosen
    page.get_by_role("radio", name="Side by side").check()
    assert page.locator("#viewer .view:visible").count() == 2


def _seen_of(view) -> np.ndarray:
    """A picture of the page's part, int (H, W, 3)."""
    view.page.wait_for_timeout(100)
    return np.asarray(Image.open(io.BytesIO(view.screenshot())).convert("RGB"), int)


def test_brightness_and_contrast_by_drag_and_in_the_saved_picture(open_page, scans, tmp_path):
    page = open_page(accept_downloads=True)
    send(page, scans[3])
    page.get_by_role("button", name="Drag for brightness").click()
    view = page.locator("#viewer .view").first
    view.scroll_into_view_if_needed()
    box = view.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 150, steps=4)
    page.mouse.up()
    assert float(page.get_by_role("slider", name="Contrast").input_value()) > 10
    assert float(page.get_by_role("slider", name="Brightness").input_value()) > 5
    assert look(page)["x"] == 0
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("radio", name="No map").check()
    saved = []
    for contrast in ("0", "100"):
        page.get_by_role("slider", name="Contrast").fill(contrast)
        saved.append(_saved(page, tmp_path))
    plain, strong = (
        np.asarray(one.convert("L"), int)[: Image.open(scans[3]).height] for one in saved
    )
    expected = np.clip(4 * (plain - 127.5) + 127.5, 0, 255)
    assert np.abs(strong - expected).mean() < 4


def test_the_saved_picture_is_what_is_shown(open_page, app, scans, tmp_path):
    from serve import BrainTumorClassifier

    page = open_page(accept_downloads=True)
    send(page, scans[3])
    page.locator(LAYER).wait_for()
    saved = _saved(page, tmp_path)
    scan = Image.open(scans[3]).convert("RGB")
    maps = BrainTumorClassifier().explain(scans[3]).maps
    expected = np.asarray(overlay(scan, maps[label_of(scans[3])]), int)
    drawn = np.asarray(saved.convert("RGB"), int)[: scan.height]
    assert saved.height > scan.height  # what it may be used for stands below it
    assert np.abs(drawn - expected).mean() < 4


def test_the_report_of_a_scan_of_an_example_and_of_a_stack(open_page, scans, stack):
    page = open_page(accept_downloads=True)
    for choose, words in (
        (lambda: send(page, scans[0]), (scans[0].name, "Glioma", "never a diagnosis")),
        (lambda: _take_example(page), ("Tr-", "Pituitary tumour", "data:image/jpeg")),
        (lambda: _take_stack(page, stack), ("stack.tif", "A series of slices", "any tumour")),
    ):
        choose()
        with page.expect_download() as download:
            page.get_by_role("button", name="Save the report").click()
        assert download.value.suggested_filename == "report.html"
        report = download.value.path().read_text("utf-8")
        assert all(word in report for word in words)
        page.get_by_role("button", name="Save the report").wait_for()


def _take_example(page) -> None:
    page.get_by_role("button", name="Example: pituitary").first.click()
    page.locator("#answer section", has_text="Pituitary").wait_for()


def _take_stack(page, stack) -> None:
    page.set_input_files(SCAN_BOX, stack)
    page.locator("#viewer .slices").wait_for()


def _saved(page, folder) -> Image.Image:
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the picture").click()
    assert download.value.suggested_filename.endswith("-overlay.png")
    target = folder / "saved.png"
    download.value.save_as(target)
    return Image.open(target).copy()
