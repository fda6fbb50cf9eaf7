"""Training and validation sides that share no person and no copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sklearn.model_selection import StratifiedGroupKFold

from train.data.dataset import Scan


def split(
    scans: Sequence[Scan], persons: Mapping[str, str], validation: float, seed: int
) -> tuple[list[Scan], list[Scan]]:
    """Split scans into a training and a validation side, stratified by class.

    Args:
        scans: of one part of the dataset.
        persons: who is on a scan, by `Scan.name`, see `train.data.patients.persons_on`. A scan
            that is not in it is a group of its own, together with its exact copies.
        validation: the share of the validation side.
        seed: decides what goes where.

    Returns:
        (training, validation).
    """
    folds = StratifiedGroupKFold(round(1 / validation), shuffle=True, random_state=seed)
    groups = [persons.get(scan.name, scan.digest) for scan in scans]
    chosen = next(iter(folds.split(scans, [scan.label for scan in scans], groups)))
    training, validating = ([scans[i] for i in side] for side in chosen)
    return training, validating
