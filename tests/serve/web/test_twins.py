"""What the page says and computes is what the app says and computes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import Image, ImageOps

from serve.app import html, volume
from serve.classifier import Prediction
from serve.crop import Crop, within
from serve.formats.grey import looks_inverted, to_8_bit
from serve.formats.slices import Slice
from serve.formats.space import finest, space_of
from serve.metrics import read_metrics
from serve.series import SeriesPrediction, _longest_run, most_suspicious, pooled
from serve.sheet import find_panels
from serve.track_record import HOSPITALS, PATIENTS, Bin, TrackRecord
from serve.turned import looks_turned, may_be_turned, turned_views
from serve.unfamiliar import unfamiliar
from serve.view import INVERTED, view_of
from serve.web.wording import wording
from tests.conftest import ROOT, SHARED
from tests.serve.crop_pictures import bordered, sheet, tiles

FILM = SHARED / "cases" / "files" / "film_sheet_20.jpg"
PAGE = ROOT / "serve" / "web" / "page"
LABELS = ("glioma", "meningioma", "notumor", "pituitary")
BINS = [[0.9, 1.0, 1000, 990], [0.0, 0.9, 181, 98]]
ELSEWHERE = [[0.0, 1.0, 500, 400]]
RECORD = TrackRecord(
    {PATIENTS: [Bin(*one) for one in BINS], HOSPITALS: [Bin(*one) for one in ELSEWHERE]}
)

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")


def node(module: str, script: str, data: object) -> object:
    """What a script gives for `data` with what a module of the page exports."""
    code = f"const m = await import({json.dumps((PAGE / module).as_uri())});\n"
    code += "let text = ''; for await (const part of process.stdin) text += part;\n"
    code += f"const data = JSON.parse(text);\nconsole.log(JSON.stringify({script}));"
    done = subprocess.run(
        ["node", "--input-type=module", "-e", code],
        input=json.dumps(data),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def prediction(name: str, shares: tuple[float, ...] | None, score: float = 1.2) -> Prediction:
    known = None if shares is None else dict(zip(LABELS, shares, strict=True))
    label = max(known, key=known.__getitem__) if known else None
    confidence = known[label] if known else None
    unsure = confidence is not None and RECORD.unsure(confidence)
    return Prediction(name, label, confidence, known, known is not None, unsure, score, "", "", 0)


ANSWERS = [
    replace(prediction("sure <b>.jpg", (0.95, 0.03, 0.015, 0.005)), warnings=(INVERTED,)),
    prediction("unsure.jpg", (0.5, 0.4, 0.06, 0.04)),
    replace(
        prediction("unlike.jpg", (0.97, 0.01, 0.01, 0.01)), warnings=(unfamiliar(0.97, RECORD),)
    ),
    prediction("healthy.jpg", (0.01, 0.01, 0.97, 0.01)),
    prediction("extreme.jpg", (0.00002, 0.00001, 0.00002, 0.99995)),
]


def as_sent(one: Prediction) -> dict:
    return {
        "name": one.path,
        "label": one.label,
        "confidence": one.confidence,
        "probabilities": one.probabilities,
        "unsure": one.unsure,
        "oodScore": one.ood_score,
        "warnings": one.warnings,
    }


def test_an_answer_and_a_refusal():
    metrics = read_metrics()
    words, record = wording(metrics), {PATIENTS: BINS, HOSPITALS: ELSEWHERE}
    data = [words, record, [as_sent(one) for one in ANSWERS]]
    said = node("answers.js", "data[2].map((one) => m.answer(data[0], data[1], one))", data)
    expected = [html.answer(one, RECORD, metrics) for one in ANSWERS]
    assert said == expected
    refused = replace(prediction("cat.jpg", None, 31.26), warnings=("Turned <90>?",))
    (said,) = node("answers.js", "[m.refusal(data[0], data[1], 2.04)]", [words, as_sent(refused)])
    assert said == html.refusal(refused, 2.04)


@pytest.mark.parametrize("kind", ["NIfTI volume", "sheet"])
@pytest.mark.parametrize(
    "suspicion",
    [(0.1, 0.2, 0.9, 0.95, 0.85, 0.8, None, 0.7, 0.3, 0.6), (0.1, 0.2), (None, None)],
)
def test_a_series(suspicion, kind):
    slices = [
        prediction(f"a[{i}]", None if p is None else (p * 0.9, p * 0.06, 1 - p, p * 0.04))
        for i, p in enumerate(suspicion)
    ]
    indices = list(range(2, 2 + len(slices)))
    tumour = [
        None if one.probabilities is None else 1 - one.probabilities["notumor"] for one in slices
    ]
    series = SeriesPrediction(
        name="volume.nii.gz",
        kind=kind,
        slices=slices,
        indices=indices,
        skipped={"without enough brain": 4},
        errors=["one"],
        warnings=["It holds 2 volumes; the first was read."],
        classes=dict(Counter(one.label for one in slices if one.label)),
        tumour=pooled(tumour),
        run=_longest_run(tumour, indices),
        suspicious=most_suspicious(tumour, indices),
    )
    sent = [
        {"index": index, "label": one.label, "tumour": share}
        for index, one, share in zip(indices, slices, tumour, strict=True)
    ]
    summary = node("series.js", "m.summary(data)", sent)
    assert summary["tumour"] == (None if series.tumour is None else pytest.approx(series.tumour))
    assert summary["run"] == (None if series.run is None else list(series.run))
    assert summary["suspicious"] == series.suspicious
    assert summary["classes"] == series.classes
    metrics = read_metrics()
    rest = {"name": series.name, "kind": series.kind, "slices": sent, "skipped": series.skipped}
    rest |= {"errors": series.errors, "warnings": series.warnings}
    said = node(
        "answers.js", "m.seriesAnswer(data[0], data[1])", [wording(metrics), summary | rest]
    )
    assert said == volume.answer(series, metrics)


@pytest.mark.parametrize("kind", ["plain", "hot pixels", "letters", "colours", "float"])
def test_grey_levels(kind):
    rng = np.random.default_rng(0)
    values = rng.gamma(2, 300, (40, 50)) * (rng.random((40, 50)) > 0.4)
    if kind == "hot pixels":
        values[3, 4] = values[20, 21] = 60_000
    elif kind == "letters":
        values[2:6, 2:30] = 9000
    elif kind == "colours":
        values = rng.integers(0, 4096, (40, 50, 3)).astype(float)
    values = values.astype(np.float64 if kind == "float" else np.uint16)
    height, width, channels = (*values.shape, 1)[:3]
    data = {"data": values.ravel().tolist(), "width": width, "height": height, "channels": channels}
    said = node("grey.js", "[...m.to8Bit(data)]", data)
    assert np.abs(np.array(said) - to_8_bit(values).ravel().astype(int)).max() <= 1


@pytest.mark.parametrize("crop", [True, False])
def test_what_is_seen_of_a_slice(scans, crop):
    rng = np.random.default_rng(0)
    plain = [Image.open(scan).convert("RGB").resize((200, 200)) for scan in scans[:2]]
    pictures = [
        *plain,
        *map(ImageOps.invert, plain),
        *(bordered(one, 0.4, "white", True, rng) for one in plain),
        *(bordered(ImageOps.invert(one), 0.4, "white", False, rng) for one in plain),
    ]
    for picture in pictures:
        pixels = np.asarray(picture)
        view = view_of(Slice(pixels, 0, "a"), 224, crop)
        data = {"rgb": pixels.ravel().tolist(), "width": picture.width, "height": picture.height}
        script = f"m.viewOf({{ ...data, rgb: Uint8Array.from(data.rgb) }}, {json.dumps(crop)})"
        said = node("view.js", f"(({{ crop, inverted }}) => [crop, inverted])({script})", data)
        expected = view.crop and asdict(view.crop) | {"padding": list(view.crop.padding)}
        assert said == [expected, INVERTED in view.warnings]


def test_the_panels_of_a_sheet(scans, tmp_path):
    pictures = [Image.open(scan).convert("RGB") for scan in scans]
    rng = np.random.default_rng(0)
    sheets = [
        sheet([pictures[k % 8] for k in range(count)], columns, gutter, colour, text=gutter == 6)
        for count, columns in ((4, 2), (11, 4), (30, 6))
        for gutter, colour in ((2, "black"), (6, "white"), (16, "#777"))
    ]
    sheets += [
        tiles([pictures[k] for k in range(count)], columns, bar, panel)
        for count, columns in ((2, 2), (6, 3))
        for bar, panel in ((0, 0), (40, 160))
    ]
    sheets += [bordered(pictures[0], 0.3, "white", True, rng), *pictures[:2]]
    if FILM.is_file():
        sheets.append(Image.open(FILM).convert("RGB"))
    files = []
    for number, picture in enumerate(sheets):
        file = tmp_path / f"{number}.rgb"
        file.write_bytes(picture.tobytes())
        files.append([str(file), picture.width, picture.height])
    script = (
        "await Promise.all(data.map(async ([file, width, height]) => m.findPanels("
        "new Uint8Array((await import('node:fs')).readFileSync(file)), width, height)))"
    )
    said = node("sheet.js", script, files)
    expected = [find_panels(np.asarray(one)) for one in sheets]
    assert said == [[list(box) for box in boxes] for boxes in expected]
    assert sum(bool(boxes) for boxes in expected) >= 13


def test_what_lies_on_its_side():
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    data = {"rgb": pixels.ravel().tolist(), "width": 3, "height": 2}
    said = node("view.js", "m.turnedViews(data).map((one) => [...one.rgb])", data)
    assert said == [one.ravel().tolist() for one in turned_views(pixels)]
    for score in (0.5, 1.9, 3.0):
        for turned in ([0.5, 4.0], [1.7, 1.8], [2.9, 2.8]):
            said = node("view.js", "m.looksTurned(...data)", [score, turned, 2.0])
            assert said == looks_turned(score, turned, 2.0)


def test_what_is_worth_a_look_at_its_turned_views(scans):
    shown = []
    for scan, size in zip(scans, ((224, 224), (200, 231), (90, 57), (40, 70)) * 2, strict=True):
        pixels = np.asarray(Image.open(scan).convert("RGB").resize(size))
        for view in (pixels, *turned_views(pixels), np.zeros_like(pixels)):
            data = {"rgb": view.ravel().tolist(), "width": view.shape[1], "height": view.shape[0]}
            shown.append(node("view.js", "[0.5, 2].map((one) => m.mayBeTurned(data, one))", data))
            assert shown[-1] == [may_be_turned(view, score) for score in (0.5, 2.0)]
    assert 8 < sum(worth for _, worth in shown) < 32


def test_what_looks_inverted():
    rng = np.random.default_rng(0)
    for ground in (0, 120, 170, 255):
        pixels = np.full((60, 44, 3), ground, np.uint8)
        pixels[15:45, 10:34] = rng.integers(30, 180, (30, 24, 3))
        said = node("grey.js", "m.looksInverted(data, 44, 60)", pixels.ravel().tolist())
        assert said == looks_inverted(pixels), ground


def test_how_a_volume_is_cut():
    rng = np.random.default_rng(0)
    for _ in range(12):
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0] @ np.diag(rng.choice([0.8, 1, 5], 3))
        affine = np.eye(4)
        affine[:3, :3] = turn
        shape = (3, 4, 5)
        voxels = rng.integers(0, 255, shape)
        direction = finest(shape, affine)
        space = space_of(shape, affine, direction)
        data = [list(shape), affine.tolist(), voxels.ravel(order="F").tolist()]
        script = """(() => {
          const space = m.spaceOf(data[0], data[1], m.finest(data[0], data[1]));
          const count = data[0][space.axes[0]];
          const cuts = Array.from({ length: count }, (_, index) =>
            m.cut(space, (at) => data[2][at], index));
          return [space.spacing, cuts.map((one) => [one.height, one.width, [...one.data]])];
        })()"""
        spacing, cuts = node("space.js", script, data)
        assert spacing == pytest.approx(list(space.spacing))
        expected = [space.cut(voxels, index) for index in range(space.slices)]
        assert cuts == [[*one.shape, one.ravel().tolist()] for one in expected]


def test_a_frame_that_is_drawn_becomes_the_same_crop():
    frames = [(10, 20, 300, 200), (-5, -5, 400, 900), (0, 0, 50, 201), (0, 0, 201, 50)]
    frames += [(300, 0, 10, 10), (0, -9, 10, 9), (4, 4, 0, 10), (0, 0, 300, 20)]
    names = ("x", "y", "width", "height")
    given = [dict(zip(names, one, strict=True)) for one in frames]
    found = node("crop.js", "data.map((one) => m.within(one, 300, 240))", given)
    own = [within(Crop(*one), 300, 240) for one in frames]
    expected = [one and asdict(one) | {"padding": list(one.padding)} for one in own]
    assert found == expected
    assert sum(one is None for one in found) == 4
