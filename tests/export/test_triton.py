"""The repository for Triton says of each model what its file and the contract say."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import time
from urllib.error import URLError
from urllib.request import Request, urlopen

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from export import triton
from serve.artifacts import INT8_NAME, MODELS, ONNX_NAME
from serve.contract import INPUTS, OUTPUTS
from serve.formats.raster import load_pixels
from serve.names import INPUT_SIZE, LABELS

KINDS = {"tensor(uint8)": "TYPE_UINT8", "tensor(float)": "TYPE_FP32"}
TENSOR = re.compile(
    r'name: "(?P<name>\w+)" data_type: (?P<kind>\w+) dims: (?P<dims>\[[^]]*\])'
    r'(?P<reshape> reshape: \{ shape: \[\] \})?(?: label_filename: "(?P<labels>[^"]+)")?'
)
FILES = {"brain_tumor_vgg16": ONNX_NAME, "brain_tumor_vgg16_int8": INT8_NAME}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repository")
    assert triton.write_repository(folder) == list(FILES)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_those_of_models(repository, name):
    digests = [
        hashlib.sha256(path.read_bytes()).digest()
        for path in (repository / name / "1" / "model.onnx", MODELS / FILES[name])
    ]
    assert digests[0] == digests[1]
    labels = (repository / name / "labels.txt").read_text(encoding="utf-8").split()
    assert tuple(labels) == LABELS
    names = {str(path.relative_to(repository / name)) for path in (repository / name).rglob("*.*")}
    assert names == {"1/model.onnx", "labels.txt", "config.pbtxt"}


@pytest.mark.parametrize("name", FILES)
def test_the_configuration_is_the_contract(repository, name):
    text = (repository / name / "config.pbtxt").read_text(encoding="utf-8")
    tensors = {found["name"]: found for found in TENSOR.finditer(text)}
    assert set(tensors) == {*INPUTS, *OUTPUTS}
    for tensor, (kind, axes) in (INPUTS | OUTPUTS).items():
        found = tensors[tensor]
        assert found["kind"] == KINDS[kind]
        dims = [axis or -1 for axis in axes[1:]]
        assert json.loads(found["dims"]) == (dims or [1])
        assert bool(found["reshape"]) == (not dims)  # Triton knows no tensor without an axis
        assert found["labels"] == ("labels.txt" if tensor == "probabilities" else None)
    lines = dict(line.split(": ", 1) for line in text.splitlines()[:3])
    assert lines["name"] == f'"{name}"'
    assert f"preferred_batch_size: [8, {lines['max_batch_size']}]" in text
    assert ("KIND_CPU" in text) == ("int8" in name)
    metadata = {entry.key: entry.value for entry in onnx.load(MODELS / FILES[name]).metadata_props}
    assert f'"ood_threshold" value: {{ string_value: "{metadata["ood_threshold"]}" }}' in text
    assert text.count("{") == text.count("}")


@pytest.mark.skipif(shutil.which("tritonserver") is None, reason="needs tritonserver")
@pytest.mark.slow
def test_triton_answers_as_the_file(repository, scans):
    pixels = load_pixels(scans[0], INPUT_SIZE)[None]
    expected = ort.InferenceSession(MODELS / ONNX_NAME).run(["probabilities"], {"image": pixels})
    tensor = {
        "name": "image",
        "shape": list(pixels.shape),
        "datatype": "UINT8",
        "data": pixels.ravel().tolist(),
    }
    address = "http://127.0.0.1:8000/v2/models/brain_tumor_vgg16"
    with subprocess.Popen(["tritonserver", "--model-repository", repository]) as server:
        try:
            for _ in range(120):
                try:
                    urlopen(f"{address}/ready").close()
                    break
                except URLError:
                    time.sleep(1)
            body = json.dumps({"inputs": [tensor]}).encode()
            answer = json.load(urlopen(Request(f"{address}/infer", body)))
        finally:
            server.terminate()
    outputs = {one["name"]: one["data"] for one in answer["outputs"]}
    np.testing.assert_allclose([outputs["probabilities"]], expected[0], atol=1e-3)
