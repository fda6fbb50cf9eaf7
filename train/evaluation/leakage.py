"""What is on both sides: near-duplicates in and between Training and Testing, label conflicts."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from serve.artifacts import replacing
from serve.names import LABELS
from train.data.dataset import PARTS, Scan, Slice
from train.data.duplicates import Pairs, connected_groups, related_groups

SHOWN_PAIRS = 12


def audit(
    scans: Sequence[Scan], pairs: Pairs, slices: Mapping[str, Slice], persons: Mapping[str, str]
) -> dict[str, Any]:
    """Count what the pairs show, and with `slices` and `persons` how well they were found, and how
    many Testing images are copies or of persons of Training."""
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
        related = related_groups(scans, pairs, persons)
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
    scans: Sequence[Scan], pairs: Pairs, persons: Mapping[str, str], path: Path
) -> None:
    """A line an image: its group, its most similar duplicate, whether labels conflict, and the
    group of scans that are not independent of each other (without `persons` the same groups)."""
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
        groups = connected_groups(pairs, len(scans)), related_groups(scans, pairs, persons)
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
