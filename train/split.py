"""Training and validation sides that share no slice and no neighbouring slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from train.dataset import Scan, Slice

# The figshare slices of one patient have consecutive indices. Long runs of indices go to one
# side as a whole, and where two sides meet, GUARD slices are dropped from each.
RUN = 100
GUARD = 15


def split(
    scans: Sequence[Scan],
    slices: Mapping[str, Slice],
    validation: float,
    seed: int,
) -> tuple[list[Scan], list[Scan]]:
    """Split scans into a training and a validation side, stratified by class.

    Args:
        scans: of one part of the dataset.
        slices: by `Scan.name`, see `train.dataset.read_slices`; a scan that is not in it is a
            group of its own, together with its exact copies.
        validation: the share of the validation side, before guard bands are dropped.
        seed: decides which groups go where.

    Returns:
        (training, validation). Scans in a guard band are in neither.
    """
    indices = [slices[scan.name].index if scan.name in slices else None for scan in scans]
    groups = [
        scan.digest if index is None else f"run {index // RUN}"
        for scan, index in zip(scans, indices, strict=True)
    ]
    folds = StratifiedGroupKFold(round(1 / validation), shuffle=True, random_state=seed)
    labels = [scan.label for scan in scans]
    held_out = set(next(iter(folds.split(np.zeros(len(scans)), labels, groups)))[1])
    run_side = {index // RUN: i in held_out for i, index in enumerate(indices) if index is not None}
    sides: tuple[list[Scan], list[Scan]] = ([], [])
    for i, (scan, index) in enumerate(zip(scans, indices, strict=True)):
        side = i in held_out
        near = () if index is None else ((index - GUARD) // RUN, (index + GUARD) // RUN)
        if all(run_side.get(run, side) == side for run in near):
            sides[side].append(scan)
    return sides
