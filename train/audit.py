"""What the dataset's figures are worth: python -m train.audit --data DIR

Finds near-duplicates within and between Training and Testing, mirrored ones too, groups them,
lists label conflicts, and writes

    models/report/audit.csv       a line an image: file, group, duplicate_of, similarity, conflict
    models/report/duplicates.png  pairs across the two folders, label conflicts first
    models/metrics.json           the counts, in `audit`

With --slices and --patients, which prove many pairs to be the very same slice, the search itself is
measured, and it is counted which images are of a patient on the other side.

With --against FOLDER it asks instead which of the pictures in a folder, say another hospital's, are
copies of the dataset's, also zoomed, cropped, turned, mirrored or of other contrast
(train/data/copies.py), says in one line whether they make an external test, and writes

    FILE of --csv                        a line a picture: file, copy_of (empty: no copy), likeness
    models/report/copies_FOLDER.png      pairs
    models/metrics.json                  the counts, in `audit.against.FOLDER`
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from serve.artifacts import METRICS_NAME, replacing
from serve.command import RESUMES, UserError, run
from serve.metrics import read_metrics, write_metrics
from train.arguments import add_options, read_persons, read_slices_of
from train.data.collected import pictures_in
from train.data.copies import KnownScans, Match, grey_levels
from train.data.dataset import UNKNOWN_TUMOUR, Scan, find_all_scans, read_scans
from train.data.duplicates import find_pairs
from train.evaluation.leakage import audit, worst_pairs, write_table
from train.evaluation.provenance import of_data
from train.report.audits import plot_copies, verdict
from train.report.pairs import plot_pairs


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.audit", description=__doc__.split(":")[0] + "."
    )
    add_options(parser, "--data", "--slices", "--patients", "--output")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="FOLDER",
        help="pictures that may be copies of the dataset's",
    )
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="write what they are copies of, with --against"
    )
    args = parser.parse_args(argv)
    if args.against:
        return _against(args)
    if args.csv:
        parser.error("--csv goes with --against")
    return _within(args)


def _within(args: argparse.Namespace) -> int:
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
    if others := read_metrics(args.output).get("audit", {}).get("against"):
        figures["against"] = others
    write_metrics(args.output, "audit", figures, of_data(scans))
    print(f"wrote audit of {args.output / METRICS_NAME}, {report / 'audit.csv'} and a picture")
    return 0


def _against(args: argparse.Namespace) -> int:
    pictures = _pictures_in(args.against)
    scans = find_all_scans(args.data)
    matches = KnownScans(grey_levels(scans)).match(grey_levels(pictures))
    copies = sum(match.is_copy for match in matches)
    name = args.against.resolve().name.replace(".", "_")
    sheet = args.output / "report" / f"copies_{name}.png"
    plot_copies(pictures, scans, matches, sheet)
    written = [f"audit.against.{name} of {args.output / METRICS_NAME}", str(sheet)]
    if args.csv:
        _write_copies(args.csv, args.against, pictures, scans, matches)
        written.append(str(args.csv))
    figures = {
        "checked": len(pictures),
        "copies": copies,
        "share": copies / len(pictures),
    }
    write_metrics(args.output, f"audit.against.{name}", figures, of_data([*scans, *pictures]))
    print(verdict(copies, len(pictures)))
    print(f"wrote {', '.join(written)}")
    return 0


def _pictures_in(folder: Path) -> list[Scan]:
    """Every readable picture of a folder and of those within it.

    Raises:
        UserError: there is no such folder, or it has none.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    files = [(path, UNKNOWN_TUMOUR) for path in pictures_in(folder)]
    pictures = read_scans(files, folder.name)
    if not pictures:
        raise UserError(f"{folder}: has no readable picture")
    return pictures


def _write_copies(
    path: Path,
    folder: Path,
    pictures: Sequence[Scan],
    known: Sequence[Scan],
    matches: Sequence[Match],
) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "copy_of", "likeness"))
        for picture, match in zip(pictures, matches, strict=True):
            copy_of = known[match.known].name if match.is_copy else ""
            name = picture.path.relative_to(folder).as_posix()
            writer.writerow((name, copy_of, f"{match.likeness:.4f}"))


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
