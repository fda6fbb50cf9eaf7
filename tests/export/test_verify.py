"""The committed artifacts belong together, and what does not is found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import onnx
import pytest

from export import verify
from serve.artifacts import INT8_NAME, METRICS_NAME, MODELS, ONNX_NAME
from serve.metrics import CHECKPOINT, OF_CHECKPOINT, read_metrics, write_metrics


def section_of(metrics, name):
    for key in name.split("."):
        metrics = metrics[key]
    return metrics


@pytest.fixture
def models(tmp_path) -> Path:
    """A copy of the artifacts."""
    for path in MODELS.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    shutil.copytree(MODELS / "predictions", tmp_path / "predictions")
    return tmp_path


@pytest.mark.slow
def test_committed_artifacts_belong_together(run_here):
    done = run_here("export.verify")
    assert done.returncode == 0, done.stdout
    lines = [line for line in done.stdout.splitlines() if line]
    assert len(lines) == len(verify.CHECKS)
    assert all(line.startswith("ok ") for line in lines)


def test_another_checkpoint_is_found(models):
    metrics = json.loads((models / METRICS_NAME).read_text(encoding="utf-8"))
    metrics["model"]["sha256"] = "0" * 64
    (models / METRICS_NAME).write_text(json.dumps(metrics), encoding="utf-8")
    assert len(list(verify.check_hashes(models))) == 1


@pytest.mark.parametrize("section", ["protocols.published", "export.float32", "ood"])
def test_figures_of_another_checkpoint_are_named(section, models, monkeypatch, capsys):
    measured = section_of(read_metrics(models), section)
    write_metrics(models, section, measured, {CHECKPOINT: "0" * 64})
    monkeypatch.setattr(verify, "CHECKS", (verify.check_hashes, verify.check_figures))
    assert verify.verify(models) == 1
    (problem,) = [line for line in capsys.readouterr().out.splitlines() if " is of " in line]
    assert f"{section} is of the checkpoint 000000000000, not of " in problem
    assert f"(python -m {OF_CHECKPOINT[section]} measures it)" in problem


def test_changed_metadata_are_found(models):
    model = onnx.load(models / INT8_NAME)
    onnx.helper.set_model_props(model, {"labels": "[]"})
    onnx.save(model, models / INT8_NAME)
    problems = list(verify.check_metadata(models))
    assert len(problems) == 13  # twelve properties, and the JSON beside the file
    assert any("precision" in problem for problem in problems)


def test_swapped_models_and_large_files_are_found(models):
    shutil.copy(models / ONNX_NAME, models / INT8_NAME)
    assert any("has 3" in problem for problem in verify.check_sizes(models))
    assert any("precision float32, not int8" in p for p in verify.check_metadata(models))


def test_a_truncated_model_fails_in_one_line(models, monkeypatch, capsys):
    path = models / ONNX_NAME
    path.write_bytes(path.read_bytes()[:1_000_000])
    monkeypatch.setattr(verify, "CHECKS", (verify.check_hashes, verify.check_contract))
    assert verify.verify(models) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("ok ")
    assert out[1].startswith("FAILED ")
