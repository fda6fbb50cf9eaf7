"""Is the feature cache worth it? python -m train.benchmark --data DIR

Side by side in one run, in turn: an epoch of plain `model.fit` on the whole network (last three
convolutions and head trainable, pixels already in memory, no augmentation to pay for), one view's
extraction, and an epoch of the suffix on the cached features. Medians over the rounds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from serve.artifacts import METRICS_NAME
from serve.command import RESUMES, run
from serve.metrics import write_metrics
from train.arguments import add_options
from train.evaluation.provenance import of_recipe
from train.learning.speed import measure_epochs
from train.recipes import BareRecipe


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.benchmark", description=__doc__.split("?")[0] + "?"
    )
    add_options(parser, "--data", "--base-weights", "--output")
    parser.add_argument("--images", type=int, default=512, metavar="N", help="default: 512")
    args = parser.parse_args(argv)
    figures = measure_epochs(args.data, args.base_weights, args.images)
    print(
        "{images} images. An epoch: plain {plain_epoch_seconds:.1f} s, cached "
        "{cached_epoch_seconds:.1f} s, {epoch_ratio:.2f} times faster. {epochs} epochs with "
        "{views} views of {extraction_seconds_a_view:.1f} s each: {training_ratio:.2f} times "
        "faster.".format(**figures)
    )
    write_metrics(args.output, "benchmark.training", figures, of_recipe(BareRecipe(), seed=0))
    print(f"wrote benchmark.training of {args.output / METRICS_NAME}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
