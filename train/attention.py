"""Does the model look at the tumour? python -m train.attention --data DIR --slices FILE --masks DIR

Grad-CAM of the true class at block5_conv3, on the test sides of the `patient` protocol, against
the radiologists' outlines (MASKS/INDEX.png for slice INDEX); train/evaluation/pointing.py says
what is measured.

With --br35h also on the outlined tumours of that collection, whose type is unknown: the map is
that of the likeliest tumour class. Sample maps go to models/report/samples.png.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from serve.artifacts import METRICS_NAME, write_metrics
from serve.command import RESUMES, run
from train.arguments import OF_A_TRAINING, add_options, read_recipe
from train.data.dataset import find_all_scans, read_slices
from train.data.folds import patient_sides
from train.data.outlines import figshare_outlines
from train.evaluation.pointing import (
    deletion,
    look,
    maps_of,
    outlined,
    outlined_br35h,
    summarize,
    together,
)
from train.learning.training import fit
from train.recipes import DEFAULT_RECIPE, section_of
from train.report.samples import choose_samples, plot_samples


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.attention", description=__doc__.split("?")[0] + "?"
    )
    add_options(parser, *OF_A_TRAINING, required=("--data", "--slices", "--masks"))
    parser.add_argument("--br35h", type=Path, metavar="DIR", help="br35h_tumour")
    args = parser.parse_args(argv)
    scans = find_all_scans(args.data)
    outlines = figshare_outlines(scans, read_slices(args.slices), args.masks)
    br35h = outlined_br35h(args.br35h, scans) if args.br35h else None

    looked, looked_br35h, changed, samples = [], [], [], []
    for fold in patient_sides(scans):
        done = fit(
            fold.training,
            fold.validation,
            read_recipe(args),
            args.seed,
            args.base_weights,
            args.cache,
            outlines,
        )
        side = outlined(fold.tested, fold.labels, outlines)
        maps, logits = maps_of(done, side)
        looked.append(look(maps, logits, side))
        changed.append(deletion(done, side))
        samples += choose_samples(side.scans, side.labels, side.masks, maps, logits)
        if br35h:
            looked_br35h.append(look(*maps_of(done, br35h), br35h))
    figures = summarize(together(looked))
    tumour, elsewhere = np.concatenate(changed).mean(axis=0)
    figures["deletion"] = {
        "scans": sum(map(len, changed)),
        "tumour": float(tumour),
        "elsewhere": float(elsewhere),
    }
    if br35h:
        summary = summarize(together(looked_br35h))
        figures["br35h"] = {part: by_class["all"] for part, by_class in summary.items()}
    for part, by_class in figures.items():
        print(part, by_class)
    if args.recipe == DEFAULT_RECIPE:
        plot_samples(samples, args.output / "report" / "samples.png")
    section = section_of(args.recipe, "attention")
    write_metrics(args.output, section, figures)
    print(f"wrote {section} of {args.output / METRICS_NAME}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
