"""What packages ship is brought to one form, and no brain MRI is among it."""

from __future__ import annotations

import pytest
from PIL import Image

from train.other_pictures import shipped
from train.other_pictures.gather import gather
from train.other_pictures.shipped import Source


def test_large_and_transparent_pictures(tmp_path, monkeypatch):
    folder = tmp_path / "shipped"
    folder.mkdir()
    Image.new("RGBA", (1600, 400)).save(folder / "clear.png")
    Image.new("RGB", (1600, 99)).save(folder / "toolbar.png")
    Image.new("I;16", (120, 120), 40000).save(folder / "deep.tif")
    source = Source("shipped", "", str(folder), ("*.png", "*.tif"))
    monkeypatch.setattr(shipped, "DRAWINGS", (source,))
    assert gather(["drawings"], tmp_path) == {"drawings": 2}
    with Image.open(tmp_path / "drawings" / "shipped_clear.png") as image:
        assert image.size == (800, 200)
        assert image.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("modality", "part", "taken"),
    [
        ("CT", "HEAD", True),
        ("US", None, True),
        ("MR", "ABDOMEN", True),
        ("MR", "HEAD", False),
        ("MR", None, False),
        ("SEG", None, False),
    ],
)
def test_no_brain_mri_is_taken(modality, part, taken):
    dataset = {"PixelData": b"", "Modality": modality, "BodyPartExamined": part}
    assert shipped._other_than_brain_mri(dataset) is taken
