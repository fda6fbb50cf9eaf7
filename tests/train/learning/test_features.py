"""The cache gives what the whole network gives, and nothing else, whatever happens to it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from train.data.dataset import find_scans
from train.learning.features import FeatureCache
from train.network.vgg16 import build_model, frozen_prefix, trainable_suffix
from train.pictures.augment import AugmentedViews, augmented_view
from train.recipes import RECIPES

RECIPE = RECIPES["seed"]
VIEWS = 3
ROW_BYTES = 14 * 14 * 512 * 2


@pytest.fixture(scope="module")
def model(base_weights) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model(RECIPE.network, base_weights)


@pytest.fixture(scope="module")
def prefix(model) -> keras.Model:
    return frozen_prefix(model)


@pytest.fixture(scope="module")
def few(small_dataset):
    return find_scans(small_dataset, "Training")[::10]


@pytest.fixture
def make(prefix, tmp_path, monkeypatch):
    """Opens the test's cache; `make.computed` counts the views that had to be computed."""
    monkeypatch.setattr("train.learning.features.BATCH", 4)
    monkeypatch.setattr("train.learning.rows.FLUSHED", 4)

    def open_cache(seed: int = 0) -> FeatureCache:
        cache = FeatureCache(tmp_path, prefix, AugmentedViews(RECIPE, seed))
        compute = cache._features

        def counted(pixels):
            open_cache.computed += len(pixels)
            return compute(pixels)

        cache._features = counted
        return cache

    open_cache.computed = 0
    return open_cache


def stored(cache: FeatureCache, scans) -> np.ndarray:
    rows = cache.rows_of(scans, VIEWS)
    return cache.rows()[rows]


def test_equal_to_the_whole_network_on_the_same_views(model, make, few):
    cache = make()
    found = trainable_suffix(model).predict_on_batch(
        stored(cache, few).reshape(-1, 14, 14, 512).astype(np.float32)
    )
    pixels = np.stack(
        [augmented_view(s.pixels(), s.digest, v, RECIPE, 0) for s in few for v in range(VIEWS)]
    )
    whole = keras.Model(model.inputs, model.get_layer("logits").output)
    expected = whole.predict_on_batch(pixels.astype(np.float32))
    # float16 features: 11 significant bits
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())


def test_views_differ_and_the_first_is_the_scan_itself(few):
    pixels = few[0].pixels()
    views = [augmented_view(pixels, few[0].digest, v, RECIPE, 0) for v in range(VIEWS)]
    assert np.array_equal(views[0], pixels)
    assert not np.array_equal(views[1], pixels)
    assert not np.array_equal(views[1], views[2])
    assert not np.array_equal(views[1], augmented_view(pixels, few[0].digest, 1, RECIPE, seed=1))


def test_a_second_run_computes_nothing(make, few):
    first = stored(make(), few)
    assert make.computed == len(few) * VIEWS
    assert np.array_equal(stored(make(), few), first)
    assert make.computed == len(few) * VIEWS


def test_another_seed_shares_the_scans_as_they_are_and_nothing_else(make, few):
    first, second = make(0), make(1)
    assert first.folder == second.folder
    rows = [cache.rows_of(few, VIEWS) for cache in (first, second)]
    assert (rows[0][:, 0] == rows[1][:, 0]).all()
    assert not set(rows[0][:, 1:].flat) & set(rows[1][:, 1:].flat)


def test_an_interrupted_extraction_resumes(make, few):
    cache = make()
    compute = cache._features

    def interrupted(pixels):
        if make.computed >= 8:
            raise KeyboardInterrupt
        return compute(pixels)

    cache._features = interrupted
    with pytest.raises(KeyboardInterrupt):
        stored(cache, few)
    assert make.computed == 8
    resumed = stored(make(), few)
    assert make.computed == len(few) * VIEWS
    assert np.isfinite(resumed).all()


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        (lambda rows, index: flip(rows, ROW_BYTES + 5), 1),
        (lambda rows, index: cut(rows, ROW_BYTES // 2), 1),
        (lambda rows, index: cut(index, 5), 1),
        (lambda rows, index: index.write_bytes(index.read_bytes() + b"torn"), 0),
        (lambda rows, index: rows.write_bytes(rows.read_bytes() + b"torn"), 0),
        (lambda rows, index: rows.unlink(), None),
        (lambda rows, index: index.unlink(), None),
        (lambda rows, index: index.write_bytes(b"\xff" * 300), None),
    ],
    ids=[
        "row",
        "short rows",
        "short index",
        "long index",
        "long rows",
        "no rows",
        "no index",
        "junk",
    ],
)
@pytest.mark.slow
def test_damage_is_found_and_mended(damage, lost, make, few):
    cache = make()
    good = stored(cache, few)
    before = make.computed
    damage(cache.folder / "rows.f16", cache.folder / "index.csv")
    reopened = make()
    assert np.array_equal(stored(reopened, few), good)
    assert make.computed - before == (before if lost is None else lost)
    computed = make.computed
    assert np.array_equal(stored(make(), few), good)
    assert make.computed == computed


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 0x40
    path.write_bytes(content)


def cut(path, count):
    path.write_bytes(path.read_bytes()[:-count])
