"""A scan to make files of."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def grey(scans) -> np.ndarray:
    return np.asarray(Image.open(scans[2]).convert("L").resize((128, 128)))


@pytest.fixture(scope="module")
def levels(grey) -> np.ndarray:
    """12 bits, of which the scan uses a third."""
    return grey.astype(np.uint16) * 5
