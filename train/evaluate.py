"""Train one part, test the other: python -m train.evaluate --protocol seed --data DIR

The test side is looked at once, after everything was chosen on the validation side.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from serve.artifacts import LABELS, METRICS_NAME, write_metrics
from train.command import add_training_arguments, one_line_errors, read_training_arguments
from train.dataset import class_counts, find_scans
from train.fit import fit, predict
from train.scoring import score

# protocol -> (trained on, tested on)
PROTOCOLS = {
    "seed": ("Testing", "Training"),  # the original notebook's own way
    "kaggle": ("Training", "Testing"),  # the published split
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.evaluate", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument("--protocol", choices=PROTOCOLS, required=True)
    add_training_arguments(parser)
    args = parser.parse_args(argv)
    recipe, slices = read_training_arguments(args)

    train_part, test_part = PROTOCOLS[args.protocol]
    scans, test = find_scans(args.data, train_part), find_scans(args.data, test_part)
    print(f"train on {train_part}: {class_counts(scans)}")
    print(f"test on {test_part}: {class_counts(test)}")
    done = fit(scans, slices, recipe, args.seed, args.base_weights, args.cache)
    figures = score(
        np.array([scan.label for scan in test]), predict(done.suffix, done.features, test)
    )
    figures |= {"recipe": args.recipe, "seed": args.seed, "training_images": len(done.training)}
    print(table(figures))
    write_metrics(args.output, f"protocols.{args.protocol}", figures)
    print(f"wrote protocols.{args.protocol} of {args.output / METRICS_NAME}")
    return 0


def table(figures: dict[str, Any]) -> str:
    """The figures of `train.scoring.score` as text."""
    lines = [f"accuracy {figures['accuracy']:.2%}, macro F1 {figures['macro_f1']:.3f}"]
    lines.append(f"{'':12}{'precision':>10}{'recall':>10}{'F1':>8}{'AUC':>8}")
    for name in LABELS:
        row = figures["per_class"][name]
        lines.append(
            f"{name:12}{row['precision']:>10.1%}{row['recall']:>10.1%}"
            f"{row['f1']:>8.3f}{row['auc']:>8.3f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(one_line_errors(main))
