"""Removing and pasting tumours on real slices with the radiologists' outlines."""

from __future__ import annotations

import numpy as np
import pytest

from serve.formats.raster import load_pixels
from tests.conftest import DATASET, SLICES, needs_dataset
from train.data.dataset import read_slices
from train.data.outlines import read_outline
from train.pictures.counterfactual import (
    FEATHER,
    MARGIN,
    blended,
    head_mirror,
    paste_tumour,
    patch_tissue,
    remove_tumour,
    retone_tumour,
)
from train.pictures.skull import grown, solid_head

MASKS = SLICES.parent / "figshare_masks"
NOTHING = np.zeros((224, 224), bool)


@pytest.fixture(scope="module")
def outlined() -> list[tuple[np.ndarray, np.ndarray, str]]:
    """Pixels, outline and class of eight slices of each kind of tumour."""
    slices = read_slices(SLICES)
    chosen = []
    for name in ("glioma", "meningioma", "pituitary"):
        own = [n for n in slices if n.startswith("Training") and f"/{name}/" in n]
        chosen += [own[i] for i in np.linspace(0, len(own) - 1, 8).astype(int)]
    return [
        (
            load_pixels(DATASET / name, 224),
            read_outline(MASKS / f"{slices[name].index}.png", slices[name].mirrored).mask(),
            name.split("/")[1],
        )
        for name in chosen
    ]


@pytest.fixture
def healthy(scans) -> np.ndarray:
    return load_pixels(next(scan for scan in scans if "-no_" in scan.name), 224)


@needs_dataset
def test_removing_leaves_the_surroundings_and_fits_their_grey_levels(outlined):
    before, after = [], []
    for pixels, mask, _ in outlined:
        healed = remove_tumour(pixels, mask, np.random.default_rng(0))
        assert healed is not None
        untouched = ~grown(mask, MARGIN + FEATHER)
        assert np.array_equal(healed[untouched], pixels[untouched])
        assert not np.array_equal(healed[mask], pixels[mask])
        around = grown(mask, MARGIN + 8) & ~grown(mask, MARGIN) & solid_head(pixels)
        for picture, found in ((pixels, before), (healed, after)):
            found.append(abs(picture[mask].mean() - picture[around].mean()))
    assert np.mean(after) < 0.5 * np.mean(before), "the place is as bright as a tumour still"


@needs_dataset
def test_pasting_changes_the_tumours_place_alone(outlined, healthy):
    pasted = 0
    for number, (pixels, mask, _) in enumerate(outlined):
        found = paste_tumour(healthy, pixels, mask, np.random.default_rng(number))
        if found is None:
            continue
        pasted += 1
        picture, place = found
        assert place.any()
        assert solid_head(healthy)[place].mean() > 0.95
        untouched = ~grown(place, MARGIN + FEATHER)
        assert np.array_equal(picture[untouched], healthy[untouched])
        assert not np.array_equal(picture[place], healthy[place])
    assert pasted >= 0.7 * len(outlined)


@needs_dataset
def test_a_decoy_leaves_the_tumour_alone(outlined):
    patched = 0
    for number, (pixels, mask, _) in enumerate(outlined):
        shape = outlined[(number + 9) % len(outlined)][1]
        found = patch_tissue(pixels, mask, shape, np.random.default_rng(number))
        if found is not None:
            patched += 1
            assert np.array_equal(found[mask], pixels[mask])
            assert not np.array_equal(found, pixels)
    assert patched >= 0.5 * len(outlined)


@needs_dataset
def test_the_same_draw_gives_the_same_picture(outlined, healthy):
    pixels, mask, _ = outlined[3]
    for make in (
        lambda rng: remove_tumour(pixels, mask, rng),
        lambda rng: paste_tumour(healthy, pixels, mask, rng)[0],
        lambda rng: patch_tissue(healthy, NOTHING, mask, rng),
    ):
        first, second = (make(np.random.default_rng(5)) for _ in range(2))
        assert np.array_equal(first, second)


def test_the_mirror_finds_a_shifted_heads_own_axis(healthy):
    half = np.zeros_like(healthy)
    half[:, :112] = healthy[:, :112]
    symmetric = np.maximum(half, half[:, ::-1])
    shifted = np.roll(symmetric, 16, axis=1)
    matrix, likeness = head_mirror(shifted)
    assert likeness > 0.98
    # a point on the axis, which was the picture's middle, stays where it is
    axis = 111.5 + 16
    np.testing.assert_allclose(matrix @ [axis, 112, 1], [axis, 112], atol=3)


def test_blending_fits_the_grey_levels_of_a_darker_donor(healthy):
    mask = NOTHING.copy()
    mask[90:120, 90:120] = True
    found = blended(healthy, healthy // 2, mask).astype(int)
    assert np.abs(found - healthy)[mask].mean() < 12, "the donor stayed dark"
    assert np.array_equal(found[~grown(mask, FEATHER)], healthy[~grown(mask, FEATHER)])


def test_no_tissue_to_be_had_is_none(healthy):
    everywhere = np.ones((224, 224), bool)
    assert remove_tumour(healthy, everywhere, np.random.default_rng(0)) is None
    assert patch_tissue(healthy, everywhere, everywhere, np.random.default_rng(0)) is None
    black = np.zeros_like(healthy)
    assert paste_tumour(black, healthy, healthy[:, :, 0] > 200, np.random.default_rng(0)) is None


def test_a_retoned_tumour_differs_in_nothing_but_its_grey_levels(healthy):
    rows, columns = np.indices(healthy.shape[:2])
    mask = np.hypot(rows - 112, columns - 90) < 18
    rng = np.random.default_rng(0)
    found = [retone_tumour(healthy, mask, rng) for _ in range(12)]
    far = ~grown(mask, 20)
    inside = [picture[mask].mean() for picture in found]
    assert all(np.array_equal(picture[far], healthy[far]) for picture in found)
    assert min(inside) < healthy[mask].mean() - 10 < healthy[mask].mean() + 10 < max(inside)
