"""The committed pair of models, and what happens when a pair does not agree."""

from __future__ import annotations

import json

import keras
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper
from PIL import Image

from export import graph, to_onnx
from export.parity import compare
from serve.artifacts import KERAS_NAME, LABELS, MODELS, ONNX_NAME, read_metrics, sha256
from tests.conftest import DATASET, needs_dataset, run

CPU = ["CPUExecutionProvider"]


@pytest.fixture(scope="module")
def checkpoint() -> keras.Model:
    return keras.models.load_model(MODELS / KERAS_NAME, compile=False)


@pytest.fixture(scope="module")
def committed() -> onnx.ModelProto:
    return onnx.load(MODELS / ONNX_NAME)


def metadata_of(model: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}


def test_committed_models_agree_on_the_examples(checkpoint, committed, scans):
    temperature = float(metadata_of(committed)["temperature"])
    parity = compare(checkpoint, MODELS / ONNX_NAME, scans, temperature)
    assert parity.images == len(scans)
    assert parity.holds, parity


def test_committed_contract(committed):
    onnx.checker.check_model(committed, full_check=True)
    assert [(entry.domain, entry.version) for entry in committed.opset_import] == [("", 18)]
    assert {node.domain for node in committed.graph.node} == {""}
    (image,) = ort.InferenceSession(MODELS / ONNX_NAME, providers=CPU).get_inputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", ["N", "H", "W", 3])


def test_committed_metadata(committed):
    metadata = metadata_of(committed)
    assert json.loads(metadata["labels"]) == list(LABELS)
    assert metadata["input_size"] == "224"
    assert metadata["precision"] == "float32"
    assert metadata["source_sha256"] == sha256(MODELS / KERAS_NAME)
    assert metadata["source_sha256"] == read_metrics()["model"]["sha256"]
    assert "never a diagnosis" in metadata["intended_use"]
    assert set(metadata) == {
        "labels",
        "input_size",
        "temperature",
        "ood_threshold",
        "precision",
        "model_version",
        "source_sha256",
        "metrics",
        "license",
        "intended_use",
    }


def test_files_are_small_and_hold_float16(committed):
    for name in (KERAS_NAME, ONNX_NAME):
        assert (MODELS / name).stat().st_size < 40e6
    kernels = [t for t in committed.graph.initializer if np.prod(t.dims) > 1024]
    assert len(kernels) == 14
    assert {t.data_type for t in kernels} == {TensorProto.FLOAT16}


def test_batches_and_sizes_of_any_kind(scans):
    session = ort.InferenceSession(MODELS / ONNX_NAME, providers=CPU)
    images = [np.asarray(Image.open(p).convert("RGB").resize((300, 200))) for p in scans[:3]]
    together = session.run(None, {"image": np.stack(images)})[0]
    alone = np.concatenate([session.run(None, {"image": i[None]})[0] for i in images])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    for size in ((1, 1), (7, 900), (1000, 3)):
        (found,) = session.run(None, {"image": np.full((1, *size, 3), 90, np.uint8)})
        assert found.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (7, 900), (224, 224), (201, 640), (4000, 3000)])
def test_resize_in_the_graph_is_pillows(size, scans):
    """Any size, up and down: within one grey level of BILINEAR."""
    rgb = helper.make_tensor_value_info("rgb", TensorProto.FLOAT, ["N", 224, 224, 3])
    same = helper.make_tensor_value_info("same", TensorProto.FLOAT, ["N", 224, 224, 3])
    nothing = helper.make_graph(
        [helper.make_node("Identity", ["rgb"], ["same"])], "nothing", [rgb], [same]
    )
    model = graph.prepend_preprocessing(
        helper.make_model(nothing, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    )
    session = ort.InferenceSession(model.SerializeToString(), providers=CPU)
    image = Image.open(scans[0]).convert("RGB").resize(size, Image.Resampling.BICUBIC)
    (found,) = session.run(None, {"image": np.asarray(image)[None]})
    expected = np.asarray(image.resize((224, 224), Image.Resampling.BILINEAR), np.float32)
    assert np.abs(found[0] - expected).max() <= 1


def test_a_model_that_disagrees_is_not_written(tmp_path, scans, monkeypatch, capsys):
    honest = graph.append_calibration
    monkeypatch.setattr(graph, "append_calibration", lambda model, _: honest(model, 1.5))
    output = tmp_path / "model.onnx"
    output.write_bytes(b"an older one")
    with pytest.raises(to_onnx.ExportError, match="not equal"):
        to_onnx.export(MODELS / KERAS_NAME, output, scans)
    assert list(tmp_path.iterdir()) == []
    assert "largest difference" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, b"", b"no archive"])
def test_bad_checkpoints_are_one_line(content, tmp_path):
    path = tmp_path / "bad.keras"
    if content is not None:
        path.write_bytes(content)
    done = run("-m", "export.to_onnx", "--checkpoint", path, "--output", tmp_path / "x.onnx")
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "bad.keras" in error
    assert "Traceback" not in done.stderr


@needs_dataset
def test_accuracy_on_all_of_testing_is_as_published():
    """The committed ONNX model, through serve/, against the figure in metrics.json."""
    done = run("serve/infer.py", "--json", DATASET / "Testing")
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == 1311
    right = sum(f"/{answer['label']}/" in answer["path"] for answer in answers)
    published = read_metrics()["protocols"]["kaggle"]["accuracy"]
    assert right / len(answers) >= published - 0.002
