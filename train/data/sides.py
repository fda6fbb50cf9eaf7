"""Who is trained on and who is tested, the dataset and other hospitals together."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Sequence

from train.data.collections import BR35H, Collected, collection_of, place_all
from train.data.dataset import Scan
from train.data.folds import FOLD, Sides, patient_sides

SAME_PEOPLE = {"tcga_lgg_t1c": "tcga_lgg", "tcga_lgg_flair": "tcga_lgg"}


def hospital_of(scan: Scan) -> str:
    """What collections of the same people share; "" for the dataset itself."""
    name = collection_of(scan)
    return SAME_PEOPLE.get(name, name)


def folds_of(
    scans: Sequence[Scan], collected: Collected, broad: bool, left_out: Collection[str]
) -> list[Sides]:
    """The sides of the `patient` protocol.

    Args:
        scans: of both parts of the dataset.
        collected: of other hospitals.
        broad: train on these, too, and have no validation side: what is not tested is trained on.
        left_out: the collections that the recipe never trains on.

    Raises:
        UserError: see `train.data.folds.patient_sides`.
    """
    if not broad:
        return patient_sides(scans)
    trained = collected.without(left_out)
    return patient_sides(scans, trained.scans, place_all(trained), validated=False)


def published_sides(
    scans: Sequence[Scan], collected: Collected, broad: bool, left_out: Collection[str]
) -> Sides:
    """Those of the published file: the first fold, other hospitals' scans among the tested ones.

    Arguments as for `folds_of`.
    """
    sides = folds_of(scans, collected, broad, left_out)[FOLD]
    others = [scan for scan in collected.scans if collected.placed[scan.name].fold == FOLD]
    return dataclasses.replace(
        sides,
        tested=[*sides.tested, *others],
        labels=[*sides.labels, *(scan.label for scan in others)],
    )


def without_each(
    scans: Sequence[Scan], collected: Collected, broad: bool, left_out: Collection[str]
) -> Iterator[tuple[Sides, list[Scan]]]:
    """The `unseen` protocol: the first fold's sides without one hospital, and all scans of that
    hospital, of each in turn; once, of all of them, if none is trained on.

    Of what Br35H has copies in the dataset, these are left out as well. Arguments as for
    `folds_of`.
    """
    hospitals = list(dict.fromkeys(map(hospital_of, collected.scans)))
    whole = folds_of(scans, collected, broad, left_out)[FOLD]
    for left in [[one] for one in hospitals] if broad else [hospitals]:
        tested = [scan for scan in collected.scans if hospital_of(scan) in left]
        gone = {scan.name for scan in tested} | (collected.copied if BR35H in left else set())
        training, validation = (
            [scan for scan in side if scan.name not in gone]
            for side in (whole.training, whole.validation)
        )
        yield dataclasses.replace(whole, training=training, validation=validation), tested


def held_back(sides: Sides, collected: Collected) -> Sides:
    """With the second fold of the training side to validate on, if nothing else is there for it.

    Who is validated on is trained on no more.
    """
    if sides.validation:
        return sides
    placed = place_all(collected)
    validation = [scan for scan in sides.training if placed[scan.name].fold == FOLD + 1]
    persons = {placed[scan.name].person for scan in validation} - {""}
    gone = {scan.name for scan in validation}
    training = [
        scan
        for scan in sides.training
        if scan.name not in gone and placed[scan.name].person not in persons
    ]
    return dataclasses.replace(sides, training=training, validation=validation)
