"""The committed pair of models, and what happens when a pair does not agree."""

from __future__ import annotations

import json
import shutil

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper
from PIL import Image

from export import graph, to_onnx
from export.checkpoint import load_checkpoint
from export.keras_against_onnx import compare
from export.metadata import describe
from serve.artifacts import (
    INT8_NAME,
    KERAS_NAME,
    MODELS,
    ONNX_NAME,
    OOD_NAME,
    SMALL_NAME,
    sha256,
)
from serve.command import UserError
from serve.detector import read_detector
from serve.metrics import CHECKPOINT, read_metrics, write_metrics
from serve.names import LABELS, PARTS
from serve.trained_on import files_of
from tests.conftest import DATASET, needs_dataset, run

CPU = ["CPUExecutionProvider"]


@pytest.fixture(scope="module")
def committed() -> onnx.ModelProto:
    return onnx.load(MODELS / ONNX_NAME)


def metadata_of(model: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}


def test_committed_models_agree_on_the_examples(checkpoint, committed, scans):
    temperature = float(metadata_of(committed)["temperature"])
    detector = read_detector(MODELS / OOD_NAME)
    parity = compare(checkpoint, MODELS / ONNX_NAME, scans, temperature, detector)
    assert parity.images == len(scans)
    assert parity.failures() == []


@pytest.mark.parametrize("name", [ONNX_NAME, INT8_NAME, SMALL_NAME])
def test_committed_contract(name):
    model = onnx.load(MODELS / name)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    assert {node.domain for node in model.graph.node} == {""}
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    session = ort.InferenceSession(inferred.SerializeToString(), providers=CPU)
    (image,) = session.get_inputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", ["N", "H", "W", 3])
    assert {output.name: (output.type, output.shape) for output in session.get_outputs()} == {
        "probabilities": ("tensor(float)", ["N", 4]),
        "cam": ("tensor(float)", ["N", 4, 14, 14]),
        "ood_score": ("tensor(float)", ["N"]),
    }


@pytest.mark.parametrize(("name", "precision"), [(ONNX_NAME, "float32"), (INT8_NAME, "int8")])
def test_committed_metadata(name, precision):
    metadata = metadata_of(onnx.load(MODELS / name))
    assert json.loads(metadata["labels"]) == list(LABELS)
    assert metadata["input_size"] == "224"
    assert metadata["precision"] == precision
    detector = read_detector(MODELS / OOD_NAME)
    assert float(metadata["ood_threshold"]) == detector.threshold
    assert float(metadata.get("ood_warning", "inf")) == detector.warning
    assert metadata["source_sha256"] == sha256(MODELS / KERAS_NAME)
    assert metadata["source_sha256"] == read_metrics()["model"]["sha256"]
    assert "never a diagnosis" in metadata["intended_use"]
    assert metadata.keys() - {"ood_warning"} == {
        "labels",
        "input_size",
        "temperature",
        "ood_threshold",
        "track_record",
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
    kernels = [t for t in kernels if t.name != graph.SUMS]
    assert len(kernels) == 17  # 13 convolutions, the hidden layer, three arrays of the score
    assert {t.data_type for t in kernels} == {TensorProto.FLOAT16}


def test_batches_and_sizes_of_any_kind(scans):
    session = ort.InferenceSession(MODELS / INT8_NAME, providers=CPU)
    images = [np.asarray(Image.open(p).convert("RGB").resize((300, 200))) for p in scans[:3]]
    together = session.run(None, {"image": np.stack(images)})
    alone = zip(*(session.run(None, {"image": image[None]}) for image in images), strict=True)
    for one, others in zip(together, alone, strict=True):
        np.testing.assert_allclose(one, np.concatenate(others), atol=1e-5)
    for size in ((1, 1), (7, 900), (1000, 3)):
        probabilities, cam, _ = session.run(None, {"image": np.full((1, *size, 3), 90, np.uint8)})
        assert probabilities.sum() == pytest.approx(1, abs=1e-5)
        assert cam.min() >= 0
        assert cam.max() <= 1


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


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("model", {"sha256": "0" * 64}),
        ("protocols.published", {"accuracy": 1, "macro_f1": 1}),
        ("calibration.temperature", 1.5),
        ("ood", {"auroc": 1}),
    ],
)
def test_figures_of_another_checkpoint_are_not_quoted(section, value, tmp_path):
    checkpoint = tmp_path / KERAS_NAME
    shutil.copy(MODELS / KERAS_NAME, checkpoint)
    describe(checkpoint, 1.0)
    write_metrics(tmp_path, "export.int8", {"images": 1}, {CHECKPOINT: "0" * 64})
    describe(checkpoint, 1.0)  # does not quote that
    write_metrics(tmp_path, section, value, {CHECKPOINT: "0" * 64})
    with pytest.raises(UserError, match=rf"{section} is of the checkpoint 0{{12}}"):
        describe(checkpoint, 1.0)


