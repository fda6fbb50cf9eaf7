"""The page says of a confidence what serve/track_record.py says."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from serve.track_record import HOSPITALS, PATIENTS, Bin, TrackRecord, meaning
from serve.unfamiliar import in_short, is_unfamiliar, unfamiliar
from tests.conftest import ROOT

ELSEWHERE = [[0.95, 1.0, 300, 290], [0, 0.95, 200, 120]]
BINS = [[0.99, 1.0, 1000, 1000], [0.9, 0.99, 130, 117], [0, 0.9, 181, 98]]
CONFIDENCES = (1.0, 0.99, 0.95, 0.9, 0.3)
SAY = """
const { binOf, isUnsure, meaning } = await import(`${process.argv[1]}/record.js`);
const { inShort, isUnfamiliar, unfamiliar } = await import(`${process.argv[1]}/unfamiliar.js`);
const [record, confidences] = JSON.parse(process.argv[2]);
const said = confidences.map((one) => {
  const warnings = ["It looks odd.", unfamiliar(one, record)];
  return [
    meaning(binOf(record.patients ?? [], one)),
    meaning(binOf(record.hospitals ?? [], one), "hospitals"),
    isUnsure(record, one, false),
    isUnsure(record, one, true),
    warnings,
    warnings.map(inShort),
    [isUnfamiliar(warnings), isUnfamiliar(warnings.slice(0, 1))],
  ];
});
console.log(JSON.stringify(said));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
@pytest.mark.parametrize(
    "groups",
    [{PATIENTS: BINS}, {PATIENTS: BINS, HOSPITALS: ELSEWHERE}, {}],
    ids=["measured", "elsewhere, too", "not measured"],
)
def test_twins(groups):
    page = (ROOT / "serve" / "web" / "page").as_uri()
    command = ["node", "--input-type=module", "-e", SAY, page, json.dumps([groups, CONFIDENCES])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record = TrackRecord({name: [Bin(*one) for one in bins] for name, bins in groups.items()})
    assert json.loads(done.stdout) == [said_of(one, record) for one in CONFIDENCES]


def said_of(confidence: float, record: TrackRecord) -> list:
    warnings = ["It looks odd.", unfamiliar(confidence, record)]
    return [
        meaning(record.at(confidence)),
        meaning(record.at(confidence, HOSPITALS), HOSPITALS),
        record.unsure(confidence),
        record.unsure(confidence, elsewhere=True),
        warnings,
        [in_short(one) for one in warnings],
        [is_unfamiliar(warnings), is_unfamiliar(warnings[:1])],
    ]
