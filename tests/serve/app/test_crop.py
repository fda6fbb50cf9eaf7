"""A screenshot, a page with a border, a sheet of slices: what the app shows and answers."""

from __future__ import annotations

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from serve.app.words import CLASSES, CROP, FRAMED
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


def test_a_sheet_is_shown_panel_by_panel(open_page, film, scans):
    page = open_page()
    page.set_input_files(SCAN_BOX, film)
    page.get_by_role("heading", name="A sheet of 8 slices").wait_for()
    rows = [row.inner_text() for row in page.locator("#answer tbody tr").all()]
    assert len(rows) == page.locator(".slices figure").count() == len(scans)
    for number, (row, scan) in enumerate(zip(rows, scans, strict=True)):
        assert row.split("\t")[0] == str(number)
        assert CLASSES[label_of(scan)].removesuffix(" found").lower() in row.lower()
    page.get_by_role("tab", name="Several files").click()
    page.set_input_files(FILES_BOX, [film, scans[0]])
    page.get_by_text("2 of 2 files answered").wait_for()
    assert page.locator("#answers tbody tr").count() == len(scans) + 1


def test_a_stack_and_a_volume_are_answered_slice_by_slice(open_page, scans, tmp_path):
    nibabel = pytest.importorskip("nibabel", reason="needs nibabel")
    grey = [Image.open(scan).convert("L").resize((128, 128)) for scan in scans[2:6]]
    grey[0].save(tmp_path / "stack.tif", save_all=True, append_images=grey[1:])
    voxels = np.stack([np.asarray(one).T[::-1, ::-1] for one in grey], axis=2).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([1, 1, 4, 1])), tmp_path / "volume.nii.gz")
    page = open_page()
    for name in ("stack.tif", "volume.nii.gz"):
        page.set_input_files(SCAN_BOX, tmp_path / name)
        page.locator("#answer section", has_text=name).wait_for()
        assert page.locator(".answer h2").inner_text() == "A series of 4 slices"
        rows = [row.inner_text().split("\t")[1] for row in page.locator("#answer tbody tr").all()]
        for row, scan in zip(rows, scans[2:6], strict=True):
            assert CLASSES[label_of(scan)].removesuffix(" found").lower() in row.lower()
        assert "any tumour" in page.locator(".answer").inner_text()
        assert 1 <= page.locator(".slices figure").count() <= 3


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
