"""What the package offers, and which model it takes where only some are there."""

from __future__ import annotations

import pytest

import serve
from serve import ModelError, classifier
from serve.artifacts import INT8_NAME, ONNX_NAME
from tests.conftest import run

ONE_BY_ONE = """
import sys
import serve, serve.artifacts, serve.command, serve.detector, serve.measures, serve.names

assert not {"onnxruntime", "PIL"} & set(sys.modules)
from serve import BrainTumorClassifier
assert "onnxruntime" in sys.modules
"""


def test_its_names_are_there():
    for name in serve.__all__:
        assert getattr(serve, name).__name__ == name
    with pytest.raises(AttributeError, match="'serve' has no attribute 'Classifier'"):
        serve.Classifier  # noqa: B018


def test_what_the_other_parts_use_needs_numpy_alone():
    done = run("-c", ONE_BY_ONE)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "provider, names, expected",
    [
        ("CPUExecutionProvider", {INT8_NAME, ONNX_NAME}, INT8_NAME),
        ("CUDAExecutionProvider", {INT8_NAME, ONNX_NAME}, ONNX_NAME),
        ("CUDAExecutionProvider", {INT8_NAME}, INT8_NAME),
        ("CPUExecutionProvider", set(), INT8_NAME),
    ],
)
def test_auto_takes_the_fastest_model_that_is_there(
    provider, names, expected, tmp_path, monkeypatch
):
    """The wheel has the int8 model alone."""
    for name in names:
        (tmp_path / name).touch()
    monkeypatch.setattr(classifier, "MODELS", tmp_path)
    monkeypatch.setattr(classifier, "choose_provider", lambda device: provider)
    with pytest.raises(ModelError, match=f"{expected}: "):
        classifier.BrainTumorClassifier()
