"""The example scans as a training side, with a made outline: what the stored digests are of."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from serve.names import INPUT_SIZE, LABELS, NOTUMOR
from tests.conftest import SCANS, label_of
from train.data.dataset import Scan
from train.data.outlines import Outline


def example_scans() -> list[Scan]:
    return [_scan(path) for path in sorted(SCANS.glob("*.jpg"))]


def disks(scans: Sequence[Scan]) -> dict[str, Outline]:
    """The same disk as the outline of every tumour."""
    rows, columns = np.indices((INPUT_SIZE, INPUT_SIZE))
    content = io.BytesIO()
    Image.fromarray(np.hypot(rows - 110, columns - 90) < 16).save(content, "png")
    disk = Outline(content.getvalue(), mirrored=False)
    return {scan.name: disk for scan in scans if scan.label != NOTUMOR}


def _scan(path: Path) -> Scan:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Scan(path, "Testing", LABELS.index(label_of(path)), digest)
