"""A screenshot, a page with a border, a sheet of slices: what the app shows and answers."""

from __future__ import annotations

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image, ImageOps

from serve.app.words import CLASSES, CROP, FRAMED, SCAN
from serve.crop import find_head
from serve.looking import TURNED
from serve.view import INVERTED
from tests.conftest import label_of
from tests.serve.crop_pictures import bordered, sheet

SCAN_BOX = "#scan-box input[type=file]"
FILES_BOX = "#files-box input[type=file]"


@pytest.fixture(scope="module")
def client(app, tmp_path_factory) -> Client:
    return Client(app.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


@pytest.fixture(scope="module")
def page_of_a_book(scans, tmp_path_factory):
    scan = Image.open(scans[2]).convert("RGB").resize((400, 400))
    path = tmp_path_factory.mktemp("page") / "page.png"
    bordered(scan, 0.3, "white", True, np.random.default_rng(0)).save(path)
    return path


@pytest.fixture(scope="module")
def film(scans, tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.png"
    sheet([Image.open(scan).convert("RGB") for scan in scans], 4, 6, "black", False).save(path)
    return path


def test_the_frame_shows_what_was_seen_until_the_switch_is_off(open_page, page_of_a_book, scans):
    page = open_page()
    page.set_input_files(SCAN_BOX, page_of_a_book)
    page.locator("#answer section", has_text="page.png").wait_for()
    assert page.locator(".answer h2").inner_text() == CLASSES[label_of(scans[2])]
    page.get_by_text(FRAMED).wait_for()
    switch = page.get_by_role("checkbox", name=CROP).first
    switch.uncheck()
    page.locator("#answer section", has_text="page.png").wait_for()
    page.get_by_text(FRAMED).wait_for(state="detached")
    switch.check()
    page.get_by_text(FRAMED).wait_for()
    page.set_input_files(SCAN_BOX, scans[0])
    page.locator("#answer section", has_text=scans[0].name).wait_for()
    assert page.get_by_text(FRAMED).count() == 0


def test_the_switch_undoes_the_crop_in_reports_cards_and_examples(open_page, page_of_a_book, scans):
    page = open_page(accept_downloads=True)
    page.set_input_files(SCAN_BOX, page_of_a_book)
    page.get_by_text(FRAMED).wait_for()
    assert FRAMED in _report(page, "#pictures")
    page.get_by_role("checkbox", name=CROP).first.uncheck()
    page.get_by_text(FRAMED).wait_for(state="detached")
    page.locator("#viewer, #pictures .refused-picture").wait_for()
    if page.locator("#viewer").count():
        assert FRAMED not in _report(page, "#pictures")
    page.get_by_role("button", name="Example: pituitary").first.click()
    page.locator("#answer section", has_text="Pituitary").wait_for()
    page.get_by_role("checkbox", name=CROP).first.check()
    page.locator("#answer section", has_text="Pituitary").wait_for()
    assert page_of_a_book.name not in page.locator("#answer").inner_text()
    page.get_by_role("tab", name="Several files").click()
    page.set_input_files(FILES_BOX, [page_of_a_book, scans[0]])
    page.locator("[data-card='0']").click()
    page.locator("#card").get_by_text(FRAMED).wait_for()
    page.get_by_role("checkbox", name=CROP).last.uncheck()
    page.locator("#card").wait_for(state="hidden")
    page.locator("[data-card='0']").click()
    page.locator("#card-pictures img").first.wait_for()
    assert page.get_by_text(FRAMED).count() == 0


def _report(page, place: str) -> str:
    with page.expect_download() as download:
        page.locator(f"{place} .report").click()
    return download.value.path().read_text("utf-8")


def test_the_map_lies_within_the_frame(open_page, page_of_a_book):
    page = open_page()
    page.set_input_files(SCAN_BOX, page_of_a_book)
    heat = page.locator("#viewer .heat:not([hidden])")
    heat.wait_for()
    alpha = heat.evaluate(
        """async (picture) => {
          await picture.decode();
          const canvas = document.createElement("canvas");
          const { naturalWidth: width, naturalHeight: height } = picture;
          Object.assign(canvas, { width, height });
          const context = canvas.getContext("2d");
          context.drawImage(picture, 0, 0);
          const { data } = context.getImageData(0, 0, width, height);
          return { width, height, alpha: [...data].filter((_, at) => at % 4 === 3) };
        }"""
    )
    heat = np.reshape(alpha["alpha"], (alpha["height"], alpha["width"]))
    crop = find_head(np.asarray(Image.open(page_of_a_book)))
    scale = alpha["width"] / Image.open(page_of_a_book).width
    left, right = crop.x * scale, (crop.x + crop.width) * scale
    assert heat.max() > 150
    assert heat[:, : int(left) - 1].max() < 20
    assert heat[:, int(right) + 2 :].max(initial=0) < 20


def test_a_sheet_is_shown_panel_by_panel(open_page, film, scans):
    page = open_page()
    page.set_input_files(SCAN_BOX, film)
    page.get_by_role("heading", name="A sheet of 8 slices").wait_for()
    panels = page.get_by_role("group", name="All panels").get_by_role("button")
    assert panels.count() == len(scans)
    for number, scan in enumerate(scans):
        panels.nth(number).click()
        name = CLASSES[label_of(scan)].removesuffix(" found").lower()
        says = page.locator("#viewer .says").inner_text()
        assert says.startswith(f"Panel {number}: ")
        assert name in says.lower()
        assert name in panels.nth(number).inner_text().lower()
    page.get_by_role("checkbox", name=CROP).first.uncheck()
    page.get_by_role("heading", name="A sheet of 8 slices").wait_for(state="detached")
    page.locator("#answer section", has_text="film.png").wait_for()
    page.get_by_role("tab", name="Several files").click()
    page.set_input_files(FILES_BOX, [film, scans[0]])
    page.get_by_text("2 of 2 files answered").wait_for()
    assert page.locator(".cards > li").count() == 2
    assert "A sheet of 8 slices" in page.locator(".cards > li").first.inner_text()
    page.get_by_role("radio", name="Sheets (1)").check()
    assert page.locator(".cards > li:visible").count() == 1
    page.get_by_text("The same as a table").click()
    rows = [row.inner_text() for row in page.locator("#answers tbody tr").all()]
    assert len(rows) == len(scans) + 2  # the sheet, its panels and the scan
    for number, (row, scan) in enumerate(zip(rows[1:-1], scans, strict=True)):
        assert row.startswith(f"film.png[{number}]")
        assert CLASSES[label_of(scan)].removesuffix(" found").lower() in row.lower()


def test_only_what_is_cut_out_of_a_stack_has_a_frame(open_page, page_of_a_book, scans, tmp_path):
    pages = [Image.open(page_of_a_book), Image.open(scans[2]).convert("RGB")]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    page = open_page()
    page.set_input_files(SCAN_BOX, tmp_path / "stack.tif")
    slider = page.get_by_role("slider", name="Slice")
    for key, caption in (("Home", FRAMED), ("End", SCAN), ("Home", FRAMED)):
        slider.press(key)
        assert page.locator("#viewer figcaption").first.inner_text() == caption


def test_a_scan_on_its_side_and_an_inverted_one_are_said_to_be(open_page, scans, tmp_path):
    scan = Image.open(scans[1]).convert("RGB")
    scan.rotate(90).save(tmp_path / "turned.png")
    ImageOps.invert(scan).save(tmp_path / "inverted.png")
    page = open_page()
    for name, words in (("turned.png", TURNED), ("inverted.png", INVERTED)):
        page.set_input_files(SCAN_BOX, tmp_path / name)
        page.locator("#answer section", has_text=name).wait_for()
        assert words in page.locator("#answer .warnings").inner_text()


def test_endpoints_say_what_was_seen(client, page_of_a_book, scans):
    answer = client.predict(handle_file(page_of_a_book), api_name="/predict")
    assert answer["label"] == label_of(scans[2])
    crop = answer["crop"]
    assert (crop["x"], crop["y"]) == pytest.approx((120, 120), abs=30)
    result, drawn = client.predict(handle_file(page_of_a_book), api_name="/explain")
    assert result["answer"]["crop"] == crop
    change = np.asarray(Image.open(drawn).convert("RGB")).astype(int)
    change -= np.asarray(Image.open(page_of_a_book))
    assert np.abs(change).max() > 20
    assert not change[: crop["y"]].any()
    assert not change[:, : crop["x"]].any()
    whole = client.predict(handle_file(page_of_a_book), False, api_name="/predict")
    assert (whole["crop"], whole["ood_score"] > answer["ood_score"]) == (None, True)


def test_endpoints_take_a_sheet_apart(client, film, scans):
    for endpoint in ("/predict", "/explain"):
        with pytest.raises(AppError, match="8 slices, not one: /predict_batch"):
            client.predict(handle_file(film), api_name=endpoint)
    answers = client.predict([handle_file(film)], api_name="/predict_batch")
    assert [one["label"] for one in answers] == [label_of(scan) for scan in scans]
    assert [one["file"] for one in answers] == [f"film.png[{k}]" for k in range(8)]
    assert all(one["crop"] for one in answers)
    (whole,) = client.predict([handle_file(film)], False, api_name="/predict_batch")
    assert whole["crop"] is None


def test_a_turned_scan_is_said_to_be(client, scans, tmp_path):
    turned = [tmp_path / f"{number}.png" for number in range(4)]
    for path, scan in zip(turned, scans, strict=False):
        Image.open(scan).rotate(90).save(path)
    answers = client.predict(list(map(handle_file, turned)), api_name="/predict_batch")
    assert sum("turned by 90 degrees?" in " ".join(one["warnings"]).lower() for one in answers) >= 3
