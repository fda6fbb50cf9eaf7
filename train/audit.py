"""What the dataset's figures are worth: python -m train.audit --data DIR

Finds near-duplicates within and between Training and Testing, mirrored ones too, groups them,
lists label conflicts, and writes

    models/report/audit.csv       a line an image: file, group, duplicate_of, similarity, conflict
    models/report/duplicates.png  pairs across the two folders, label conflicts first
    models/metrics.json           the counts, in `audit`

With --slices and --patients, which prove many pairs to be the very same slice, the search itself is
measured, and it is counted which images are of a patient on the other side.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from serve.artifacts import METRICS_NAME, write_metrics
from serve.command import RESUMES, run
from train.arguments import add_options, read_persons, read_slices_of
from train.data.dataset import find_all_scans
from train.data.duplicates import find_pairs
from train.evaluation.leakage import audit, worst_pairs, write_table
from train.report.plots import plot_pairs


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.audit", description=__doc__.split(":")[0] + "."
    )
    add_options(parser, "--data", "--slices", "--patients", "--output")
    args = parser.parse_args(argv)
    slices = read_slices_of(args)
    scans = find_all_scans(args.data)
    pairs = find_pairs(scans)
    persons = read_persons(args, scans, slices)
    figures = audit(scans, pairs, slices, persons)
    leaked = figures["testing_with_duplicate_in_training"]["all"]
    print(
        f"{figures['pairs']} pairs, {figures['mirrored_pairs']} of them mirrored, in "
        f"{figures['groups']} groups; {figures['conflicting_pairs']} pairs with two labels\n"
        f"{leaked} of {figures['images']['Testing']} Testing images have a duplicate in Training"
    )
    if slices:
        print(
            "of {proven_pairs} proven pairs {found_share:.2%} found; {false_share:.2%} of those "
            "found are false".format(**figures["search"])
        )
    report = args.output / "report"
    write_table(scans, pairs, persons, report / "audit.csv")
    plot_pairs(worst_pairs(scans, pairs), report / "duplicates.png")
    write_metrics(args.output, "audit", figures)
    print(f"wrote audit of {args.output / METRICS_NAME}, {report / 'audit.csv'} and a picture")
    return 0


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
