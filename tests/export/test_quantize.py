"""The int8 model: made again in small, and the committed one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from export import quantize
from export.float32_against_int8 import (
    answers_of,
    largest_difference,
    same_class,
)
from export.metadata import metadata_of
from serve.artifacts import INT8_NAME, MODELS, ONNX_NAME
from serve.command import UserError
from serve.metrics import CHECKPOINT, read_metrics, write_metrics
from serve.trained_on import TrainedOn, write_trained_on


def test_committed_models_answer_alike(scans):
    float32, int8 = (answers_of(MODELS / name, scans) for name in (ONNX_NAME, INT8_NAME))
    assert same_class(float32, int8) == 1
    assert 0 < largest_difference(float32, int8) < 0.1
    assert int8.brain_mri.all()


def test_committed_file_is_int8_and_small():
    path = MODELS / INT8_NAME
    assert path.stat().st_size <= 20e6
    model = onnx.load(path)
    kernels = [t for t in model.graph.initializer if t.data_type == onnx.TensorProto.INT8]
    kernels = [t for t in kernels if len(t.dims) > 1]
    assert len(kernels) == 13  # all but the first convolution, and the hidden layer
    largest = max(np.abs(onnx.numpy_helper.to_array(t).astype(int)).max() for t in kernels)
    assert largest <= 64  # of 7 bits: two products fit into 16 bits


@pytest.fixture
def model(small_dataset, tmp_path) -> Path:
    """The committed float32 model, as if it were trained on the small dataset's Training."""
    sides = {"Training": "training", "Testing": "test"}
    files = [path.relative_to(small_dataset) for path in sorted(small_dataset.rglob("*.jpg"))]
    rows = [TrainedOn(file.as_posix(), sides[file.parts[0]], "") for file in files]
    write_trained_on(rows, tmp_path)
    shutil.copy(MODELS / ONNX_NAME, tmp_path)
    return tmp_path / ONNX_NAME


@pytest.mark.slow
def test_quantizing_again_in_small(small_dataset, scans, model, monkeypatch, capsys):
    monkeypatch.setattr(quantize, "SCANS_A_CLASS", 1)
    output = model.with_name(INT8_NAME)
    quantize.make(model, output, small_dataset, None, None)
    assert same_class(answers_of(model, scans), answers_of(output, scans)) == 1
    assert "same_class" in capsys.readouterr().out
    figures = read_metrics(output.parent)["export"]["int8"]
    assert figures["images"] == 16  # the test side
    made = onnx.load(output)
    constants = {tensor.name: tensor for tensor in made.graph.initializer}
    rounded = [node for node in made.graph.node if node.op_type == "QuantizeLinear"]
    zeros = [onnx.numpy_helper.to_array(constants[node.input[2]]) for node in rounded]
    assert len(rounded) >= 13 and not any(zeros)  # after the ReLU alone: nothing is negative
    scaled = {node.output[0] for node in made.graph.node if node.op_type == "DequantizeLinear"}
    products = [node for node in made.graph.node if node.op_type == "MatMul"]
    assert not any(node.input[1] in scaled for node in products)
    beside = json.loads(output.with_suffix(".json").read_text(encoding="utf-8"))
    assert beside == metadata_of(made)
    assert beside["track_record"] == figures["track_record"]
    before = output.read_bytes()

    monkeypatch.setattr(quantize, "quantize", lambda *_: made)
    monkeypatch.setattr(quantize, "LEAST_SAME", 1.1)
    with pytest.raises(UserError, match="not written"):
        quantize.make(model, output, small_dataset, None, None)
    assert output.read_bytes() == before  # what was there is still there


def test_the_float32_model_is_never_overwritten(small_dataset, model):
    before = model.read_bytes()
    with pytest.raises(UserError, match="--output is --model"):
        quantize.make(model, model.parent / "." / model.name, small_dataset, None, None)
    assert model.read_bytes() == before


@pytest.mark.parametrize("section", ["protocols.published", "calibration.temperature"])
def test_figures_of_another_checkpoint_are_refused(section, small_dataset, model):
    made_of = metadata_of(onnx.load(model))["source_sha256"]
    write_metrics(model.parent, "model", {"sha256": made_of}, {CHECKPOINT: made_of})
    write_metrics(model.parent, section, {"accuracy": 1}, {CHECKPOINT: "0" * 64})
    output = model.with_name(INT8_NAME)
    with pytest.raises(UserError, match=rf"{section} is of the checkpoint 0{{12}}"):
        quantize.make(model, output, small_dataset, None, None)
    assert not output.exists()


def test_a_model_made_of_another_checkpoint_is_refused(small_dataset, model):
    write_metrics(model.parent, "model", {"sha256": "0" * 64}, {CHECKPOINT: "0" * 64})
    with pytest.raises(UserError, match=r"export\.to_onnx makes it anew"):
        quantize.make(model, model.with_name(INT8_NAME), small_dataset, None, None)


def test_calibration_scans_are_spread_over_the_classes(small_dataset):
    everything = {
        path.relative_to(small_dataset).as_posix() for path in small_dataset.rglob("*.jpg")
    }
    chosen = quantize.calibration_scans(small_dataset / "Training", everything)
    names = [path.parent.name for path in chosen]
    assert len(set(chosen)) == len(chosen)
    assert {names.count(name) for name in set(names)} == {12}  # all there are, at most 16
    assert len(set(names)) == 4


def test_only_what_was_trained_on_calibrates(small_dataset):
    learnt = {
        path.relative_to(small_dataset).as_posix()
        for path in small_dataset.rglob("*.jpg")
        if "_0" in path.name
    }
    chosen = quantize.calibration_scans(small_dataset / "Training", learnt)
    assert {path.relative_to(small_dataset).as_posix() for path in chosen} <= learnt
    with pytest.raises(UserError, match="trained on none"):
        quantize.calibration_scans(small_dataset / "Training", set())


def test_no_data_is_one_line(run_here, tmp_path):
    done = run_here("export.quantize", "--data", tmp_path, "--output", tmp_path / "int8.onnx")
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert error == f"error: {tmp_path}: holds no scan that the model never saw"
