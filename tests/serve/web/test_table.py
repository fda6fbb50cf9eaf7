"""The page's table of several files, and its CSV, are the app's."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from serve.answering import Answered
from serve.app import table
from serve.classifier import Prediction
from serve.formats.errors import InvalidImageError
from serve.formats.slices import Series
from serve.metrics import read_metrics
from serve.series import SeriesPrediction
from serve.web.wording import wording
from tests.serve.web.test_twins import ANSWERS, LABELS, as_sent, node, prediction

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")


def series(name: str, kind: str, slices: list[Prediction]) -> SeriesPrediction:
    return SeriesPrediction(
        name=name,
        kind=kind,
        slices=slices,
        indices=list(range(len(slices))),
        skipped={"without enough brain": 2},
        errors=[],
        warnings=["Turned <90>?"],
        classes={"glioma": 2, "notumor": 1},
        tumour=0.8754,
        run=(0, 1),
        suspicious=[1, 0],
    )


def test_rows_and_csv():
    refused = replace(prediction('=cat, "grey".jpg', None, 31.26), warnings=("Turned?", "Dark."))
    pictures = [*ANSWERS, refused]
    panels = [
        replace(one, path=f"film,1.png[{at}]") for at, one in enumerate([*ANSWERS[:3], refused])
    ]
    several = [
        series("film,1.png", "sheet", panels),
        series("@volume.nii.gz", "NIfTI volume", panels),
    ]
    error = InvalidImageError("words <b>.jpg", "it is no picture\nof anything")
    expected = [Answered(found(one.path), one) for one in pictures]
    expected += [Answered(found(one.name), one) for one in several]
    expected += [Answered(error, error)]
    sent = [
        {"name": one.path, "kind": "picture", "slices": [as_sent(one)], "warnings": one.warnings}
        for one in pictures
    ]
    sent += [_series_as_sent(one) for one in several]
    sent += [{"name": error.name, "error": error.reason}]
    script = '[m.csv(...data), m.table(...data).replace(/ href="[^"]*"/, \'\')]'
    said, rows = node("table.js", script, [wording(read_metrics()), sent])
    assert said == table._csv(expected, LABELS)
    page = table.table(expected, LABELS)
    start, end = page.index(' href="data:'), page.index('">Download')
    assert rows == page[:start] + page[end + 1 :]


def found(name: str) -> Series:
    return Series(name, "picture", 1, lambda _: iter(()))


def _series_as_sent(one: SeriesPrediction) -> dict:
    slices = [
        as_sent(part) | {"index": at} for at, part in zip(one.indices, one.slices, strict=True)
    ]
    return {
        "name": one.name,
        "kind": one.kind,
        "slices": slices,
        "skipped": one.skipped,
        "warnings": one.warnings,
        "classes": one.classes,
        "tumour": one.tumour,
        "run": one.run,
        "suspicious": one.suspicious,
    }
