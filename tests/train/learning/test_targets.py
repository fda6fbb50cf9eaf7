"""Kept targets, and pictures with them, are those of the views, whatever happens on disk."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from serve.names import NOTUMOR
from train.learning.drawn import DrawnCache
from train.learning.targets import TargetCache
from train.pictures.examples import Examples, targets_of
from train.recipes import RobustRecipe

VIEWS = 3
RECIPE = RobustRecipe(healed=0.5, pasted=1.0)


@pytest.fixture(scope="module")
def examples(training, outlines) -> Examples:
    return Examples(training, outlines, RECIPE, seed=0, placed={})


@pytest.fixture(params=[TargetCache, DrawnCache])
def make(request, examples, tmp_path, monkeypatch):
    """Opens the test's cache; `make.drawn` are the views that had to be drawn."""
    monkeypatch.setattr("train.learning.rows.FLUSHED", 4)
    monkeypatch.setattr("train.pictures.examples.cpu_count", lambda: 1)
    draw_all = examples.draw_all

    def counted(views):
        for view, example in zip(views, draw_all(views), strict=True):
            make_cache.drawn.append(view)
            yield example

    monkeypatch.setattr(examples, "draw_all", counted)

    def make_cache() -> TargetCache | DrawnCache:
        return request.param(tmp_path, examples)

    make_cache.drawn = []
    return make_cache


def test_they_are_those_of_the_views(make, examples, training):
    found = make().of(training, VIEWS)
    views = [[examples.draw(scan, view) for view in range(VIEWS)] for scan in training]
    labels = np.array([[one.label for one in own] for own in views], np.int32)
    places = np.array([[one.place() for one in own] for own in views])
    expected = targets_of(labels, places)
    assert found["logits"].dtype == np.int32
    assert np.array_equal(found["logits"], labels)
    assert found["maps"].shape == (len(training), VIEWS, 5, 14, 14)
    np.testing.assert_allclose(found["maps"], expected["maps"], atol=5e-4)  # float16
    given = np.array([scan.label for scan in training])
    assert np.array_equal(labels[:, 0], given)
    assert (labels[:, 1:] != given[:, None]).any(), "no tumour was moved"
    assert (labels[:, 1:] == NOTUMOR).any()


def test_nothing_is_drawn_twice(make, training):
    first = make().of(training, VIEWS)
    assert len(make.drawn) == len(training) * VIEWS
    again = make().of(training[::-1], VIEWS)
    assert len(make.drawn) == len(training) * VIEWS
    assert np.array_equal(again["maps"], first["maps"][::-1])


def test_what_was_interrupted_is_taken_up(make, training, monkeypatch):
    cache = make()
    compute = cache._compute

    def interrupted(views):
        for number, row in enumerate(compute(views)):
            if number == 10:
                raise KeyboardInterrupt
            yield row

    monkeypatch.setattr(cache, "_compute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache.of(training, VIEWS)
    make.drawn.clear()
    found = make().of(training, VIEWS)
    assert len(make.drawn) == len(training) * VIEWS - 8  # whole fours were kept
    assert np.isfinite(found["maps"]).all()


def test_a_damaged_row_is_drawn_anew(make, training):
    cache = make()
    good = cache.of(training, VIEWS)
    (kept,) = cache.folder.glob("rows.*")
    content = bytearray(kept.read_bytes())
    content[5 * len(content) // (len(training) * VIEWS)] ^= 0x40
    kept.write_bytes(content)
    make.drawn.clear()
    found = make().of(training, VIEWS)
    assert len(make.drawn) == 1
    for name, values in good.items():
        assert np.array_equal(found[name], values)


def test_other_outlines_and_labels_are_other_targets(make, training, outlines, tmp_path):
    """Also of the first view, whose picture they do not change."""
    scan = next(scan for scan in training if scan.name in outlines)
    kept = make().of([scan], 1)
    bare = TargetCache(tmp_path, Examples(training, {}, RECIPE, 0, placed={})).of([scan], 1)
    assert kept["maps"].any()
    assert not bare["maps"].any()
    other = dataclasses.replace(scan, label=NOTUMOR)
    assert make().of([other], 1)["logits"].item() == NOTUMOR


def test_pictures_are_kept_with_the_targets(examples, training, tmp_path, monkeypatch):
    monkeypatch.setattr("train.pictures.examples.cpu_count", lambda: 1)
    cache = DrawnCache(tmp_path, examples)
    rows = cache.rows_of(training[:3], VIEWS)
    found = cache.rows()[rows]
    for scan, views in zip(training[:3], found, strict=True):
        for number, pixels in enumerate(views):
            assert np.array_equal(pixels, examples.draw(scan, number).pixels)
