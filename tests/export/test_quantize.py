"""The int8 model: made again in small, and the committed one."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from PIL import Image

from export import quantize
from export.float32_against_int8 import (
    answers_of,
    calibration_error,
    largest_difference,
    pointing_game,
    same_class,
)
from serve.artifacts import INT8_NAME, LABELS, METRICS_NAME, MODELS, ONNX_NAME
from tests.conftest import label_of, run
from train.folds import read_folds


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
    quantize.run(MODELS / ONNX_NAME, output, data, None, None)
    assert same_class(answers_of(MODELS / ONNX_NAME, scans), answers_of(output, scans)) == 1
    assert "same_class            1" in capsys.readouterr().out
    assert (tmp_path / METRICS_NAME).exists()

    monkeypatch.setattr(quantize, "LEAST_SAME", 1.1)
    with pytest.raises(quantize.QuantizeError, match="not written"):
        quantize.run(MODELS / ONNX_NAME, output, data, None, None)
    assert not output.exists()


def test_calibration_scans_are_spread_over_the_classes(small_dataset):
    chosen = quantize.calibration_scans(small_dataset / "Training")
    names = [path.parent.name for path in chosen]
    assert len(set(chosen)) == len(chosen)
    assert {names.count(name) for name in set(names)} == {12}  # all there are, at most 16
    assert len(set(names)) == 4


def test_what_the_published_model_held_out_calibrates_nothing(tmp_path):
    placed = read_folds()
    for label in LABELS:
        names = [name for name in placed if name.startswith(f"Training/{label}/")]
        near_a_cut = f"Training/{label}/near_a_cut.jpg"
        for name in (
            near_a_cut,
            *(next(n for n in names if placed[n].fold == f) for f in range(5)),
        ):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
    chosen = quantize.calibration_scans(tmp_path / "Training")
    assert len(chosen) == 3 * len(LABELS)
    assert all(placed[path.relative_to(tmp_path).as_posix()].fold > 1 for path in chosen)


def test_no_data_is_one_line(tmp_path):
    done = run("-m", "export.quantize", "--data", tmp_path, "--output", tmp_path / "int8.onnx")
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert error == f"error: {tmp_path / 'Testing'}: no scans"


def test_calibration_error_by_hand():
    confidence, right = np.array([0.99, 0.99, 0.5, 0.5]), np.array([True, True, True, False])
    assert calibration_error(confidence, right) == pytest.approx(0.005)


def test_pointing_game_by_hand():
    mask = np.asarray(Image.new("1", (224, 224))).copy()
    mask[32:40, 64:70] = True  # the cell in row 2, column 4
    maps = np.zeros((3, 14, 14), np.float32)
    maps[0, 2, 4] = maps[1, 4, 2] = 1  # on it, beside it, and an empty map
    assert pointing_game(maps, [mask] * 3) == pytest.approx(1 / 3)
    assert pointing_game(maps, [mask, None, None]) == 1
    assert pointing_game(maps, [None] * 3) is None
