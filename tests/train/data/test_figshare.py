"""Patients stand in the same order in every plane of a series."""

from __future__ import annotations

import csv
from itertools import pairwise

import numpy as np
import pytest

from tests.conftest import SLICES, needs_dataset
from train.data.figshare import SERIES, position_of

AXIAL, CORONAL, SAGITTAL = range(3)
MENINGIOMA, FIRST_PITUITARY, SECOND_PITUITARY = 0, 2, 3


def test_stretches_do_not_overlap_and_positions_run_from_0_to_1():
    stretches = sorted(stretch for planes in SERIES for stretch in planes)
    for (_, last), (first, _) in pairwise(stretches):
        assert last < first
    for series, planes in enumerate(SERIES):
        for first, last in planes:
            shares = [position_of(index) for index in range(first, last + 1)]
            assert {position.series for position in shares} == {series}
            assert [p.share for p in shares] == sorted(p.share for p in shares)
            assert 0 < shares[0].share < 0.02
            assert 0.98 < shares[-1].share < 1
    assert position_of(712) is None


def tumours() -> dict[int, tuple[float, float, float]]:
    """Centre (x, y) and logarithm of the area of each slice's tumour, in the slice's own sense."""
    found = {}
    with SLICES.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            left, right, top, bottom = (
                float(row[name]) for name in ("x_min", "x_max", "y_min", "y_max")
            )
            if row["mirrored"] == "1":
                left, right = 1 - right, 1 - left
            area = (right - left) * (bottom - top)
            found[int(row["figshare_index"])] = (
                (left + right) / 2,
                (top + bottom) / 2,
                np.log(area),
            )
    return found


@needs_dataset
@pytest.mark.parametrize(
    ("series", "planes", "measure"),
    [
        (MENINGIOMA, (AXIAL, CORONAL), 0),  # from left to right
        (MENINGIOMA, (AXIAL, CORONAL), 2),  # size
        (FIRST_PITUITARY, (CORONAL, SAGITTAL), 1),  # from top to bottom
        (SECOND_PITUITARY, (CORONAL, SAGITTAL), 2),
    ],
)
def test_a_tumour_agrees_between_planes_at_the_same_position_and_at_no_other(
    series, planes, measure
):
    known, at = tumours(), np.linspace(0, 1, 120)

    def along(plane: int) -> np.ndarray:
        first, last = SERIES[series][plane]
        indices = [index for index in range(first, last + 1) if index in known]
        shares = [position_of(index).share for index in indices]
        return np.interp(at, shares, [known[index][measure] for index in indices])

    one, other = (along(plane) for plane in planes)
    correlation = np.corrcoef(one, other)[0, 1]
    shifted = [np.corrcoef(one, np.roll(other, shift))[0, 1] for shift in range(8, 112)]
    assert correlation > max(shifted)
