"""The page cuts out what serve/crop.py cuts out."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image

from serve.crop import apply, find_head
from tests.conftest import ROOT
from tests.serve.crop_pictures import SURROUNDS, bordered, letterboxed, photograph, sheet

FIND = """
const { findHead, applyCrop } = await import(process.argv[1]);
const { readFileSync } = await import("node:fs");
const said = JSON.parse(process.argv[2]).map(([file, width, height]) => {
  const rgb = new Uint8Array(readFileSync(file));
  const crop = findHead(rgb, width, height);
  if (crop === null) return null;
  const cut = applyCrop(rgb, width, crop);
  const sum = cut.rgb.reduce((total, level, i) => (total * 31 + level) % 1000003, 0);
  return { crop, cut: [cut.width, cut.height, sum] };
});
console.log(JSON.stringify(said));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_twins(scans, tmp_path):
    pictures = list(_pictures([Image.open(scan).convert("RGB") for scan in scans]))
    expected, files = [], []
    for number, picture in enumerate(pictures):
        pixels = np.asarray(picture)
        file = tmp_path / f"{number}.rgb"
        file.write_bytes(pixels.tobytes())
        files.append([str(file), picture.width, picture.height])
        crop = find_head(pixels)
        expected.append(crop and {"crop": _plain(crop), "cut": _summary(apply(pixels, crop))})
    module = (ROOT / "serve" / "web" / "page" / "crop.js").as_uri()
    command = ["node", "--input-type=module", "-e", FIND, module, json.dumps(files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected
    assert sum(one is not None for one in expected) > 20


def _pictures(scans):
    """Plain scans, and every kind of surround."""
    yield from scans
    rng = np.random.default_rng(0)
    yield sheet(scans, 4, 6, "black", text=True)
    for number, scan in enumerate(scans):
        even = scan.resize((300, 300))
        yield letterboxed(even, wide=number % 2 == 0)
        yield photograph(even, rng)
        for surround in (SURROUNDS[number % 7], SURROUNDS[(number + 3) % 7]):
            yield bordered(even, 0.1 + 0.06 * number, surround, number % 2 == 1, rng)


def _plain(crop):
    return asdict(crop) | {"padding": list(crop.padding)}


def _summary(cut: np.ndarray) -> list[int]:
    total = 0
    for level in cut.ravel().tolist():
        total = (total * 31 + level) % 1000003
    return [cut.shape[1], cut.shape[0], total]
