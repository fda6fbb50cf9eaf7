"""The committed model as a Python object."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError

import numpy as np
import onnx
import pytest
from PIL import Image

from serve import BrainTumorClassifier, InvalidImageError, ModelError
from serve.artifacts import INT8_NAME, MODELS, ONNX_NAME
from serve.track_record import ENOUGH, FEWEST, GROUPS
from serve.trained_on import files_of
from tests.conftest import label_of
from tests.serve.models import with_metadata

LABELS = ("glioma", "meningioma", "notumor", "pituitary")


@pytest.fixture(scope="module")
def classifier() -> BrainTumorClassifier:
    return BrainTumorClassifier()


def test_examples_get_their_classes(classifier, scans):
    answers = classifier.predict(scans)
    assert [answer.label for answer in answers] == [label_of(scan) for scan in scans]


def test_prediction_is_frozen_and_complete(classifier, scans):
    answer = classifier.predict(scans[0])
    assert answer.path == str(scans[0])
    assert tuple(answer.probabilities) == LABELS
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert answer.confidence == max(answer.probabilities.values())
    faster = {"CPUExecutionProvider": INT8_NAME, "CUDAExecutionProvider": ONNX_NAME}
    assert answer.model == faster[answer.provider]
    assert answer.milliseconds > 0
    with pytest.raises(FrozenInstanceError):
        answer.label = "notumor"


def test_the_file_says_what_its_confidences_have_meant(classifier, scans):
    assert tuple(classifier.track_record.groups) == GROUPS
    bins = [one for group in classifier.track_record.groups.values() for one in group]
    assert all(one.answers >= FEWEST for one in bins)
    assert sum(one.answers for one in bins) == len(files_of("test"))
    for answer in classifier.predict(scans):
        found = classifier.track_record.at(answer.confidence)
        assert answer.unsure == (found.interval[0] < ENOUGH)


def test_a_file_without_a_record_is_never_unsure(scans, tmp_path):
    classifier = BrainTumorClassifier(with_metadata(tmp_path, track_record=None))
    assert classifier.track_record.groups == {}
    assert not any(answer.unsure for answer in classifier.predict(scans))


def test_another_record_is_no_record(tmp_path):
    with pytest.raises(ModelError, match=r"no track record .* in its metadata"):
        BrainTumorClassifier(with_metadata(tmp_path, track_record="[1]"))


def test_every_kind_of_source_gives_the_same_answer(classifier, scans):
    image = Image.open(scans[3])
    sources = [scans[3], str(scans[3]), scans[3].read_bytes(), image, np.asarray(image)]
    together, alone = classifier.predict(sources), [classifier.predict(one) for one in sources]
    for found in together + alone:
        assert found.probabilities == pytest.approx(alone[0].probabilities, abs=1e-6)


def test_an_empty_list_has_no_answers(classifier):
    assert classifier.predict([]) == []


def test_one_classifier_serves_many_threads(classifier, scans):
    expected = [classifier.predict(scan).probabilities for scan in scans]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(classifier.predict, scans * 4))
    for answer, probabilities in zip(found, expected * 4, strict=True):
        assert answer.probabilities == pytest.approx(probabilities, abs=1e-6)


def test_invalid_image_is_named(classifier, scans, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"x")
    with pytest.raises(InvalidImageError, match=r"bad\.jpg"):
        classifier.predict([scans[0], bad])


def test_missing_model(tmp_path):
    with pytest.raises(ModelError, match="no such model"):
        BrainTumorClassifier(tmp_path / "none.onnx")


def test_truncated_model(tmp_path):
    path = tmp_path / "cut.onnx"
    path.write_bytes((MODELS / ONNX_NAME).read_bytes()[:1_000_000])
    with pytest.raises(ModelError, match=r"cut\.onnx: not an ONNX model"):
        BrainTumorClassifier(path)


def test_foreign_model(tmp_path):
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "foreign", [x], [y]),
        opset_imports=[onnx.helper.make_opsetid("", 18)],
        ir_version=8,
    )
    path = tmp_path / "foreign.onnx"
    onnx.save(model, path)
    with pytest.raises(ModelError, match="expected the input image"):
        BrainTumorClassifier(path)
