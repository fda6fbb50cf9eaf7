"""The page that classifies in the browser, as it is built and served, in a real browser."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image, ImageOps

from serve.app.words import CLASSES, CROP, FRAMED, NO_MRI, NO_MRI_CAUSES, heading
from serve.app.words import class_noun as noun
from serve.overlay import INFERNO, heat_layer
from tests.conftest import ROOT, label_of
from tests.serve.crop_pictures import bordered, sheet
from tests.serve.web.visits import (
    BOX,
    DATA_URL,
    PATIENCE,
    SITE,
    explain,
)
from tests.serve.web.visits import address as address
from tests.serve.web.visits import classifier as classifier
from tests.serve.web.visits import scans as scans
from tests.serve.web.visits import visited as visited

pytestmark = [
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node.js and npm"),
]


def test_examples_are_answered_as_in_python(visited, classifier, scans):
    for scan in scans:
        answer = visited.example(scan.name)
        expected, _ = explain(classifier, scan)
        assert answer["label"] == expected.label
        # the decoders of Chromium and Pillow differ by a grey level
        assert answer["probabilities"] == pytest.approx(expected.probabilities, abs=1e-2)
        assert answer["oodScore"] == pytest.approx(expected.ood_score, rel=1e-2)
        assert visited.page.locator("#answer h2").inner_text() == heading(expected)
        assert f"answered in {answer['seconds']:.1f} s" in visited.page.inner_text("#status")
        assert visited.page.locator("#answer .bars tbody tr").count() == 4


def test_it_answers_within_a_second_or_two(visited, scans):
    assert sorted(visited.example(scan.name)["seconds"] for scan in scans[:5])[2] < 3


def test_a_border_is_cut_off_as_in_python(visited, classifier, scans, tmp_path):
    scan = Image.open(scans[2]).convert("RGB").resize((400, 400))
    page = bordered(scan, 0.6, "white", True, np.random.default_rng(0))
    page.save(tmp_path / "page.png")
    expected = classifier.predict(tmp_path / "page.png")
    answer = visited.file(tmp_path / "page.png")
    assert answer["label"] == expected.label
    assert answer["probabilities"] == pytest.approx(expected.probabilities, abs=5e-2)
    assert answer["crop"] == asdict(expected.crop) | {"padding": list(expected.crop.padding)}
    assert visited.page.get_by_text(FRAMED).is_visible()
    heat = _layer(visited.page.locator("#viewer .heat:not([hidden])"))[..., 3]
    start = round(expected.crop.x * heat.shape[1] / page.width)
    assert heat.max() > 200
    assert heat[:, : start - 1].max() < 8
    switch = visited.page.get_by_role("checkbox", name=CROP)
    whole = classifier.predict(tmp_path / "page.png", crop=False)
    answer = visited.answer(switch.uncheck)
    assert answer["crop"] is None
    assert answer["oodScore"] == pytest.approx(whole.ood_score, rel=5e-2)
    assert visited.page.get_by_text(FRAMED).count() == 0
    visited.answer(switch.check)
    assert visited.example(scans[0].name)["crop"] is None


def test_a_scan_on_its_side_and_an_inverted_one_are_said_to_be(
    visited, classifier, scans, tmp_path
):
    scan = Image.open(scans[1]).convert("RGB")
    scan.rotate(90).save(tmp_path / "turned.png")
    ImageOps.invert(scan).save(tmp_path / "inverted.png")
    for name in ("turned.png", "inverted.png"):
        expected = classifier.predict(tmp_path / name).warnings
        assert expected
        visited.file(tmp_path / name)
        assert visited.page.locator("#answer .warnings li").all_inner_texts() == list(expected)


def test_a_sheet_is_taken_apart_as_in_python(visited, classifier, scans, tmp_path):
    pictures = [Image.open(scan).convert("RGB") for scan in scans]
    sheet(pictures[:8], 4, 6, "black", text=False).save(tmp_path / "film.png")
    expected = classifier.predict_series(tmp_path / "film.png")
    answer = visited.file(tmp_path / "film.png")
    assert answer["labels"] == [one.label for one in expected.slices]
    assert answer["tumour"] == pytest.approx(expected.tumour, abs=2e-2)
    assert visited.page.get_by_role("heading", name="A sheet of 8 slices").is_visible()
    panels = visited.page.get_by_role("group", name="All panels").get_by_role("button")
    assert panels.count() == 8
    panels.nth(5).click()
    assert visited.page.locator("#viewer .says").inner_text().startswith("Panel 5: ")
    switch = visited.page.get_by_role("checkbox", name=CROP)
    assert visited.answer(switch.uncheck)["labels"] == [
        classifier.predict(tmp_path / "film.png", crop=False).label
    ]
    visited.answer(switch.check)


def test_a_series_on_its_side_is_said_to_be(visited, classifier, scans, tmp_path):
    scan = Image.open(scans[1]).convert("L").resize((256, 256)).rotate(90)
    path = tmp_path / "turned.tif"
    scan.save(path, save_all=True, append_images=4 * [scan])
    expected = classifier.predict_series(path).warnings
    assert expected
    visited.file(path)
    assert visited.page.locator("#answer .warnings li").all_inner_texts() == expected


def _layer(picture) -> np.ndarray:
    """Its colours and alpha, uint8 (H, W, 4)."""
    content = base64.b64decode(picture.evaluate(DATA_URL).split(",")[1])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))


def test_a_picture_that_is_no_scan_is_refused(visited, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    answer = visited.file(tmp_path / "noise.png")
    assert answer["label"] is answer["probabilities"] is None
    assert NO_MRI in visited.said()
    assert all(cause in visited.said() for cause in NO_MRI_CAUSES)
    assert not any(words in visited.said() for words in CLASSES.values())
    assert "%" not in visited.said()
    assert not visited.page.locator("#viewer").is_visible()


def test_colours_keep_their_order_and_transparent_pixels_are_black(
    visited, classifier, scans, tmp_path
):
    grey = Image.open(scans[3]).convert("L")
    black, alpha = Image.new("L", grey.size), Image.linear_gradient("L").resize(grey.size)
    Image.merge("RGBA", (grey, black, black, alpha)).save(tmp_path / "red.png")
    expected, _ = explain(classifier, tmp_path / "red.png")
    answer = visited.file(tmp_path / "red.png")
    # red and blue exchanged, an opaque or a white ground differ by 0.17 and more
    assert answer["oodScore"] == pytest.approx(expected.ood_score, rel=2e-2)
    if expected.probabilities:
        assert answer["probabilities"] == pytest.approx(expected.probabilities, abs=5e-2)


@pytest.mark.parametrize("kind", ["png", "tif", "big.tif", "float.tif"])
def test_deep_pictures_are_stretched_as_in_python(visited, classifier, scans, tmp_path, kind):
    grey = np.asarray(Image.open(scans[3]).convert("L"))
    path = tmp_path / f"deep.{kind}"
    if kind == "float.tif":
        Image.fromarray(grey.astype(np.float32) * 3.7 - 100).save(path)
    elif kind == "big.tif":
        Image.fromarray((grey.astype(">u2") * 5 + 1000).astype(">u2")).save(path)
    else:
        Image.fromarray(grey.astype(np.uint16) * 5 + 1000).save(path)
    expected = classifier.predict(path)
    answer = visited.file(path)
    assert answer["label"] == expected.label == label_of(scans[3])
    assert answer["probabilities"] == pytest.approx(expected.probabilities, abs=2e-2)


@pytest.mark.parametrize("kind", ["tif", "gif"])
def test_stacks_are_answered_as_in_python(visited, classifier, tmp_path, kind):
    scans = sorted((ROOT / "tests" / "data" / "scans").glob("*.jpg"))
    pages = [Image.open(scan).convert("L").resize((256, 256)) for scan in scans]
    path = tmp_path / f"stack.{kind}"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    expected = classifier.predict_series(path)
    answer = visited.file(path)
    assert answer["tumour"] == pytest.approx(expected.tumour, abs=1e-2)
    assert tuple(answer["run"]) == expected.run
    assert answer["classes"] == expected.classes
    assert f"stack, {len(pages)} slices" in visited.said()
    assert visited.page.locator("#viewer .suspicion rect").count() == len(pages)


@pytest.mark.parametrize("turn", ["as stored", "turned"])
def test_a_nifti_volume_is_cut_as_in_python(visited, classifier, scans, tmp_path, turn):
    nibabel = pytest.importorskip("nibabel", reason="needs nibabel")
    grey = np.asarray(Image.open(scans[3]).convert("L").resize((180, 200)))
    volume = np.stack([grey * share for share in (0, 0.5, 1, 0.9, 0)], axis=-1).astype(np.int16)
    affine = np.diag([-1.0, -1.0, 5.0, 1.0])
    if turn == "turned":
        volume, affine = np.transpose(volume, (2, 0, 1)), affine[:, [2, 0, 1, 3]] * [1, -1, 1, 1]
    image = nibabel.Nifti1Image(volume, affine)
    image.header.set_slope_inter(2, 10)
    nibabel.save(image, tmp_path / "volume.nii.gz")
    expected = classifier.predict_series(tmp_path / "volume.nii.gz")
    answer = visited.file(tmp_path / "volume.nii.gz")
    assert answer["classes"] == expected.classes
    assert answer["tumour"] == pytest.approx(expected.tumour, abs=2e-2)
    assert [answer["run"] and tuple(answer["run"]), len(answer["suspicious"])] == [
        expected.run,
        len(expected.suspicious),
    ]


def test_dicom_is_read_as_in_python(visited, classifier, scans, tmp_path):
    pytest.importorskip("pydicom", reason="needs pydicom")
    from tests.serve.formats.dicoms import LOUD, volume_of

    grey = np.asarray(Image.open(scans[3]).convert("L")).astype(np.uint16) * 7 + 200
    files = volume_of(grey, tmp_path / "series", 4, RescaleSlope=2, RescaleIntercept=-5)
    for file in files:
        expected, answer = classifier.predict(file), visited.file(file)
        assert answer["label"] == expected.label
        assert answer["probabilities"] == pytest.approx(expected.probabilities, abs=2e-2)
    expected, answer = classifier.predict_series(tmp_path / "series"), visited.file(*files)
    assert answer["classes"] == expected.classes
    assert answer["tumour"] == pytest.approx(expected.tumour, abs=2e-2)
    assert answer["suspicious"][0] == expected.suspicious[0]
    assert sorted(answer["suspicious"]) == sorted(expected.suspicious)  # two are nearly alike
    assert f"DICOM series, {len(expected.slices)} slices" in visited.said()
    assert not any(word in visited.page.content() for word in LOUD)


def test_a_file_that_is_no_picture_is_named_and_clears_the_answer(visited, scans, tmp_path):
    visited.example(scans[0].name)
    (tmp_path / "words.jpg").write_text("these are words", encoding="utf-8")
    visited.file(tmp_path / "words.jpg")
    assert "words.jpg: not a picture that this browser can read" in visited.said()
    assert scans[0].name not in visited.said()
    assert not visited.page.locator("#viewer").is_visible()
    assert visited.example("Tr-gl_0044.jpg")["label"] == "glioma"


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_drop_and_paste(visited, scans, way):
    content = base64.b64encode(scans[6].read_bytes()).decode()
    send = """([content, way]) => {
        const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
        const data = new DataTransfer();
        data.items.add(new File([bytes], `${way}.jpg`));
        const options = { bubbles: true, cancelable: true };
        document.body.dispatchEvent(way === "drop"
          ? new DragEvent("drop", { ...options, dataTransfer: data })
          : new ClipboardEvent("paste", { ...options, clipboardData: data }));
    }"""
    answer = visited.answer(lambda: visited.page.evaluate(send, [content, way]))
    assert answer["label"] == label_of(scans[6])
    assert f"{way}.jpg" in visited.said()


def test_the_last_picture_chosen_is_the_one_answered(visited):
    visited.page.locator("[data-name='Tr-gl_0044.jpg']").click()
    assert visited.example("Tr-no_0745.jpg")["label"] == "notumor"
    visited.page.wait_for_timeout(500)
    assert "Tr-no_0745.jpg" in visited.said()
    assert visited.page.get_by_role("radio", name="No map").is_checked()


def test_a_scan_chosen_before_the_model_is_there_is_answered_once(browser, address, scans):
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    page.wait_for_function("() => document.querySelector('#scan-box input').onchange")
    page.set_input_files(BOX, scans[4])
    page.wait_for_selector("#answer[data-answer]", timeout=PATIENCE)
    assert page.inner_text("#status").startswith("1 of 1 file answered")
    answer = json.loads(page.locator("#answer").get_attribute("data-answer"))
    assert answer["label"] == label_of(scans[4])
    context.close()


def test_maps_are_drawn_as_in_python(visited, classifier, scans):
    scan = scans[0]
    visited.example(scan.name)
    _, maps = explain(classifier, scan)
    colours = np.asarray(heat_layer(np.linspace(0, 1, 256)[None], (256, 1)), int)[0]
    for label in classifier.labels:
        visited.page.get_by_role("radio", name=noun(label).capitalize(), exact=True).check()
        layer = visited.page.locator(f"#viewer .heat[data-class={label}]")
        layer.wait_for()
        drawn = _layer(layer).astype(int)
        heat = drawn[..., 3]
        size = (heat.shape[1], heat.shape[0])
        expected = np.asarray(heat_layer(maps[label], size), int)[..., 3]
        assert np.abs(heat - expected).mean() < 4  # bilinear here, bicubic there
        assert np.abs(heat - expected).max() < 64
        hot = heat > 128  # colours of clearer pixels are stored coarsely
        assert hot.any() == maps[label].any()
        assert np.abs(drawn - colours[heat])[hot].max(initial=0) <= 3
    assert INFERNO.split() == re.findall(
        r"\b[0-9a-f]{6}\b", (SITE / "heat.js").read_text(encoding="utf-8")
    )
