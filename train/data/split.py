"""Training and validation sides that share no patient, as far as the slices tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from train.data.dataset import Scan, Slice
from train.data.figshare import APART, position_of


def split(
    scans: Sequence[Scan],
    slices: Mapping[str, Slice],
    validation: float,
    seed: int,
) -> tuple[list[Scan], list[Scan]]:
    """Split scans into a training and a validation side, stratified by class.

    Args:
        scans: of one part of the dataset.
        slices: by `Scan.name`, see `train.data.dataset.read_slices`. A scan that is not in it is a
            group of its own, together with its exact copies.
        validation: the share of the validation side.
        seed: decides what goes where.

    Returns:
        (training, validation). A slice that may be of a patient on the other side is in neither.
    """
    others = [scan for scan in scans if scan.name not in slices]
    folds = StratifiedGroupKFold(round(1 / validation), shuffle=True, random_state=seed)
    parts = folds.split(others, [s.label for s in others], [s.digest for s in others])
    sides = tuple([others[i] for i in chosen] for chosen in next(iter(parts)))
    start = np.random.default_rng(seed).uniform(0, 1 - validation)
    for scan in scans:
        position = position_of(slices[scan.name].index) if scan.name in slices else None
        if position:
            inside = min(position.share - start, start + validation - position.share)
            if abs(inside) >= APART / 2:
                sides[inside > 0].append(scan)
    return sides
