"""An archive of every kind."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.serve.formats.dicoms import volume_of


@pytest.fixture(scope="session")
def archive(tmp_path_factory, scans) -> Path:
    """Pictures, a DICOM series in a folder of its own, a NIfTI volume, and what is neither."""
    nibabel = pytest.importorskip("nibabel", reason="needs nibabel")
    root = tmp_path_factory.mktemp("archive")
    for number, folder in enumerate(("a", "b")):
        (root / folder).mkdir()
        for scan in scans[number * 2 : number * 2 + 2]:
            shutil.copy(scan, root / folder)
    (root / "a" / "broken.jpg").write_bytes(b"no picture")
    (root / "a" / "notes.txt").write_text("nothing", encoding="utf-8")
    grey = np.asarray(Image.open(scans[2]).convert("L").resize((128, 128)))
    volume_of(grey, root / "series", count=3)
    voxels = np.stack([grey.T[:, ::-1]] * 2, axis=2).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(voxels, np.diag([1, 1, 5, 1])), root / "b" / "head.nii.gz")
    return root
