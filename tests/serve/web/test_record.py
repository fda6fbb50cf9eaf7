"""The page says of a confidence what serve/track_record.py says."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from serve.track_record import PATIENTS, Bin, TrackRecord, meaning
from tests.conftest import ROOT

BINS = [[0.99, 1.0, 1000, 1000], [0.9, 0.99, 130, 117], [0, 0.9, 181, 98]]
CONFIDENCES = (1.0, 0.99, 0.95, 0.9, 0.3)
SAY = """
const { binOf, isUnsure, meaning } = await import(process.argv[1]);
const [bins, confidences] = JSON.parse(process.argv[2]);
const said = confidences.map((one) => [meaning(binOf(bins, one)), isUnsure(binOf(bins, one))]);
console.log(JSON.stringify(said));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
@pytest.mark.parametrize("bins", [BINS, []], ids=["measured", "not measured"])
def test_twins(bins):
    module = (ROOT / "serve" / "web" / "page" / "record.js").as_uri()
    command = ["node", "--input-type=module", "-e", SAY, module, json.dumps([bins, CONFIDENCES])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record = TrackRecord({PATIENTS: [Bin(*one) for one in bins]})
    expected = [[meaning(record.at(one)), record.unsure(one)] for one in CONFIDENCES]
    assert json.loads(done.stdout) == expected
