"""The committed checkpoint and its conversion, once for all of these tests."""

from __future__ import annotations

import pytest

from serve.artifacts import KERAS_NAME, MODELS


@pytest.fixture(scope="session")
def checkpoint():
    import keras

    return keras.models.load_model(MODELS / KERAS_NAME, compile=False)


@pytest.fixture(scope="session")
def converted(checkpoint):
    from export.graph import convert_network

    return convert_network(checkpoint)
