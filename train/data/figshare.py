"""Where a patient's slices lie in the figshare collection.

The collection does not say which slice is whose. Its slices are in an order, though, that the
pictures give away: six series, each of one kind of tumour, and in each series first all axial,
then all coronal, then all sagittal slices, every time with the patients in the same order
(tests/train/data/test_figshare.py shows it for meningioma and pituitary tumours: place and size
of a tumour agree between the planes at the same relative position, and at no other; for glioma
it is taken to be so). A patient's slices in one plane are therefore
neighbours, but the same patient is there again in the other two stretches, hundreds of indices
on. What tells patients apart is the series and the relative position in the stretch.
"""

from __future__ import annotations

from typing import NamedTuple

# First and last index of the stretches of each series, axial, coronal and sagittal (the last
# series has no sagittal ones). Twelve slices (709 to 714, 918 to 921, 3063, 3064) are in none.
SERIES = (
    ((1, 210), (211, 441), (442, 708)),
    ((715, 746), (747, 817), (818, 917)),
    ((922, 1033), (1034, 1165), (1166, 1282)),
    ((1283, 1455), (1456, 1639), (1640, 1840)),
    ((1841, 2241), (2403, 2730), (2731, 3062)),
    ((2344, 2402), (2242, 2343)),
)
# Two slices of one series this far apart in relative position are not of one patient. A patient
# has about five slices in a stretch of 100 to 400. Patients have more slices in one plane than
# in another, so the same patient's positions differ between planes by about as much.
APART = 0.07


class Position(NamedTuple):
    """Where a slice lies; slices of one patient are in one series within APART."""

    series: int
    share: float  # from 0 to 1, along its stretch


def position_of(index: int) -> Position | None:
    """The position of slice `index` of the collection, None if it is in no series."""
    for series, stretches in enumerate(SERIES):
        for first, last in stretches:
            if first <= index <= last:
                return Position(series, (index - first + 0.5) / (last - first + 1))
    return None
