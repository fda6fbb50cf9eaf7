"""What the dataset's figures are worth: python -m train.audit --data DIR

Finds near-duplicates within and between Training and Testing, mirrored ones too, groups them,
lists label conflicts, and writes

    models/report/audit.csv       a line an image: file, group, duplicate_of, similarity, conflict
    models/report/duplicates.png  pairs across the two folders, label conflicts first
    models/metrics.json           the counts, in `audit`

With --slices, which proves many pairs to be the very same slice, the search itself is measured.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from serve.artifacts import METRICS_NAME, MODELS, replacing, write_metrics
from serve.command import RESUMES, run
from serve.names import LABELS
from train.data.dataset import PARTS, Scan, Slice, find_scans, read_slices
from train.data.duplicates import Pairs, connected_groups, find_pairs, related_groups
from train.report.plots import plot_pairs

SHOWN_PAIRS = 12


def audit(scans: Sequence[Scan], pairs: Pairs, slices: Mapping[str, Slice]) -> dict[str, Any]:
    """Count what the pairs show, and with `slices` how well they were found."""
    labels = np.array([scan.label for scan in scans])
    testing = np.array([scan.part == "Testing" for scan in scans])
    across = testing[pairs.first] != testing[pairs.second]
    leaked = np.zeros(len(scans), bool)
    leaked[pairs.first[across]] = leaked[pairs.second[across]] = True
    leaked &= testing
    conflict = labels[pairs.first] != labels[pairs.second]
    groups = connected_groups(pairs, len(scans))
    figures: dict[str, Any] = {
        "images": {part: int(sum(scan.part == part for scan in scans)) for part in PARTS},
        "pairs": len(pairs.first),
        "mirrored_pairs": int(pairs.mirrored.sum()),
        "groups": int(groups.max()) + 1,
        "conflicting_pairs": int(conflict.sum()),
        "testing_with_duplicate_in_training": {
            name: int((leaked & (labels == i)).sum()) for i, name in enumerate(LABELS)
        }
        | {"all": int(leaked.sum())},
    }
    if slices:
        figures["search"] = _search_quality(_indices(scans, slices), pairs)
        related = related_groups(scans, pairs, slices)
        trained = np.isin(related, related[~testing]) & testing
        figures["testing_related_to_training"] = {
            name: int((trained & (labels == i)).sum()) for i, name in enumerate(LABELS)
        } | {"all": int(trained.sum())}
    return figures


def _search_quality(indices: np.ndarray, pairs: Pairs) -> dict[str, float]:
    """How the pairs compare with figshare_index, where both images have one (-1: none)."""
    known = (indices[pairs.first] >= 0) & (indices[pairs.second] >= 0)
    right = known & (indices[pairs.first] == indices[pairs.second])
    counts = np.bincount(indices[indices >= 0])
    proven = int((counts * (counts - 1) // 2).sum())
    return {
        "proven_pairs": proven,
        "found_share": float(right.sum() / proven),
        "false_share": float((known & ~right).sum() / max(known.sum(), 1)),
    }


def _indices(scans: Sequence[Scan], slices: Mapping[str, Slice]) -> np.ndarray:
    found = [slices.get(scan.name) for scan in scans]
    return np.array([-1 if slice_ is None else slice_.index for slice_ in found])


def write_table(
    scans: Sequence[Scan], pairs: Pairs, slices: Mapping[str, Slice], path: Path
) -> None:
    """A line an image: its group, its most similar duplicate, whether labels conflict, and the
    group of scans that may be of one patient (without `slices` the same groups)."""
    nearest: dict[int, tuple[float, int]] = {}
    conflicts = set()
    for first, second, similarity in zip(
        pairs.first.tolist(), pairs.second.tolist(), pairs.similarity.tolist(), strict=True
    ):
        for one, other in ((first, second), (second, first)):
            nearest[one] = max(nearest.get(one, (-1.0, 0)), (similarity, other))
        if scans[first].label != scans[second].label:
            conflicts |= {first, second}
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "group", "duplicate_of", "similarity", "conflict", "related"))
        groups = connected_groups(pairs, len(scans)), related_groups(scans, pairs, slices)
        for i, (scan, group, related) in enumerate(zip(scans, *groups, strict=True)):
            similarity, other = nearest.get(i, (None, None))
            writer.writerow(
                (
                    scan.name,
                    group,
                    "" if other is None else scans[other].name,
                    "" if similarity is None else f"{similarity:.4f}",
                    int(i in conflicts),
                    related,
                )
            )


def worst_pairs(scans: Sequence[Scan], pairs: Pairs) -> list[tuple[Scan, Scan, float, bool]]:
    """Label conflicts first, then the same picture in both folders, spread over the classes."""
    order = []
    for i, (first, second) in enumerate(zip(pairs.first, pairs.second, strict=True)):
        one, other = scans[first], scans[second]
        if one.label != other.label:
            order.append((0, 0, i))
        elif one.part != other.part:
            order.append((1, not pairs.mirrored[i], i))
    chosen = [i for rank, _, i in sorted(order) if rank == 0][: SHOWN_PAIRS // 2]
    crossing = [i for rank, _, i in sorted(order) if rank == 1]
    step = max(1, len(crossing) // (SHOWN_PAIRS - len(chosen)))
    chosen += crossing[::step][: SHOWN_PAIRS - len(chosen)]
    return [
        (
            scans[pairs.first[i]],
            scans[pairs.second[i]],
            float(pairs.similarity[i]),
            bool(pairs.mirrored[i]),
        )
        for i in chosen
    ]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.audit", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--slices", type=Path, metavar="FILE", help="figshare_slices.csv")
    parser.add_argument("--output", type=Path, default=MODELS, metavar="DIR")
    args = parser.parse_args(argv)
    slices = read_slices(args.slices) if args.slices else {}
    scans = [scan for part in PARTS for scan in find_scans(args.data, part)]
    pairs = find_pairs(scans)
    figures = audit(scans, pairs, slices)
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
    write_table(scans, pairs, slices, report / "audit.csv")
    plot_pairs(worst_pairs(scans, pairs), report / "duplicates.png")
    write_metrics(args.output, "audit", figures)
    print(f"wrote audit of {args.output / METRICS_NAME}, {report / 'audit.csv'} and a picture")
    return 0


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
