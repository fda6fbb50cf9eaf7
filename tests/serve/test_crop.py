"""The scan is found in borders, bars, viewers, photographs and sheets; plain scans are left."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image

from serve.classifier import BrainTumorClassifier
from serve.crop import Crop, apply, find_head
from serve.sheet import find_panels
from serve.turned import looks_turned, may_be_turned, turned_views
from tests.conftest import BR35H, DATASET, SHARED, needs_dataset
from tests.serve.crop_figures import unseen
from tests.serve.crop_pictures import (
    SURROUNDS,
    WINDOW,
    bordered,
    letterboxed,
    photograph,
    screenshot,
    sheet,
    tiles,
    viewer_page,
)

CASES = SHARED / "cases" / "files"
FEW = 20  # scans a kind; the figures of many are python -m tests.serve.crop_figures


@pytest.fixture(scope="module")
def classifier():
    return BrainTumorClassifier("int8")


@pytest.fixture(scope="module")
def unseen_scans():
    if not DATASET.is_dir():
        pytest.skip("needs the whole dataset in ../shared/data")
    return [Image.open(path).convert("RGB") for path in unseen(FEW, seed=0)]


@pytest.fixture(scope="module")
def plain(classifier, unseen_scans):
    return [answer.label for answer in classifier.predict(unseen_scans)]


@pytest.fixture
def examples(scans):
    return [Image.open(scan).convert("RGB") for scan in scans]


def test_plain_scans_are_left(examples):
    assert [find_head(np.asarray(scan)) for scan in examples] == [None] * len(examples)


@needs_dataset
@pytest.mark.parametrize(
    ("folder", "step", "most"), [(DATASET, 40, 0.01), (BR35H / "images", 20, 0.02)]
)
def test_collections_are_left(folder, step, most):
    files = sorted(folder.rglob("*.jpg"))[::step]
    pictures = [np.asarray(Image.open(file).convert("RGB")) for file in files]
    assert sum(find_head(one) is not None for one in pictures) <= most * len(files)
    assert not any(find_panels(one) for one in pictures)


@pytest.mark.parametrize("surround", SURROUNDS)
@pytest.mark.parametrize("share", [0.15, 0.3, 0.6])
def test_borders_are_cut_off(examples, surround, share):
    rng = np.random.default_rng(0)
    for scan in examples:
        even = scan.resize((400, 400))
        crop = find_head(np.asarray(bordered(even, share, surround, True, rng)))
        assert crop is not None
        _close(crop, round(400 * share), 400, 0.35 if surround == "black" else 0.12)


@pytest.mark.parametrize("wide", [True, False])
def test_bars_are_cut_off(examples, wide):
    for scan in examples:
        even = scan.resize((300, 300))
        crop = find_head(np.asarray(letterboxed(even, wide)))
        assert crop is not None
        assert crop.width == pytest.approx(crop.height, rel=0.2)


def _close(crop: Crop, start: int, side: int, most: float) -> None:
    """The crop is the scan but for a share of its side."""
    edges = crop.x, crop.y, crop.x + crop.width, crop.y + crop.height
    off = np.abs(np.array(edges) - [start, start, start + side, start + side])
    assert off.max() <= most * side


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wide", "tall", "border", "photograph"])
def test_answers_stay(kind, classifier, unseen_scans, plain):
    rng = np.random.default_rng(0)
    make = {
        "wide": lambda scan: letterboxed(scan, wide=True),
        "tall": lambda scan: letterboxed(scan, wide=False),
        "border": lambda scan: bordered(
            scan.resize((448, 448)),
            rng.uniform(0.1, 0.6),
            SURROUNDS[rng.integers(len(SURROUNDS))],
            True,
            rng,
        ),
        "photograph": lambda scan: photograph(scan, rng),
    }[kind]
    _stay(classifier, [make(scan) for scan in unseen_scans], plain, kind)


@pytest.mark.slow
def test_answers_stay_in_a_viewer(classifier, unseen_scans, plain, browser):
    rng = np.random.default_rng(0)
    page = browser.new_page(viewport=WINDOW)
    shots = [screenshot(page, viewer_page(scan, unseen_scans[:2], rng)) for scan in unseen_scans]
    page.close()
    _stay(classifier, shots, plain, "viewer")


def _stay(classifier, pictures, plain, kind):
    answers = classifier.predict(pictures)
    same = [answer.label == label for answer, label in zip(answers, plain, strict=True)]
    assert sum(same) >= (0.7 if kind == "photograph" else 0.8) * len(same)
    refused = sum(not answer.brain_mri for answer in answers)
    assert refused <= (0.2 if kind == "photograph" else 0.1) * len(answers)


@pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/cases")
def test_film_sheet():
    film = np.asarray(Image.open(CASES / "film_sheet_20.jpg").convert("RGB"))
    panels = find_panels(film)
    assert len(panels) == 20
    assert panels == sorted(panels, key=lambda box: (box[1], box[0]))
    for left, top, right, bottom in panels:
        assert (right - left, bottom - top) == pytest.approx((240, 240), abs=24)


@pytest.mark.parametrize(("count", "columns"), [(4, 2), (12, 4), (11, 4), (30, 6)])
@pytest.mark.parametrize("colour", ["black", "white", "#777"])
def test_sheets(examples, count, columns, colour):
    scans = [examples[k % len(examples)] for k in range(count)]
    for gutter in (2, 6, 16):
        film = np.asarray(sheet(scans, columns, gutter, colour, text=gutter == 6))
        panels = find_panels(film)
        assert len(panels) == count
        middles = [((box[0] + box[2]) // 2, (box[1] + box[3]) // 2) for box in panels]
        pitch = 180 + gutter
        expected = [
            (gutter + k % columns * pitch + 90, gutter + k // columns * pitch + 90)
            for k in range(count)
        ]
        assert np.abs(np.array(middles) - expected).max() <= 45


@pytest.mark.parametrize(("count", "columns"), [(2, 2), (4, 2), (6, 3), (12, 4)])
@pytest.mark.parametrize(("bar", "panel"), [(0, 0), (40, 0), (40, 160)])
def test_viewers_that_show_several_scans(examples, count, columns, bar, panel):
    scans = [examples[k % len(examples)] for k in range(count)]
    panels = find_panels(np.asarray(tiles(scans, columns, bar, panel)))
    assert len(panels) == count
    across, down = (1280 - panel) / columns, (800 - bar) / (count // columns)
    for k, (left, top, right, bottom) in enumerate(panels):
        middle = panel + (k % columns + 0.5) * across, bar + (k // columns + 0.5) * down
        assert left < middle[0] < right
        assert top < middle[1] < bottom


def test_one_scan_in_a_border_is_no_sheet(examples):
    rng = np.random.default_rng(0)
    for scan in examples:
        for surround in ("black", "white", "noise"):
            assert not find_panels(np.asarray(bordered(scan, 0.3, surround, True, rng)))
        assert not find_panels(np.asarray(letterboxed(scan.resize((300, 300)), wide=True)))


def test_turned_scans_are_said(classifier, examples):
    said = []
    for turns in (0, 1, 3):
        for scan in examples:
            views = [np.rot90(np.asarray(scan), turns)]
            views += turned_views(views[0])
            pictures = [Image.fromarray(view) for view in views]
            score, *sides = [one.ood_score for one in classifier.predict(pictures)]
            looks = looks_turned(score, sides, classifier.ood_threshold)
            said.append((turns, may_be_turned(views[0], score) and looks))
    assert not any(one for turns, one in said if turns == 0)
    assert sum(one for turns, one in said if turns) >= 12  # of 16


def test_what_is_no_scan_either_way_is_not_turned():
    assert not looks_turned(20.0, [9.0, 12.0], threshold=4.8)
    assert looks_turned(4.0, [1.5, 3.0], threshold=4.8)


def test_turned_views_of_what_is_plainly_upright_or_a_usual_scan_are_not_asked_for(examples):
    upright = [np.asarray(scan.convert("RGB")) for scan in examples]
    lying = [view for pixels in upright for view in turned_views(pixels)]
    assert sum(may_be_turned(pixels, 2.0) for pixels in upright) <= len(upright) // 2
    assert all(may_be_turned(pixels, 2.0) for pixels in lying)
    assert not any(may_be_turned(pixels, 0.8) for pixels in lying)
    assert may_be_turned(np.zeros((20, 30, 3), np.uint8), 2.0)


@pytest.mark.parametrize(("side", "most"), [(512, 0.005), (2000, 0.03)])
def test_it_is_quick(examples, side, most):
    picture = np.asarray(examples[0].resize((side, side)))
    spent = []
    for _ in range(5):
        started = time.process_time()
        find_head(picture)
        spent.append(time.process_time() - started)
    assert min(spent) < 2 * most  # of a busy machine


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (3, 2), (20, 500), (224, 224)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_nothing_to_find(shape, level):
    picture = np.full((*shape, 3), level, np.uint8)
    crop = find_head(picture)
    assert crop is None
    assert find_panels(picture) == []


def test_padding_is_black():
    picture = np.full((40, 30, 3), 9, np.uint8)
    cut = apply(picture, Crop(2, 0, 20, 40, padding=(5, 0, 15, 0)))
    assert cut.shape == (40, 40, 3)
    assert not cut[:, :5].any()
    assert not cut[:, 25:].any()
    assert (cut[:, 5:25] == 9).all()
