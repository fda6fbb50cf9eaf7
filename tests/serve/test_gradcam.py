"""Grad-CAM by automatic differentiation of the committed checkpoint."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from serve import BrainTumorClassifier
from serve.artifacts import KERAS_NAME, MODELS
from serve.formats.raster import load_pixels
from serve.gradcam import GradCamError, KerasGradCam, explainer, keras_grad_cam
from serve.names import LABELS
from tests.conftest import label_of, run


@pytest.fixture(scope="module")
def classifier() -> BrainTumorClassifier:
    return BrainTumorClassifier("fp32")


@pytest.fixture(scope="module")
def grad_cam() -> KerasGradCam:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: keras_grad_cam(), range(8)))
    assert len(set(map(id, found))) == 1, "loaded more than once"
    return found[0]


@pytest.fixture(scope="module")
def pixels(scans) -> np.ndarray:
    return np.stack([load_pixels(scan, 224) for scan in scans])


@pytest.fixture(scope="module")
def maps(grad_cam, pixels) -> np.ndarray:
    return grad_cam(pixels)


def test_both_engines_agree_on_every_class(classifier, grad_cam, scans, pixels):
    names = list(map(str, scans))
    answers, maps = explainer(classifier, "keras")(pixels, names)
    expected_answers, expected = explainer(classifier, "onnx")(pixels, names)
    assert maps.shape == expected.shape == (8, 4, 14, 14)
    assert np.abs(maps - expected).max() < 1e-3
    assert [one.label for one in answers] == [one.label for one in expected_answers]


def test_each_map_with_evidence_is_scaled_to_a_maximum_of_1(maps, scans):
    assert maps.dtype == np.float32
    assert maps.min() == 0
    peaks = maps.max(axis=(2, 3))
    assert peaks[peaks > 0] == pytest.approx(1)
    own = [LABELS.index(label_of(scan)) for scan in scans]
    assert (peaks[np.arange(len(scans)), own] > 0).all()


def test_no_positive_evidence_is_all_zeros(classifier, grad_cam):
    """As some class has on a black picture; the ONNX file says which."""
    black = np.zeros((1, 224, 224, 3), np.uint8)
    maps, expected = grad_cam(black), classifier.explain_pixels(black, ["black"])[1]
    assert np.isfinite(maps).all()
    assert np.abs(maps - expected).max() < 1e-3


def test_a_batch_equals_its_pictures_alone(grad_cam, pixels, maps):
    alone = np.concatenate([grad_cam(one[None]) for one in pixels])
    assert np.abs(alone - maps).max() < 1e-4


def test_eight_threads_at_once(grad_cam, pixels, maps):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: grad_cam(one[None])[0], pixels))
    assert np.abs(np.stack(found) - maps).max() < 1e-4


def test_int8_answers_have_the_maps_of_their_checkpoint(grad_cam, scans, pixels, maps):
    answers, found = explainer(BrainTumorClassifier("int8"), "keras")(pixels[:2], ["a", "b"])
    assert [one.path for one in answers] == ["a", "b"]
    assert np.abs(found - maps[:2]).max() < 1e-4


def test_a_checkpoint_of_another_model_is_refused(classifier, grad_cam):
    other = copy.copy(classifier)
    other.metadata = classifier.metadata | {"source_sha256": "0" * 64}
    with pytest.raises(GradCamError, match=r"not the checkpoint that .*\.onnx"):
        explainer(other, "keras")


@pytest.mark.parametrize("content", [None, b"", b"no model", "cut"])
def test_a_bad_checkpoint_is_one_line(content, tmp_path):
    path = tmp_path / "bad.keras"
    if content is not None:
        whole = (MODELS / KERAS_NAME).read_bytes()
        path.write_bytes(whole[:1_000_000] if content == "cut" else content)
    with pytest.raises(GradCamError, match=r"bad\.keras cannot be loaded") as caught:
        keras_grad_cam(path)
    assert "\n" not in str(caught.value)


def test_tensorflow_is_not_imported_before_it_is_used():
    done = run("-c", "import serve.gradcam, sys; print({'tensorflow', 'keras'} & {*sys.modules})")
    assert done.stdout == "set()\n", done.stderr


def test_without_tensorflow():
    code = """
import sys
sys.modules["tensorflow"] = None
from serve.gradcam import GradCamError, keras_grad_cam
for _ in range(2):
    try:
        keras_grad_cam()
    except GradCamError as error:
        print(error)
"""
    done = run("-c", code)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all("needs TensorFlow, which cannot be imported" in line for line in lines)
