"""The weights' terms follow from what was trained on."""

from __future__ import annotations

import json

import pytest

from serve.artifacts import MODELS, ONNX_NAME
from serve.terms import (
    OF_COLLECTION,
    card_license,
    is_commercial,
    license_of,
    others_than,
    sources_of,
    weights_terms,
)
from serve.trained_on import TrainedOn, collections_of, write_trained_on

ONLY = "non-commercial research and education only"


def test_the_committed_file_names_its_own():
    metadata = json.loads((MODELS / ONNX_NAME).with_suffix(".json").read_text(encoding="utf-8"))
    assert metadata["license"] == license_of(collections_of())


def test_a_collection_counts_once_it_was_trained_or_validated_on(tmp_path):
    rows = [
        TrainedOn("Training/glioma/a.jpg", "training", "1"),
        TrainedOn("br35h/tumour/y1.jpg", "training", "1"),
        TrainedOn("tcga_lgg_t1c/glioma/b.jpg", "validation", "2"),
        TrainedOn("feltrin44/glioma/c.jpg", "test", "0"),
    ]
    write_trained_on(rows, tmp_path)
    assert collections_of(tmp_path) == {"br35h", "tcga_lgg_t1c"}


@pytest.mark.parametrize("collections", [set(), {"br35h"}, {"br35h", "pmram"}])
def test_open_terms_leave_the_weights_open(collections):
    assert is_commercial(collections)
    assert card_license(collections) == {"license": "mit"}
    assert ONLY not in weights_terms(collections) + license_of(collections)
    assert "CC BY 4.0" in weights_terms(collections)


@pytest.mark.parametrize(
    ("collections", "names"),
    [
        ({"feltrin44"}, ["44 Classes"]),
        ({"br35h", "feltrin44", "tcga_lgg_t1c", "tcga_lgg_flair"}, ["44 Classes", "LGG Segm"]),
        ({"elsewhere"}, ["elsewhere"]),
    ],
)
def test_one_source_that_is_not_open_binds_the_weights(collections, names):
    assert not is_commercial(collections)
    assert card_license(collections)["license"] == "other"
    assert license_of(collections).endswith(ONLY)
    said = weights_terms(collections)
    assert ONLY in said
    for name in names:
        assert name in said
        assert name in license_of(collections)


def test_every_source_is_named_once():
    collections = {"tcga_lgg_t1c", "tcga_lgg_flair", "feltrin44"}
    every = [*sources_of(collections), *others_than(collections)]
    assert len({one.name for one in every}) == len(every)
    assert {one.name for one in OF_COLLECTION.values()} <= {one.name for one in every}
    assert [one.name for one in others_than(collections)] == ["Br35H's tumours", "PMRAM"]
