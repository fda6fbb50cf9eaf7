"""Several files: cards, a filter, one switch for all maps, and the whole answer of one."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from serve.app.words import CLASSES
from tests.conftest import label_of
from tests.serve.app.test_accessibility import small
from tests.serve.app.test_page import FILES_BOX, PHONE
from tests.serve.app.test_viewer import stack as stack  # a fixture


@pytest.fixture
def opened(open_page, scans, stack, bad_files, no_mri):
    """The tab with a card of every kind, as `open_page` opens it."""

    def open_tab(**settings):
        page = open_page(**settings)
        page.get_by_role("tab", name="Several files").click()
        page.set_input_files(
            FILES_BOX, [*scans[:4:2], stack, bad_files["words.jpg"][0], no_mri, scans[7]]
        )
        page.get_by_text("5 of 6 files answered").wait_for()
        return page

    return open_tab


def test_every_file_has_a_card_with_its_answer(opened, scans):
    page = opened()
    cards = page.locator(".cards > li")
    assert cards.count() == 6
    first = cards.first.inner_text()
    assert scans[0].name in first
    assert CLASSES[label_of(scans[0])] in first
    assert "% confidence" in first.replace("\u00a0", "")
    assert "Tumour suspected" in cards.nth(2).inner_text()
    assert "not a picture" in cards.nth(3).inner_text()
    assert "does not look like a brain MRI" in cards.nth(4).inner_text()
    assert page.locator(".cards img:not(.heat)").count() == 5
    assert page.locator("#files-box [role=status]").last.inner_text() == "5 of 6 files answered."


def test_cards_are_filtered_and_their_maps_switched(opened):
    page = opened()
    shown = page.locator(".cards > li:visible")
    page.get_by_role("radio", name="Glioma (1)").check()
    assert shown.count() == 1
    page.get_by_role("radio", name="No brain MRI (1)").check()
    assert shown.count() == 1
    page.get_by_role("radio", name="All (6)").check()
    assert shown.count() == 6
    heats = page.locator(".cards .heat:visible")
    assert heats.count() == 0
    page.get_by_role("radio", name="The likeliest tumour").check()
    assert heats.count() == 4  # three scans and the stack
    page.get_by_role("radio", name="Meningioma", exact=True).check()
    assert {heat.get_attribute("data-class") for heat in heats.all()} == {"meningioma"}


def test_a_card_opens_the_whole_answer_by_keyboard(opened, scans):
    page = opened()
    card = page.locator("[data-card]").first
    card.focus()
    page.keyboard.press("Enter")
    page.locator("#card-viewer").wait_for()
    assert scans[0].name in page.locator("#card-answer").inner_text()
    assert "in 100 were right" in page.locator("#card-answer").inner_text()
    page.get_by_role("button", name="Back to all files").focus()
    page.keyboard.press("Escape")
    page.locator("#card").wait_for(state="hidden")
    assert page.evaluate("document.activeElement.dataset.card") == "0"
    page.locator("[data-card='2']").click()
    page.locator("#card-viewer .slices").wait_for()
    page.get_by_role("button", name="Back to all files").click()
    page.locator("#card").wait_for(state="hidden")


def test_the_report_of_all_and_of_one(opened, scans):
    page = opened(accept_downloads=True)
    with page.expect_download() as download:
        page.locator("#answers .report").click()
    report = download.value.path().read_text("utf-8")
    assert report.count('<section class="card') == 6
    page.locator("[data-card='1']").click()
    page.locator("#card-viewer").wait_for()
    with page.expect_download() as download:
        page.locator("#card .report").click()
    report = download.value.path().read_text("utf-8")
    assert report.count('<section class="card') == 1
    assert scans[2].name in report


def test_new_files_close_the_card_that_was_open(opened, scans):
    page = opened()
    page.locator("[data-card='0']").click()
    page.locator("#card-viewer").wait_for()
    page.set_input_files(FILES_BOX, scans[5])
    page.get_by_text("1 of 1 files answered").wait_for()
    assert not page.locator("#card").is_visible()


def test_the_files_of_a_dicom_series_become_one_card(open_page, scans, tmp_path):
    pytest.importorskip("pydicom", reason="needs pydicom")
    from tests.serve.formats.dicoms import LOUD, volume_of

    grey = np.asarray(Image.open(scans[3]).convert("L")).astype(np.uint16) * 7 + 200
    files = volume_of(grey, tmp_path / "series", 4)
    page = open_page()
    page.get_by_role("tab", name="Several files").click()
    page.set_input_files(FILES_BOX, [*files, scans[0]])
    page.get_by_text("2 of 2 files answered").wait_for()
    said = page.locator(".cards > li").last.inner_text()
    assert said.startswith("DICOM\n")
    assert "DICOM series, " in said
    assert not any(word in page.content() for word in LOUD)
    page.locator("[data-card='1']").click()
    page.locator("#card-viewer .slices").wait_for()


def test_on_a_phone_the_card_comes_into_view_and_nothing_is_small(opened):
    page = opened(viewport=PHONE, has_touch=True)
    page.locator("[data-card='0']").tap()
    page.locator("#card-viewer").wait_for()
    page.wait_for_timeout(1000)  # while it scrolls
    assert 0 <= page.locator("#card-answer h2").bounding_box()["y"] < PHONE["height"] - 100
    assert small(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
