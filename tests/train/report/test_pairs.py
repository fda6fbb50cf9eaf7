"""A pair is one thing in the picture of copies."""

from __future__ import annotations

import numpy as np
from PIL import Image

from train.data.dataset import Scan
from train.report.pairs import plot_pairs


def test_each_pair_has_a_frame_of_its_own(scans, tmp_path):
    one, other, third = (Scan(scan, "Testing", n, "") for n, scan in enumerate(scans[:3]))
    plot_pairs([(one, other, 0.9999, True), (other, third, 0.99, False)], tmp_path / "pairs.png")
    grey = np.asarray(Image.open(tmp_path / "pairs.png").convert("L"))
    middle = grey[grey.shape[0] // 2]
    between = np.flatnonzero(np.diff(np.r_[0, (middle == 208).astype(int), 0]) == 1)
    assert len(between) == 4  # the frames' sides
    assert grey.shape[1] > 900
