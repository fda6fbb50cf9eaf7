"""The GPU's benchmark: what can be tried of it where there is no GPU."""

from __future__ import annotations

import numpy as np
import pytest

from export import gpu_benchmark
from export.speed import gpu_engines
from serve.artifacts import MODELS, ONNX_NAME
from serve.formats.raster import load_pixels
from serve.metrics import read_metrics
from serve.names import INPUT_SIZE
from serve.providers import CPU, DeviceError, choose_provider


def has_gpu() -> bool:
    try:
        choose_provider("cuda")
    except DeviceError:
        return False
    return True


def test_what_is_timed_gives_the_files_own_answers(scans, monkeypatch):
    monkeypatch.setitem(
        gpu_engines.ENGINES, "onnx", lambda precision: gpu_engines.onnx_runtime(precision, CPU)
    )
    images = np.stack([load_pixels(scan, INPUT_SIZE) for scan in scans[:3]])
    exact = gpu_engines.measure("onnx", "float32", images, [1])
    half = gpu_engines.measure("onnx", "float16", images, [])
    assert [row["engine"] for row in exact["rows"]] == ["onnx_float32", "onnx_float32_maps"]
    for row in exact["rows"]:
        assert row["rounds"] >= gpu_engines.ROUNDS
        assert row["images_per_second"] == pytest.approx(1000 / row["milliseconds"])
    reference = exact["probabilities"]["onnx_float32"]
    halved = half["probabilities"]["onnx_float16"]
    assert 0 < np.abs(halved - reference).max() < 1e-2
    np.testing.assert_array_equal(halved, half["probabilities"]["onnx_float16_maps"])


def test_a_peer_that_fails_is_left_out_and_it_is_said_why(scans, monkeypatch, capsys):
    def alone(engine, precision, images, batches):
        if engine == "torch":
            raise RuntimeError("no kernel image")
        return {
            "probabilities": {f"{engine}_{precision}": np.zeros((len(images), 4), np.float32)},
            "rows": [{"engine": f"{engine}_{precision}", "batch": 1, "images_per_second": 1.0}],
        }

    monkeypatch.setattr(gpu_benchmark, "_alone", alone)
    monkeypatch.setattr(gpu_engines, "versions", lambda: {"torch": "2.11.0"})
    images = np.stack([load_pixels(scans[0], INPUT_SIZE)])
    found = gpu_benchmark.measure_engines(images)
    assert [row["engine"] for row in found["rows"]] == ["onnx_float32", "onnx_float16"]
    assert found["largest_difference"]["onnx_float32"] > 0.25  # zeros are no probabilities
    assert "torch float32: left out (no kernel image)" in capsys.readouterr().out


def test_the_engines_figures_are_kept_where_the_folder_cannot_be_measured(monkeypatch, tmp_path):
    (tmp_path / ONNX_NAME).symlink_to(MODELS / ONNX_NAME)
    monkeypatch.setattr(gpu_benchmark, "MODELS", tmp_path)
    monkeypatch.setattr(gpu_benchmark, "choose_provider", lambda device: CPU)
    monkeypatch.setattr(gpu_benchmark, "_card", lambda: "a card")
    monkeypatch.setattr(gpu_benchmark, "measure_engines", lambda images: {"rows": []})
    monkeypatch.setattr(gpu_benchmark, "measure_folder", lambda images: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        gpu_benchmark.main([])
    kept = read_metrics(tmp_path)["benchmark"]["gpu"]
    assert (kept["card"], kept["rows"]) == ("a card", [])
    assert "folder" not in kept


@pytest.mark.skipif(has_gpu(), reason="there is a GPU here")
def test_without_a_gpu_it_says_so(run_here):
    done = run_here("export.gpu_benchmark")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: no GPU to run on")
    assert "Traceback" not in done.stderr
