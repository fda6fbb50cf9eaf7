"""Pictures that show a known scan are found, whatever was done to them; others are not."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from tests.conftest import DATASET, SHARED, needs_dataset
from train.data.copies import NOTHING, KnownScans

COLLECTIONS = SHARED / "data" / "collections"
SIZE = (224, 224)


def grey(path) -> Image.Image:
    return Image.open(path).convert("L").resize(SIZE, Image.Resampling.BILINEAR)


def zoomed(image: Image.Image) -> Image.Image:
    return image.resize((330, 300)).crop((50, 40, 274, 264))


CHANGES = {
    "as it is": lambda image: image,
    "zoomed": zoomed,
    "shrunk": lambda image: ImageOps.expand(image.resize((170, 160)), 30).resize(SIZE),
    "cropped": lambda image: image.crop((30, 20, 210, 204)).resize(SIZE),
    "turned": lambda image: image.rotate(25, Image.Resampling.BILINEAR),
    "a quarter turned": lambda image: image.rotate(90),
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "of other contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.8),
    "of other gamma": lambda image: image.point(
        [round(255 * (i / 255) ** 0.6) for i in range(256)]
    ),
    "all of it": lambda image: zoomed(
        ImageOps.mirror(ImageEnhance.Contrast(image).enhance(1.4).rotate(-12))
    ),
}


@pytest.fixture(scope="module")
def images(scans) -> list[Image.Image]:
    return [grey(path) for path in scans]


@pytest.fixture(scope="module")
def known(images) -> KnownScans:
    return KnownScans([np.asarray(image) for image in images])


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(images, known, change):
    matches = known.match([np.asarray(CHANGES[change](image)) for image in images])
    found = [match.is_copy and match.known == i for i, match in enumerate(matches)]
    assert sum(found) >= len(images) - (change == "all of it"), [m.likeness for m in matches]
    if change in ("as it is", "mirrored"):
        assert {match.mirrored for match in matches} == {change == "mirrored"}
        assert min(match.likeness for match in matches) > 0.98


def test_other_scans_are_no_copies(images):
    half = len(images) // 2
    known = KnownScans([np.asarray(image) for image in images[:half]])
    matches = known.match([np.asarray(image) for image in images[half:]])
    assert not any(match.is_copy for match in matches)


def test_what_has_no_details_is_like_nothing(known):
    blank = np.full(SIZE, 7, np.uint8)
    assert known.match([blank]) == [NOTHING]


@pytest.mark.slow
@needs_dataset
@pytest.mark.skipif(not COLLECTIONS.is_dir(), reason="needs the collections in ../shared/data")
def test_a_collection_that_papers_call_external_is_a_copy_and_others_are_not():
    with (COLLECTIONS / "collections.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    copies = {
        row["file"]: DATASET / row["copy_of"].removeprefix("brain_tumor_mri/")
        for row in rows
        if row["copy_of"].startswith("brain_tumor_mri/")
    }
    copies = dict(sorted(copies.items())[::10])
    others = [row["file"] for row in rows if row["collection"] != "pmram"][::80]
    scans = sorted({*copies.values(), *sorted(DATASET.glob("*/*/*.jpg"))[::15]})
    known = KnownScans([np.asarray(grey(path)) for path in scans])
    found = known.match([np.asarray(grey(COLLECTIONS / file)) for file in copies])
    assert sum(match.is_copy for match in found) >= 0.97 * len(copies) > 100
    wrong = known.match([np.asarray(grey(COLLECTIONS / file)) for file in others])
    assert sum(match.is_copy for match in wrong) <= 0.01 * len(others)
