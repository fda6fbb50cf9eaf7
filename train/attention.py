"""Does the model look at the tumour? python -m train.attention --data DIR --slices FILE --masks DIR

Grad-CAM of the true class at block5_conv3, on the test sides of the `patient` protocol, against
the radiologists' outlines (MASKS/INDEX.png for slice INDEX); train/evaluation/pointing.py says
what is measured.

With --br35h also on the outlined tumours of that collection, whose type is unknown: the map is
that of the likeliest tumour class; but not by the broad recipe, which trains on them (`unseen` of
train.evaluate points at its collections). Sample maps go to models/report/samples.png.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np

from serve.artifacts import METRICS_NAME
from serve.command import RESUMES, run
from serve.metrics import write_metrics
from train.arguments import OF_A_TRAINING, add_options, read_collected, read_recipe
from train.data.collections import Collected, place_all
from train.data.dataset import find_all_scans, read_slices
from train.data.outlines import figshare_outlines
from train.data.sides import folds_of
from train.evaluation.pointing import (
    deletion,
    look,
    maps_of,
    outlined,
    outlined_br35h,
    summarize,
    together,
)
from train.evaluation.provenance import of_data, of_recipe
from train.learning.training import fit
from train.recipes import DEFAULT_RECIPE, BroadRecipe, section_of
from train.report.samples import choose_samples, plot_samples


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.attention", description=__doc__.split("?")[0] + "?"
    )
    add_options(parser, *OF_A_TRAINING, required=("--data", "--slices", "--masks"))
    args = parser.parse_args(argv)
    scans = find_all_scans(args.data)
    outlines = figshare_outlines(scans, read_slices(args.slices), args.masks)
    recipe, broad = read_recipe(args), isinstance(read_recipe(args), BroadRecipe)
    collected = read_collected(args, scans) if broad else Collected()
    br35h = outlined_br35h(args.br35h, scans) if args.br35h and not broad else None

    looked, looked_br35h, changed, samples = [], [], [], []
    for fold in folds_of(scans, collected, broad, recipe.left_out):
        done = fit(
            fold.training,
            fold.validation,
            recipe,
            args.seed,
            args.base_weights,
            args.cache,
            outlines | collected.outlines,
            place_all(collected),
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
    looked_at = [*scans, *(br35h.scans if br35h else [])]
    of = of_recipe(recipe, args.seed) | of_data(looked_at)
    write_metrics(args.output, section, figures, of)
    print(f"wrote {section} of {args.output / METRICS_NAME}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
