"""Other pictures are drawn only by another VERSION of train/pictures.

What today's draws, in short, is in drawn.json. Where it should differ, count VERSION up and write
it anew: python -m tests.train.pictures.test_version
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from serve.names import INPUT_SIZE
from tests.train.made import disks, example_scans
from train import pictures
from train.pictures.augment import AugmentedViews
from train.pictures.examples import Examples
from train.recipes import RECIPES, RobustRecipe

STORED = Path(__file__).with_name("drawn.json")
SIDE = 32  # of the squares whose mean grey levels are stored
TOLERANCE = 0.1  # grey levels; other processors round a pixel here and there in another way
VIEWS = (1, 2)
CHANCES = {"healed": 0.5, "pasted": 1.0, "patched": 0.5}


def in_short(pixels: np.ndarray, label: int) -> list[float]:
    """The label, and the mean grey level of each square."""
    squares = pixels.mean(axis=2).reshape(-1, SIDE, INPUT_SIZE // SIDE, SIDE)
    return [label, *squares.mean(axis=(1, 3)).round(2).ravel().tolist()]


def drawn_by(name: str) -> list[list[float]]:
    """What a recipe draws of the examples."""
    recipe, scans = RECIPES[name], example_scans()
    views = [(scan, view) for scan in scans for view in VIEWS]
    if not isinstance(recipe, RobustRecipe):
        pixels = AugmentedViews(recipe, seed=0).pixels(views)
        return [in_short(p, scan.label) for p, (scan, _) in zip(pixels, views, strict=True)]
    recipe = dataclasses.replace(recipe, **CHANCES)
    examples = Examples(scans, disks(scans), recipe, seed=0, placed={})
    found = [examples.draw(*view) for view in views]
    return [in_short(one.pixels, one.label) for one in found]


@pytest.mark.parametrize("name", ["seed", "robust", "broad"])
def test_this_version_draws_what_it_drew(name):
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    assert stored["version"] == pictures.VERSION, "write drawn.json anew, see above"
    found, expected = np.array(drawn_by(name)), np.array(stored[name])
    far = np.abs(found - expected).max(axis=1) > TOLERANCE
    assert not far.any(), "other pictures are drawn: count VERSION of train/pictures up, see above"


@pytest.mark.parametrize(
    "make",
    [
        lambda scans: AugmentedViews(RECIPES["seed"], 0),
        lambda scans: Examples(scans, {}, RECIPES["robust"], 0, placed={}),
    ],
    ids=["augmented", "examples"],
)
def test_views_of_another_version_are_kept_apart(make, monkeypatch):
    scans = example_scans()
    sources = [make(scans).source(scans[0], view) for view in (0, 1)]
    monkeypatch.setattr(pictures, "VERSION", pictures.VERSION + 1)
    others = [make(scans).source(scans[0], view) for view in (0, 1)]
    assert sources[0] == others[0] == scans[0].digest  # the scan as it is
    assert sources[1] != others[1]


if __name__ == "__main__":
    drawn = {name: drawn_by(name) for name in ("seed", "robust", "broad")}
    text = json.dumps({"version": pictures.VERSION, **drawn})
    STORED.write_text(text.replace("], [", "],\n[") + "\n", encoding="utf-8")
