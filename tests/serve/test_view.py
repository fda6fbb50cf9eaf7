"""What the network sees of a picture, and where its answer's crop and maps lie on it."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image, ImageOps

from serve import BrainTumorClassifier, InvalidImageError
from serve.crop import Crop, laid
from serve.formats.raster import load_pixels, load_slice
from serve.formats.slices import Slice
from serve.overlay import framed, overlay
from serve.series import cam_volume, one_series
from serve.view import in_picture, in_slice, view_of
from tests.conftest import SHARED, label_of
from tests.serve.crop_pictures import bordered, letterboxed, sheet

CASES = SHARED / "cases" / "files"

needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/cases")


@pytest.fixture(scope="module")
def classifier() -> BrainTumorClassifier:
    return BrainTumorClassifier("int8", "cpu")


@pytest.fixture
def page(scans) -> Image.Image:
    """A scan of 400 pixels a side on a white page, 120 pixels from each edge."""
    scan = Image.open(scans[2]).convert("RGB").resize((400, 400))
    return bordered(scan, 0.3, "white", False, np.random.default_rng(0))


@pytest.fixture
def film(scans, tmp_path):
    path = tmp_path / "film.png"
    sheet([Image.open(scan).convert("RGB") for scan in scans], 4, 6, "black", False).save(path)
    return path


def test_a_plain_scan_is_seen_as_it_was(classifier, scans):
    for scan in scans:
        view = view_of(load_slice(scan), 224)
        assert np.array_equal(view.pixels, load_pixels(scan, 224))
        assert (view.crop, view.warnings) == (None, ())
    pixels = [load_pixels(scan, 224) for scan in scans]
    expected = classifier.predict_pixels(pixels, list(map(str, scans)))
    for one, other in zip(classifier.predict(scans), expected, strict=True):
        assert one.probabilities == other.probabilities
        assert (one.crop, one.warnings) == (None, ())


def test_training_sees_every_picture_whole(page, tmp_path):
    page.save(tmp_path / "page.png")
    whole = page.resize((224, 224), Image.Resampling.BILINEAR)
    assert np.array_equal(load_pixels(tmp_path / "page.png", 224), np.asarray(whole))


def test_the_answer_says_what_was_seen(classifier, page, scans):
    found = classifier.predict(page)
    assert found.warnings == ()  # a bright page does not make a scan a negative
    assert found.label == label_of(scans[2])
    assert found.crop is not None
    assert (found.crop.x, found.crop.y) == pytest.approx((120, 120), abs=30)
    assert found.crop.size == pytest.approx((400, 400), abs=60)
    assert classifier.explain(page).prediction.crop == found.crop
    whole = classifier.predict(page, crop=False)
    assert whole.crop is None
    (expected,) = classifier.predict_pixels([load_pixels(page, 224)], ["page"])
    assert whole.ood_score == expected.ood_score
    assert classifier.explain(page, crop=False).prediction.crop is None


@pytest.mark.parametrize("wide", [True, False])
def test_a_picture_of_two_to_one_is_not_squashed(classifier, scans, wide):
    for scan in scans:
        picture = letterboxed(Image.open(scan).convert("RGB").resize((300, 300)), wide)
        found = classifier.predict(picture)
        assert found.crop is not None
        assert found.crop.size[0] == pytest.approx(found.crop.size[1], rel=0.2)
        assert found.label == label_of(scan)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_crop_is_in_the_pixels_of_the_file(classifier, page, kind):
    page = page.crop((0, 60, 640, 640))
    expected = classifier.predict(page).crop
    large = page.resize((3200, 2900))
    exif = Image.Exif()
    exif[0x0112] = 6  # the file lies on its side
    file = io.BytesIO()
    large.rotate(90, expand=True).save(file, kind, exif=exif)
    found = classifier.predict(file.getvalue()).crop
    box = np.array([found.x, found.y, found.x + found.width, found.y + found.height])
    known = [expected.x, expected.y, expected.x + expected.width, expected.y + expected.height]
    assert np.abs(box - 5 * np.array(known)).max() < 100
    assert box[2] <= 3200
    assert box[3] <= 2900


def test_what_is_framed_is_seen(classifier, page, film, scans, tmp_path):
    frame = Crop(120, 120, 400, 400)
    found = classifier.predict(page, crop=frame)
    assert (found.label, found.crop) == (label_of(scans[2]), frame)
    answer = classifier.explain(page, crop=found.crop).prediction  # what an answer says, given back
    assert answer.probabilities == found.probabilities
    (one, other) = classifier.predict([page, page], crop=frame)
    assert one.probabilities == other.probabilities == found.probabilities
    beyond = classifier.predict(page, crop=Crop(-50, 120, 570, 9000))
    assert beyond.crop == Crop(0, 120, 520, 520)
    thin = classifier.predict(page, crop=Crop(120, 120, 200, 400)).crop
    assert thin == Crop(120, 120, 200, 400, padding=(100, 0, 100, 0))
    for outside in (
        Crop(640, 0, 10, 10),
        Crop(0, -20, 30, 20),
        Crop(5, 5, 0, 9),
        Crop(0, 0, 9, 640),
    ):
        with pytest.raises(InvalidImageError, match="lies outside the picture of 640x640 pixels"):
            classifier.predict(page, crop=outside)
    assert classifier.predict(page, crop=Crop(0, 0, 640, 640)).crop is None  # it is all of it
    # a sheet is not taken apart then
    panel = classifier.predict_series(film, crop=Crop(0, 0, 300, 300))
    assert [part.crop for part in panel.slices] == [Crop(0, 0, 300, 300)]


def test_a_slice_that_a_frame_does_not_reach_is_left_out(classifier, page, tmp_path):
    page.save(tmp_path / "s.tif", save_all=True, append_images=[page.resize((200, 200))])
    found = classifier.predict_series(tmp_path / "s.tif", crop=Crop(300, 300, 200, 200))
    assert found.indices == [0]
    (error,) = found.errors
    assert "s.tif[1]: the crop is a strip, or lies outside the picture of 200x200 pixels" in error


def test_a_frame_is_in_the_pixels_of_the_file(classifier, page):
    file = io.BytesIO()
    page.resize((6400, 6400)).save(file, "JPEG")  # is read in a smaller size
    frame = Crop(1200, 1200, 4000, 4000)
    found = classifier.predict(file.getvalue(), crop=frame)
    small = classifier.predict(page, crop=Crop(120, 120, 400, 400))
    assert (found.label, found.crop) == (small.label, frame)
    assert found.confidence == pytest.approx(small.confidence, abs=0.05)


def test_crops_move_between_a_slice_and_its_picture():
    panel = Slice(np.zeros((50, 40, 3), np.uint8), 1, "a", box=(100, 60, 140, 110), scale=(3, 2.5))
    crop = Crop(4, 6, 30, 40, padding=(5, 0, 5, 0))
    placed = in_picture(crop, panel)
    assert placed == Crop(312, 165, 90, 100, padding=(15, 0, 15, 0))
    assert in_slice(placed, panel) == crop
    assert in_slice(None, panel) is None


def test_a_map_lies_on_what_was_seen(page):
    crop = Crop(150, 100, 300, 400, padding=(100, 0, 0, 0))
    cam = np.ones((14, 14), np.float32)
    drawn = np.asarray(overlay(page, cam, crop=crop)).astype(int)
    changed = np.abs(drawn - np.asarray(page)).any(axis=2)
    assert not changed[:100].any()
    assert not changed[:, :150].any()
    assert changed[100:500, 150:450].mean() > 0.99
    assert not changed[:, 450:].any()
    cam[:, :4] = 0  # of the 400 columns, 114; the first 100 are padding
    heat = laid(cam, crop, page.size)
    assert heat.shape == (page.height, page.width)
    assert heat[300, 150] < 0.2
    assert heat[300, 200] > 0.8
    assert heat[300, 449] > 0.8
    assert heat[300, 450] == 0
    around = np.asarray(framed(page, crop)).astype(int) - np.asarray(page)
    assert around[100, 150:450].any(axis=1).all()
    assert not around[200:300, 200:300].any()


def test_the_maps_of_a_wide_volume_lie_in_its_space(classifier, scans, tmp_path):
    nibabel = pytest.importorskip("nibabel", reason="needs nibabel")
    scan = Image.open(scans[2]).convert("L").resize((120, 120))
    wide = letterboxed(scan.convert("RGB"), wide=True).convert("L")
    grey = np.asarray(wide).astype(np.int16)
    voxels = np.stack([grey.T[::-1, ::-1]] * 3, axis=2)
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([1, 1, 4, 1])), tmp_path / "wide.nii.gz")
    series = one_series(tmp_path / "wide.nii.gz")
    answers, maps = classifier.explain_series(series)
    crop = answers.slices[0].crop
    assert crop is not None
    volume = cam_volume(series.space, answers, maps, classifier.labels)
    heat = series.space.cut(volume, 1)
    inside = heat[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]
    assert heat.sum() == pytest.approx(inside.sum())
    plain = classifier.explain(scan)
    peak = np.unravel_index(plain.maps[plain.prediction.label].argmax(), (14, 14))
    found = np.unravel_index(inside.argmax(), inside.shape)
    shares = (np.array(found) + 0.5) / inside.shape, (np.array(peak) + 0.5) / 14
    assert np.abs(shares[0] - shares[1]).max() < 0.15
    uncropped = classifier.predict_series(series, crop=False)
    assert all(one.crop is None for one in uncropped.slices)


def test_the_command_says_what_was_seen(cli, page, scans, tmp_path):
    path = tmp_path / "page.png"
    page.save(path)
    first, second = map(json.loads, cli("--json", path, scans[0])[1])
    assert set(first["crop"]) == {"x", "y", "width", "height", "padding"}
    assert (second["crop"], second["warnings"]) == (None, [])
    cli("--csv", tmp_path / "a.csv", path, scans[0])
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    crop = first["crop"]
    assert rows[0]["crop"].startswith(f"x {crop['x']}; y {crop['y']}; width {crop['width']}; ")
    assert rows[1]["crop"] == ""
    (line,) = cli("--json", "--no-crop", path)[1]
    assert json.loads(line)["crop"] is None
    cli("--cam", tmp_path / "maps", path)
    (drawn,) = (Image.open(one).convert("RGB") for one in (tmp_path / "maps").iterdir())
    changed = np.asarray(drawn.crop((0, 0, *page.size))).astype(int) - np.asarray(page)
    assert changed.any()
    assert not changed[: crop["y"]].any()
    assert not changed[:, : crop["x"]].any()


def test_a_sheet_is_answered_panel_by_panel(classifier, film, scans):
    found = classifier.predict_series(film)
    assert (found.name, found.kind) == (str(film), "sheet")
    assert [one.label for one in found.slices] == [label_of(scan) for scan in scans]
    assert [one.path for one in found.slices] == [f"{film}[{k}]" for k in range(len(scans))]
    for number, one in enumerate(found.slices):
        middle = one.crop.x + one.crop.width / 2, one.crop.y + one.crop.height / 2
        expected = 96 + number % 4 * 186, 96 + number // 4 * 186
        assert middle == pytest.approx(expected, abs=30)
        assert one.crop.size == pytest.approx((180, 180), abs=50)
    answers, maps = classifier.explain_series(Image.open(film))
    assert (answers.kind, maps.shape) == ("sheet", (8, 4, 14, 14))
    whole = classifier.predict_series(film, crop=False)
    assert (whole.kind, len(whole.slices)) == ("picture", 1)


def test_predict_names_a_sheet(classifier, film):
    with pytest.raises(InvalidImageError, match=r"film\.png: .*sheet of 8 slices.*predict_series"):
        classifier.predict(film)
    with pytest.raises(InvalidImageError, match="sheet of 8"):
        classifier.explain(film)
    assert classifier.predict(film, crop=False).crop is None


def test_the_command_gives_a_sheet_a_row_a_panel(cli, film, scans, tmp_path):
    first, second, third = map(json.loads, cli("--json", scans[0], film, scans[1])[1])
    assert [first["path"], third["path"]] == [str(scans[0]), str(scans[1])]
    assert second["series"]["kind"] == "sheet"
    assert [one["label"] for one in second["series"]["slices"]] == [*map(label_of, scans)]
    assert len({one["crop"]["x"] for one in second["series"]["slices"]}) >= 4
    lines = cli(film, "--cam", tmp_path / "maps", "--report", tmp_path / "a.html")[1]
    assert [line.split(": ")[0] for line in lines[:-1]] == [f"{film}[{k}]" for k in range(8)]
    assert lines[-1].startswith(f"{film}: sheet, 8 slices: ")
    assert len(list((tmp_path / "maps").iterdir())) == 8
    assert "A sheet of slices" in (tmp_path / "a.html").read_text(encoding="utf-8")
    assert len(cli("--no-crop", film)[1]) == 1


def test_what_is_odd_is_said(classifier, scans):
    negatives = [ImageOps.invert(Image.open(scan).convert("RGB")) for scan in scans]
    negatives += [ImageOps.expand(one, one.width // 4, "white") for one in negatives]
    for one in classifier.predict(negatives):
        assert "inverted" in " ".join(one.warnings)
    for one in classifier.predict(negatives[:2], crop=False):
        assert (one.crop, one.warnings[0][-10:]) == (None, "is bright.")
    said = [
        any("urned by 90 degrees?" in text for text in one.warnings)
        for turns in (1, 3)
        for one in classifier.predict([np.rot90(np.asarray(Image.open(s)), turns) for s in scans])
    ]
    assert sum(said) >= 12  # of 16


def test_a_turned_volume_is_said_once(classifier, scans, tmp_path):
    pages = [Image.open(scan).convert("L").resize((224, 224)).rotate(90) for scan in scans[:4]]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    said = classifier.predict_series(tmp_path / "stack.tif").warnings
    assert sum("Turned by 90 degrees?" in one for one in said) == 1


@needs_cases
@pytest.mark.parametrize("name", ["pacs_screenshot_glioma.png", "borders_text.png"])
def test_cases_answer_as_the_scan(name, classifier, scans):
    answer = classifier.predict(CASES / name)
    assert answer.crop is not None
    assert answer.label == label_of(scans[0])


@needs_cases
def test_the_sheet_of_the_cases_is_read_panel_by_panel(classifier, scans):
    found = classifier.predict_series(CASES / "film_sheet_20.jpg")
    assert (found.kind, len(found.slices)) == ("sheet", 20)
    assert all(one.brain_mri for one in found.slices)
    assert [one.label for one in found.slices[:8]] == [label_of(scan) for scan in scans]


@needs_cases
def test_the_turned_scan_of_the_cases_is_said_to_be(classifier):
    (said,) = classifier.predict(CASES / "rotated90_glioma.jpg").warnings
    assert "urned by 90 degrees?" in said
