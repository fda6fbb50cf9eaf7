"""Part the dataset into five folds: python -m train.folds --data DIR --slices FILE --patients FILE

Writes train/patient_folds.csv, the fold of every file, so that anyone with the Kaggle download can
repeat the `patient` protocol. train/data/folds.py says how patients are kept apart.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from serve.command import RESUMES, UserError, run
from serve.names import LABELS
from train.arguments import add_options
from train.data.dataset import find_all_scans, read_slices
from train.data.duplicates import connected_groups, find_pairs
from train.data.folds import FOLDS, TABLE, place, write_folds
from train.data.patients import read_patients


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.folds", description=__doc__.split(":")[0] + "."
    )
    needed = ("--data", "--slices", "--patients")
    add_options(parser, *needed, required=needed)
    parser.add_argument(
        "--output", type=Path, default=TABLE, metavar="FILE", help="default: the committed table"
    )
    args = parser.parse_args(argv)
    slices, patients = read_slices(args.slices), read_patients(args.patients)
    scans = find_all_scans(args.data)
    if not any(scan.name in slices for scan in scans):
        raise UserError(f"{args.slices}: names no image of {args.data}")
    placed = place(scans, slices, patients, connected_groups(find_pairs(scans), len(scans)))
    for fold in range(FOLDS):
        labels = [p.label for p in placed.values() if p.fold == fold]
        counts = np.bincount(labels, minlength=len(LABELS))
        print(f"fold {fold}: {dict(zip(LABELS, counts.tolist(), strict=True))}")
    write_folds(placed, args.output)
    print(f"wrote {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
