"""Quote the measured figures: python -m train.report

Fills the tables of README.md and of the model card from models/metrics.json, and draws the
pictures of models/report from the same file and from models/predictions. What was not measured
yet is named on standard output; figures of another checkpoint than the one in models/ are refused.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from serve.artifacts import KERAS_NAME, MODELS, replacing, sha256
from serve.command import run
from serve.metrics import read_metrics, require_current
from serve.trained_on import collections_of
from train.evaluation.predictions import PREDICTIONS, PROTOCOLS, Predictions, read_protocols
from train.report.blocks import BLOCK, CARD, README, fill
from train.report.plots import draw
from train.report.tables import export
from train.report.terms import with_license
from train.report.writing import NOT_MEASURED

REPORT = MODELS / "report"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.report", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument(
        "--readme",
        type=Path,
        nargs="+",
        default=[README, CARD],
        metavar="FILE",
        help="default: README.md models/README.md",
    )
    parser.add_argument(
        "--output", type=Path, default=REPORT, metavar="DIR", help="default: models/report"
    )
    parser.add_argument(
        "--csv", type=Path, metavar="DIR", help="write the tables behind the pictures there, too"
    )
    args = parser.parse_args(argv)
    metrics = read_metrics(MODELS)
    require_current(metrics, sha256(MODELS / KERAS_NAME))
    measured = metrics.get("protocols", {})
    tested = {name: own for name, own in read_protocols(PREDICTIONS).items() if name in measured}
    collections = collections_of()
    texts = {
        page: with_license(fill(page.read_text(encoding="utf-8"), metrics), collections)
        for page in args.readme
    }
    for page, text in texts.items():
        with replacing(page) as temporary:
            temporary.write_text(text, encoding="utf-8")
    written = [*texts, *draw(metrics, tested, args.output)]
    if args.csv:
        written += export(metrics, tested, args.csv)
    for path in written:
        print(f"wrote {path}")
    for name in _missing(texts.values(), tested):
        print(f"not measured yet: {name}")
    return 0


def _missing(texts: Iterable[str], tested: Mapping[str, Predictions]) -> list[str]:
    blocks = [
        match[2]
        for text in texts
        for match in BLOCK.finditer(text)
        if match[0].removeprefix(match[1]).removesuffix(match[3]) in ("", NOT_MEASURED)
    ]
    return [f"block {name}" for name in blocks] + [
        f"predictions of {name}" for name in PROTOCOLS if name not in tested
    ]


if __name__ == "__main__":
    sys.exit(run(main))
