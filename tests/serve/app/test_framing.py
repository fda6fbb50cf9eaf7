"""The scan is framed by hand, with the mouse and by keyboard, and the frame taken away again."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from serve.app.framing import OPEN
from serve.app.words import CLASSES, FRAMED, NO_MRI
from tests.conftest import label_of
from tests.serve.app.test_page import PHONE, SCAN_BOX

CLASSIFY = "Classify what is within"
AWAY = "Take my frame away"


@pytest.fixture(scope="module")
def collage(scans, tmp_path_factory):
    """A scan on a chessboard, where it is not found by itself."""
    board = 160 * (np.indices((12, 18)).sum(axis=0) % 2) + 60
    picture = Image.fromarray(np.kron(board, np.ones((50, 50))).astype(np.uint8)).convert("RGB")
    picture.paste(Image.open(scans[2]).convert("RGB").resize((300, 300)), (540, 60))
    path = tmp_path_factory.mktemp("collage") / "collage.png"
    picture.save(path)
    return path


def draw(page, left: float, top: float, right: float, bottom: float) -> None:
    """A frame, in shares of the picture."""
    canvas = page.locator(".framing .canvas")
    canvas.locator("img[src]").wait_for()
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    for act, x, y in ((page.mouse.down, left, top), (page.mouse.up, right, bottom)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        act()


@pytest.mark.parametrize("size", [None, PHONE])
def test_what_is_framed_is_answered(open_page, collage, scans, size):
    page = open_page(**({"viewport": size} if size else {}))
    page.set_input_files(SCAN_BOX, collage)
    page.get_by_role("heading", name=NO_MRI).wait_for()
    page.get_by_text(OPEN).click()
    draw(page, 0.93, 0.6, 0.6, 0.1)  # from the lower right
    sliders = page.get_by_role("slider", name="edge")
    edges = [float(slider.input_value()) for slider in sliders.all()]
    assert edges == pytest.approx([60, 10, 93, 60], abs=1)
    page.get_by_role("button", name=CLASSIFY).click()
    page.get_by_text(FRAMED).wait_for()
    assert page.locator(".answer h2").inner_text() == CLASSES[label_of(scans[2])]
    page.locator(".framing img[src]").wait_for()  # it is open, with the same frame
    assert [float(slider.input_value()) for slider in sliders.all()] == edges
    assert page.locator(".framing .frame").evaluate("frame => frame.style.inset") == (
        f"{edges[1]:.0f}% {100 - edges[2]:.0f}% {100 - edges[3]:.0f}% {edges[0]:.0f}%"
    )
    assert page.evaluate("document.activeElement.id") == "answer"
    page.get_by_role("button", name=AWAY).click()
    page.get_by_role("heading", name=NO_MRI).wait_for()
    page.get_by_text(OPEN).click()
    assert page.get_by_role("button", name=AWAY).count() == 0


def test_the_edges_move_by_keyboard_and_never_cross(open_page, scans):
    page = open_page()
    page.set_input_files(SCAN_BOX, scans[0])
    page.locator("#viewer").wait_for()
    page.get_by_text(OPEN).press("Enter")
    left, right = (page.get_by_role("slider", name=f"{one} edge") for one in ("Left", "Right"))
    right.press("Home")
    assert (left.input_value(), right.input_value()) == ("0", "2")
    left.press("End")
    assert (left.input_value(), right.input_value()) == ("98", "100")
    assert left.get_attribute("aria-valuetext") == "98 percent"
    left.press("Home")
    for _ in range(10):
        right.press("ArrowLeft")
    frame = page.locator(".framing .frame").evaluate("frame => frame.style.inset")
    assert frame == "0% 10% 0% 0%"
    page.get_by_role("button", name=CLASSIFY).press("Enter")
    page.get_by_text(FRAMED).wait_for()


def test_a_phone_scrolls_past_a_tall_picture(open_page, tmp_path):
    Image.new("L", (300, 900), 90).save(tmp_path / "tall.png")
    page = open_page(viewport=PHONE)
    page.set_input_files(SCAN_BOX, tmp_path / "tall.png")
    page.get_by_text(OPEN).click()
    canvas = page.locator(".framing .canvas")
    canvas.locator("img[src]").wait_for()
    page.wait_for_function("() => document.querySelector('.framing img').complete")
    assert canvas.bounding_box()["height"] <= 0.61 * PHONE["height"]


def test_the_report_and_the_next_scan(open_page, collage, scans):
    page = open_page(accept_downloads=True)
    page.set_input_files(SCAN_BOX, collage)
    page.get_by_role("heading", name=NO_MRI).wait_for()
    page.get_by_text(OPEN).click()
    draw(page, 0.6, 0.1, 0.93, 0.6)
    page.get_by_role("button", name=CLASSIFY).click()
    page.locator("#viewer").wait_for()
    with page.expect_download() as download:
        page.locator("#pictures .report").click()
    assert FRAMED in download.value.path().read_text("utf-8")
    page.set_input_files(SCAN_BOX, scans[1])  # the frame was the other picture's
    page.locator("#answer section", has_text=scans[1].name).wait_for()
    assert page.get_by_text(FRAMED).count() == 0
