"""Who only serves needs onnxruntime, numpy and pillow."""

from __future__ import annotations

import json
import subprocess
import venv

import pytest

from tests.conftest import ROOT, label_of


@pytest.mark.network
@pytest.mark.slow
def test_infer_with_three_packages(scans, tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "onnxruntime", "numpy", "pillow"], check=True
    )
    for absent in ("tensorflow", "keras", "tf2onnx", "sklearn", "gradio", "tqdm"):
        found = subprocess.run([python, "-c", f"import {absent}"], capture_output=True)
        assert found.returncode, f"{absent} is installed"
    done = subprocess.run(
        [python, "serve/infer.py", "--json", *scans], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    labels = [json.loads(line)["label"] for line in done.stdout.splitlines()]
    assert labels == [label_of(scan) for scan in scans]
