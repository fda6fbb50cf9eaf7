"""The int8 model: made again in small, and the committed one."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from export import quantize
from export.float32_against_int8 import (
    answers_of,
    largest_difference,
    same_class,
)
from serve.artifacts import INT8_NAME, METRICS_NAME, MODELS, ONNX_NAME
from serve.command import UserError
from tests.conftest import label_of, run


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


def test_quantizing_again_in_small(small_dataset, scans, tmp_path, monkeypatch, capsys):
    data = tmp_path / "data"
    (data / "Testing").mkdir(parents=True)
    (data / "Training").symlink_to(small_dataset / "Training")
    for scan in scans[::2]:
        (data / "Testing" / label_of(scan)).mkdir()
        (data / "Testing" / label_of(scan) / scan.name).symlink_to(scan)
    monkeypatch.setattr(quantize, "SCANS_A_CLASS", 1)
    output = tmp_path / "int8.onnx"
    quantize.make(MODELS / ONNX_NAME, output, data, None, None)
    assert same_class(answers_of(MODELS / ONNX_NAME, scans), answers_of(output, scans)) == 1
    assert "same_class            1" in capsys.readouterr().out
    assert (tmp_path / METRICS_NAME).exists()

    monkeypatch.setattr(quantize, "LEAST_SAME", 1.1)
    with pytest.raises(UserError, match="not written"):
        quantize.make(MODELS / ONNX_NAME, output, data, None, None)
    assert not output.exists()


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


def test_no_data_is_one_line(tmp_path):
    done = run("-m", "export.quantize", "--data", tmp_path, "--output", tmp_path / "int8.onnx")
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert error == f"error: {tmp_path / 'Testing'}: no scans"
