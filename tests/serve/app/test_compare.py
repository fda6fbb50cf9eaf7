"""Two to four of several files, side by side under one switch."""

from __future__ import annotations

import pytest

from serve.app.words import CLASSES, NO_MRI
from tests.conftest import label_of
from tests.serve.app.test_page import FILES_BOX
from tests.serve.app.test_viewer import SIZES
from tests.serve.app.test_viewer import stack as stack  # a fixture


@pytest.fixture
def choosing(open_page, scans, stack, bad_files, no_mri):
    """The tab with three scans of three classes, a stack, a meadow and a file that is none."""

    def open_tab(size="desktop"):
        width, height = SIZES[size]
        page = open_page(viewport={"width": width, "height": height})
        page.get_by_role("tab", name="Several files").click()
        files = [*scans[:6:2], stack, no_mri, bad_files["words.jpg"][0]]
        page.set_input_files(FILES_BOX, files)
        page.get_by_text("5 of 6 files answered").wait_for()
        return page

    return open_tab


def choose(page, *numbers: int) -> None:
    for number in numbers:
        page.locator(f"[name=compare][value='{number}']").check()


def test_two_to_four_can_be_chosen(choosing):
    page = choosing()
    button = page.get_by_role("button", name="Compare side by side")
    assert page.locator("[name=compare]").count() == 5  # none of what could not be read
    choose(page, 0)
    assert button.is_disabled()
    assert page.get_by_text("1 of 4 chosen: choose at least 2.").is_visible()
    choose(page, 1)
    assert button.is_enabled()
    choose(page, 2, 3)
    assert page.locator("[name=compare][value='4']").is_disabled()
    page.locator("[name=compare][value='0']").uncheck()
    assert page.locator("[name=compare][value='4']").is_enabled()


@pytest.mark.parametrize("size", SIZES)
def test_scans_lie_side_by_side_under_one_switch(choosing, scans, size):
    page = choosing(size)
    choose(page, 0, 1, 2, 4)
    page.get_by_role("button", name="Compare side by side").click()
    compared = page.locator("#card .compared")
    compared.nth(3).wait_for()
    for number in range(3):
        said = compared.nth(number).inner_text()
        assert scans[2 * number].name in said
        assert CLASSES[label_of(scans[2 * number])] in said
        assert compared.nth(number).locator(".bars tr").count() == 4
        assert compared.nth(number).locator(".scan:visible").count() == 2
    assert "does not look like a brain MRI" in compared.nth(3).inner_text()
    assert "%" not in compared.nth(3).inner_text()
    heats = page.locator("#card .heat:visible")
    assert {one.get_attribute("data-class") for one in heats.all()} == {"glioma", "meningioma"}
    page.locator("#card").get_by_role("radio", name="Pituitary tumour").check()
    assert [one.get_attribute("data-class") for one in heats.all()] == 3 * ["pituitary"]
    page.locator("#card").get_by_role("button", name="Zoom in").click()
    looks = page.locator("#card .layers").evaluate_all(
        "parts => parts.map((part) => new DOMMatrix(getComputedStyle(part).transform).a)"
    )
    assert looks == 6 * [1.5]
    page.locator("#card").get_by_role("radio", name="One over the other").check()
    assert page.locator("#card .view:visible").count() == 3
    assert page.locator("#card .refused-picture img").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]


def test_the_report_of_the_compared(choosing, scans):
    page = choosing()
    choose(page, 0, 3, 4)
    page.get_by_role("button", name="Compare side by side").click()
    page.locator("#card .compared").nth(2).wait_for()
    with page.expect_download() as download:
        page.locator("#card").get_by_role("button", name="Save the report").click()
    assert download.value.suggested_filename == "report.html"
    report = download.value.path().read_text("utf-8")
    assert report.count('<section class="card') == 3
    for words in (scans[0].name, CLASSES[label_of(scans[0])], "stack.tif", NO_MRI):
        assert words in report
    assert scans[2].name not in report


def test_a_series_beside_a_scan_by_keyboard(choosing):
    page = choosing()
    for number in (3, 0):
        page.locator(f"[name=compare][value='{number}']").focus()
        page.keyboard.press("Space")
    page.get_by_role("button", name="Compare side by side").focus()
    page.keyboard.press("Enter")
    slider = page.locator("#card").get_by_role("slider", name="Slice")
    slider.wait_for()
    scan, stack = (page.locator("#card .compared").nth(at).locator(".scan").last for at in (0, 1))
    before = [one.get_attribute("src") for one in (scan, stack)]
    slider.focus()
    page.keyboard.press("End")
    after = [one.get_attribute("src") for one in (scan, stack)]
    assert after[0] == before[0]
    assert after[1] != before[1]
    page.keyboard.press("Escape")
    page.locator("#card").wait_for(state="hidden")
    assert page.evaluate("document.activeElement.textContent") == "Compare side by side"
