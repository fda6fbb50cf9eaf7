"""The committed models in programs that have nothing but an ONNX runtime."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from PIL import Image

from serve import BrainTumorClassifier
from serve.artifacts import INT8_NAME, MODELS, ONNX_NAME
from tests.conftest import ROOT, label_of

EMBEDDING = Path(__file__).parent / "embedding"
BOTH = (ONNX_NAME, INT8_NAME)
HEADER = "onnxruntime_cxx_api.h"
INCLUDE = ["-I/usr/include/onnxruntime"]  # and what CPLUS_INCLUDE_PATH names
METADATA_READER = ROOT / "serve" / "web" / "page" / "metadata.js"

needs_node = pytest.mark.skipif(
    not (shutil.which("node") and shutil.which("npm")), reason="needs Node.js and npm"
)


@pytest.fixture(scope="module")
def pictures(scans, tmp_path_factory) -> list[Path]:
    """An example of every class, one again in grey and in red with an alpha channel, and noise."""
    folder = tmp_path_factory.mktemp("pictures")
    grey, red, noise = (folder / name for name in ("grey.jpg", "red.png", "noise.png"))
    levels = Image.open(scans[3]).convert("L")
    levels.save(grey)
    black, opaque = Image.new("L", levels.size), Image.new("L", levels.size, 255)
    Image.merge("RGBA", (levels, black, black, opaque)).save(red)
    pixels = np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8)
    Image.fromarray(pixels).save(noise)
    return [*scans[::2], grey, red, noise]


@pytest.fixture(scope="module")
def node_packages() -> None:
    done = subprocess.run(
        ["npm", "install", "--silent"], cwd=EMBEDDING, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def answers_of(*command: str | Path) -> list[dict]:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def in_python(pictures) -> dict[str, list[dict]]:
    command = (sys.executable, EMBEDDING / "embed.py")
    return {model: answers_of(*command, MODELS / model, *pictures) for model in BOTH}


def test_python_gets_what_the_classifier_gets(in_python, pictures, scans):
    classifier = BrainTumorClassifier("fp32", device="cpu")
    answers = in_python[ONNX_NAME]
    assert [answer["label"] for answer in answers[:4]] == [*map(label_of, scans[::2])]
    assert answers[-1]["label"] is None
    for picture, answer in zip(pictures, answers, strict=True):
        expected = classifier.explain(picture)
        prediction = expected.prediction
        assert answer["label"] == prediction.label
        assert answer["ood_score"] == pytest.approx(prediction.ood_score, rel=1e-2)
        if not prediction.brain_mri:
            continue
        # The graph resizes where the classifier lets Pillow do it: a grey level of rounding.
        probabilities = list(prediction.probabilities.values())
        assert answer["probabilities"] == pytest.approx(probabilities, abs=1e-3)
        assert answer["confidence"] == max(answer["probabilities"])
        np.testing.assert_allclose(answer["map"], expected.maps[prediction.label], atol=0.02)


@needs_node
@pytest.mark.network
@pytest.mark.parametrize("model", BOTH)
def test_node_gets_what_python_gets(model, in_python, pictures, node_packages):
    answers = answers_of("node", EMBEDDING / "embed.mjs", MODELS / model, *pictures)
    for expected, answer in zip(in_python[model], answers, strict=True):
        assert answer["label"] == expected["label"]
        assert answer["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-3)
        assert answer["confidence"] == max(answer["probabilities"])
        assert answer["ood_score"] == pytest.approx(expected["ood_score"], rel=1e-2)
        np.testing.assert_allclose(answer["map"], expected["map"], atol=0.02)


def has_headers() -> bool:
    """Does a C++ compiler find ONNX Runtime's headers? Debian's libonnxruntime-dev has them."""
    if not shutil.which("g++"):
        return False
    program = f"#include <{HEADER}>\n"
    command = ["g++", *INCLUDE, "-fsyntax-only", "-x", "c++", "-"]
    return subprocess.run(command, input=program, text=True, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def cpp_program(node_packages, tmp_path_factory) -> Path:
    """The C++ recipe, linked with the library that onnxruntime-node brings."""
    if not has_headers():
        pytest.skip("needs g++ and the headers of ONNX Runtime (libonnxruntime-dev)")
    packages = EMBEDDING / "node_modules" / "onnxruntime-node" / "bin"
    (library,) = packages.glob("*/linux/x64/libonnxruntime.so.1")
    program = tmp_path_factory.mktemp("cpp") / "embed"
    command = ["g++", "-std=c++17", *INCLUDE, EMBEDDING / "embed.cpp", library]
    command += [f"-Wl,-rpath,{library.parent}", "-o", program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return program


@needs_node
@pytest.mark.network
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the library is for x86-64")
@pytest.mark.parametrize("model", BOTH)
def test_cpp_gets_what_python_gets(model, in_python, pictures, cpp_program, tmp_path):
    ppms = [tmp_path / f"{number}.ppm" for number in range(len(pictures))]
    for picture, ppm in zip(pictures, ppms, strict=True):
        Image.open(picture).convert("RGB").save(ppm)
    answers = answers_of(cpp_program, MODELS / model, *ppms)
    for expected, answer in zip(in_python[model], answers, strict=True):
        assert answer["refused"] == (expected["label"] is None)
        assert answer["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-3)
        assert answer["ood_score"] == pytest.approx(expected["ood_score"], rel=1e-2)


def test_the_cpp_recipe_of_the_card_is_the_program():
    recipe = (MODELS / "README.md").read_text(encoding="utf-8").split("```cpp\n")[1].split("```")[0]
    program = (EMBEDDING / "embed.cpp").read_text(encoding="utf-8")
    calls = ("CreateTensor<uint8_t>(", "session.Run(", "LookupCustomMetadataMapAllocated(")
    for call in calls:
        (ours,) = [line.split("//")[0].strip() for line in recipe.splitlines() if call in line]
        assert ours in program


def read_metadata(file: Path) -> subprocess.CompletedProcess[str]:
    script = (
        f'import {{ readMetadata }} from "{METADATA_READER.as_uri()}";'
        'import { readFileSync } from "node:fs";'
        "console.log(JSON.stringify(readMetadata(readFileSync(process.argv[1]))))"
    )
    command = ["node", "--input-type=module", "--eval", script, file]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@needs_node
@pytest.mark.parametrize("model", BOTH)
def test_javascript_reads_the_whole_metadata(model):
    session = ort.InferenceSession(MODELS / model, providers=["CPUExecutionProvider"])
    expected = session.get_modelmeta().custom_metadata_map
    assert json.loads(read_metadata(MODELS / model).stdout) == expected


@needs_node
def test_javascript_says_what_is_wrong_with_a_file(scans, tmp_path):
    cut = tmp_path / "cut.onnx"
    cut.write_bytes((MODELS / ONNX_NAME).read_bytes()[:1_000_000])
    assert "Error: the model file is cut short" in read_metadata(cut).stderr
    assert "Error: the model is not an ONNX file" in read_metadata(scans[0]).stderr