def test_the_lower_threshold_is_written_where_there_is_one():
    assert "ood_warning" not in describe(MODELS / KERAS_NAME, 2.0)
    found = describe(MODELS / KERAS_NAME, 2.0, 1.25)
    assert (found["ood_threshold"], found["ood_warning"]) == ("2.0", "1.25")


TAMPERED = {
    "append_calibration": lambda step: lambda model, _: step(model, 1.5),
    "append_maps": lambda step: lambda model, hidden, logits: step(model, hidden, logits[:, ::-1]),
    "append_ood_score": lambda step: lambda model, means, white: step(model, means, 1.01 * white),
}
FIGURE = {"append_calibration": "probabilities", "append_maps": "cam"}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_model_that_disagrees_is_not_written(name, converted, tmp_path, scans, monkeypatch):
    monkeypatch.setattr(graph, "convert_network", lambda model: converted)
    monkeypatch.setattr(graph, "store_float16", lambda model: model)
    monkeypatch.setattr(graph, name, TAMPERED[name](getattr(graph, name)))
    output = tmp_path / "model.onnx"
    output.write_bytes(b"an older one")
    with pytest.raises(UserError, match=f"{FIGURE.get(name, 'ood_score')} .* is over"):
        to_onnx.export(MODELS / KERAS_NAME, output, scans[:2])
    assert list(tmp_path.iterdir()) == [output]
    assert output.read_bytes() == b"an older one"


def test_without_the_score_it_says_what_makes_it(run_here, tmp_path):
    (tmp_path / KERAS_NAME).symlink_to(MODELS / KERAS_NAME)
    done = run_here("export.to_onnx", "--checkpoint", tmp_path / KERAS_NAME)
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert error.endswith("brain_tumor_vgg16.ood.npz: not there (python -m train.ood makes it)")


def test_bad_checkpoints_are_one_line(run_here, tmp_path):
    path = tmp_path / "bad.keras"
    path.write_bytes(b"no archive")
    done = run_here("export.to_onnx", "--checkpoint", path, "--output", tmp_path / "x.onnx")
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert error == f"error: {path}: not a checkpoint of this project (not a .keras file)"
    assert "Traceback" not in done.stderr


WRONG = {
    "no such checkpoint": lambda path: None,
    "the file is empty": lambda path: path.touch(),
    "the file is cut off": lambda path: path.write_bytes((MODELS / KERAS_NAME).read_bytes()[:9999]),
    "Is a directory": lambda path: path.mkdir(),
    r"it makes \(None, 2\) of \(None, 3\)": lambda path: other_network(3, "x").save(path),
    "it has no layer block3_pool": lambda path: other_network((224, 224, 3), "y").save(path),
}


def other_network(shape, name):
    keras = pytest.importorskip("keras")
    shape = shape if isinstance(shape, tuple) else (shape,)
    image = keras.Input(shape)
    flat = keras.layers.Flatten()(image)
    return keras.Model(image, keras.layers.Dense(2 if len(shape) == 1 else 4, name=name)(flat))


@pytest.mark.parametrize("said", WRONG)
def test_a_checkpoint_is_called_by_what_is_wrong_with_it(said, tmp_path):
    path = tmp_path / "wrong.keras"
    WRONG[said](path)
    with pytest.raises(UserError, match=rf"wrong\.keras: .*{said}") as refused:
        load_checkpoint(path)
    assert len(str(refused.value).splitlines()) == 1


def test_an_output_that_cannot_be_written_is_found_first(tmp_path, scans):
    (tmp_path / "file").touch()
    for output in (tmp_path / "file" / "model.onnx", tmp_path):
        with pytest.raises(UserError, match="cannot write"):
            to_onnx.export(tmp_path / "none.keras", output, scans[:1])


@needs_dataset
@pytest.mark.slow
def test_accuracy_on_scans_never_seen_is_as_published():
    """The int8 model, through serve/, against the figure in metrics.json."""
    own = [name for name in sorted(files_of("test")) if name.split("/")[0] in PARTS]
    unseen = [DATASET / name for name in own]
    done = run("serve/infer.py", "--json", "--model", "int8", *unseen)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    published = read_metrics()["export"]["int8"]
    assert len(answers) == published["images"]
    right = sum(f"/{answer['label']}/" in answer["path"] for answer in answers)
    refused = published["refused_int8"]  # of which serve/ says no class
    expected = pytest.approx(published["accuracy_int8"], abs=0.001 + refused)
    assert right / len(answers) == expected
