"""The figures of attention are what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from serve.formats.raster import load_pixels
from serve.names import MAP_CELLS
from train.data.dataset import find_scans
from train.evaluation.pointing import Outlined, look, painted, summarize
from train.pictures.skull import head_of, moved_mask


def test_pointing_energy_and_chance_by_hand(small_dataset):
    scans = find_scans(small_dataset, "Testing")[:2]
    maps = np.zeros((2, MAP_CELLS, MAP_CELLS))
    maps[:, 3, 4], maps[:, 10, 10] = 3, 1
    masks = np.zeros((2, 224, 224), bool)
    masks[0, 3 * 16 : 4 * 16, 4 * 16 : 5 * 16] = True  # the whole of the hottest cell
    masks[1, 10 * 16 : 11 * 16, 10 * 16 : 10 * 16 + 8] = True  # half of the other one
    logits = np.array([[5.0, 0, 0, 0], [0, 5.0, 0, 0]])
    looked = look(maps, logits, Outlined(scans, np.array([0, 0]), masks))
    assert looked.pointed.tolist() == [True, False]
    assert looked.energy.tolist() == pytest.approx([0.75, 0.125])
    assert looked.right.tolist() == [True, False]
    assert looked.chance[0] == pytest.approx(256 / head_of(scans[0].pixels()).sum())
    figures = summarize(looked)
    assert figures["pointing_game"] == {"glioma": 1.0, "all": 1.0}
    assert figures["pointing_game_wrong"] == {"glioma": 0.0, "all": 0.0}


def test_a_patch_elsewhere_has_the_same_area_and_lies_in_the_head(scans):
    pixels = load_pixels(scans[0], 224)
    mask = np.zeros((224, 224), bool)
    mask[100:120, 90:110] = True
    moved = moved_mask(mask, head_of(pixels), np.random.default_rng(0))
    assert moved.sum() == mask.sum()
    assert not (moved & mask).any()
    result = painted(pixels, moved, mask)
    assert np.array_equal(result[~moved], pixels[~moved])
    assert len(np.unique(result[moved].reshape(-1, 3), axis=0)) == 1
