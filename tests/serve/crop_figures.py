"""Answers for pictures of plain scans in other surroundings: python -m tests.serve.crop_figures

Makes every kind of picture of scans that the folds' first model never saw, and prints as JSON how
often the class is the plain scan's and how often it is refused.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from serve.classifier import BrainTumorClassifier, Prediction
from serve.names import LABELS
from serve.sheet import find_panels
from serve.turned import looks_turned, may_be_turned
from tests.conftest import BROWSER_FLAGS, DATASET, ROOT
from tests.serve.crop_pictures import (
    SURROUNDS,
    WINDOW,
    bordered,
    letterboxed,
    photograph,
    screenshot,
    sheet,
    viewer_page,
)

DISPLAYED = 448  # pixels, a side of a scan before it is put into a border

Scans = Sequence[Image.Image]
Maker = Callable[[Image.Image], Image.Image]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scans", type=int, default=200, help="of each kind (default: 200)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if not DATASET.is_dir():
        parser.error("needs the whole dataset in ../shared/data")
    scans = [Image.open(path).convert("RGB") for path in unseen(args.scans, args.seed)]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=BROWSER_FLAGS
        )
        window = browser.new_page(viewport=WINDOW)
        figures = measure(scans, args.seed, window)
    json.dump(figures | {"scans": len(scans)}, sys.stdout, indent=2)
    print()
    return 0


def unseen(count: int, seed: int) -> list[Path]:
    """Scans of fold 0, as many of each class."""
    with (ROOT / "train" / "patient_folds.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (row["fold"], row["conflict"]) == ("0", "0")]
    rng = np.random.default_rng(seed)
    chosen = []
    for label in LABELS:
        files = [DATASET / row["file"] for row in rows if row["label"] == label]
        chosen += [files[i] for i in rng.choice(len(files), count // len(LABELS), replace=False)]
    return chosen


def measure(scans: Scans, seed: int, window: Page) -> dict[str, object]:
    """The figures of every kind of picture."""
    classifier = BrainTumorClassifier("int8")
    plain = answers(classifier, scans)
    rng = np.random.default_rng(seed)
    figures: dict[str, object] = {}
    for kind, make in makers(scans, rng, window):
        seen = answers(classifier, [make(scan) for scan in scans])
        pairs = list(zip(seen, plain, strict=True))
        figures[kind] = {
            "same_class": sum(a.label == b.label for a, b in pairs) / len(pairs),
            "refused": sum(not a.brain_mri for a in seen) / len(pairs),
        }
    figures["turned"] = turned(classifier, scans, plain)
    figures["sheets"] = sheets(scans, rng)
    return figures


def answers(classifier: BrainTumorClassifier, pictures: Scans) -> list[Prediction]:
    return classifier.predict(list(pictures))


def turned(
    classifier: BrainTumorClassifier, scans: Scans, plain: Sequence[Prediction]
) -> dict[str, float]:
    """How often scans are said to lie on their side, by the degrees that they are turned."""
    scores = {0: [one.ood_score for one in plain]}
    for turns in (1, 2, 3):
        views = [Image.fromarray(np.rot90(np.asarray(scan), turns)) for scan in scans]
        scores[turns] = [one.ood_score for one in answers(classifier, views)]
    said = {}
    for turns in range(4):
        sides = zip(scores[(turns + 1) % 4], scores[(turns - 1) % 4], strict=True)
        judged = [
            may_be_turned(np.rot90(np.asarray(scan), turns), score)
            and looks_turned(score, side, classifier.ood_threshold)
            for scan, score, side in zip(scans, scores[turns], sides, strict=True)
        ]
        said[str(90 * turns)] = sum(judged) / len(judged)
    return said


def sheets(scans: Scans, rng: np.random.Generator) -> dict[str, float]:
    """How often a sheet's panels are all found, by the colour of its gutters."""
    found = {}
    for colour in ("black", "white", "#777"):
        right = []
        for count, columns in ((4, 2), (12, 4), (11, 4), (20, 5), (30, 6)):
            for gutter in (2, 6, 16):
                chosen = [scans[i] for i in rng.integers(len(scans), size=count)]
                film = sheet(chosen, columns, gutter, colour, text=gutter == 6)
                right.append(len(find_panels(np.asarray(film))) == count)
        found[colour] = sum(right) / len(right)
    return found


def makers(scans: Scans, rng: np.random.Generator, window: Page) -> Iterator[tuple[str, Maker]]:
    yield "bars 2:1", lambda scan: letterboxed(scan, wide=True)
    yield "bars 1:2", lambda scan: letterboxed(scan, wide=False)

    def border(scan: Image.Image) -> Image.Image:
        shown = scan.resize((DISPLAYED, DISPLAYED), Image.Resampling.BICUBIC)
        surround = SURROUNDS[rng.integers(len(SURROUNDS))]
        return bordered(shown, rng.uniform(0.1, 0.6), surround, rng.random() < 0.5, rng)

    def viewer(scan: Image.Image) -> Image.Image:
        others = [scans[i] for i in rng.integers(len(scans), size=2)]
        return screenshot(window, viewer_page(scan, others, rng))

    yield "borders 10 to 60 %", border
    yield "viewer", viewer
    yield "photograph of a screen", lambda scan: photograph(scan, rng)


if __name__ == "__main__":
    sys.exit(main())
