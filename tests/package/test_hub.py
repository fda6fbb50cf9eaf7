"""The model from a repository on the Hub, against a stand-in for it (tests/export/hub.py).

It holds what export.publish has uploaded; every download runs in a process of its own, with a
cache of its own and nothing of this machine's configuration.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from serve import BrainTumorClassifier
from serve.artifacts import INT8_NAME, METRICS_NAME, MODELS, ONNX_NAME
from tests.conftest import run
from tests.export.hub import Hub, Repository, serve_hub

TOKEN = "hf_aTokenThatOnlyTheStandInKnows"
MODEL = "ada/brain-tumour-vgg16"
KEY = f"models/{MODEL}"

LIBRARY = """
import json, sys
from serve import BrainTumorClassifier

classifier = BrainTumorClassifier.from_pretrained(*sys.argv[2:])
answer = classifier.predict(sys.argv[1])
print(json.dumps([classifier.metadata, answer.model, answer.label]))
"""
ON_A_GPU = """
import sys
from serve import classifier, hub

def download(repository, name, revision):
    print(name)
    sys.exit()

hub.download = download
classifier.choose_provider = lambda device: "CUDAExecutionProvider"
classifier.BrainTumorClassifier.from_pretrained("ada/model")
"""
HIDE_HUGGINGFACE_HUB = "import sys; sys.modules['huggingface_hub'] = None"


@dataclass
class User:
    """Someone with a cache of their own."""

    hub: Hub
    cache: Path

    def classify(
        self, *command: str | Path, token: str | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        environment = {n: os.environ[n] for n in ("PATH", "TMPDIR") if n in os.environ}
        environment |= {"HF_ENDPOINT": self.hub.url, "HF_HOME": str(self.cache)} | more
        return run(*command, env=environment | ({"HF_TOKEN": token} if token else {}))

    def infer(self, scan: Path, model: str = MODEL, **kwargs):
        return self.classify("serve/infer.py", "--json", "--model", f"hub:{model}", scan, **kwargs)


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a command that could do nothing."""
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert TOKEN not in line
    return line


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Iterator[Hub]:
    """The stand-in, with the model repository that export.publish makes of models/."""
    out = tmp_path_factory.mktemp("published")
    with serve_hub("ada", TOKEN) as hub:
        command = ("-m", "export.publish", "--space", "ada/space", "--model-repo", MODEL)
        environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(out), "HF_TOKEN": TOKEN}
        environment |= {"HF_HUB_DISABLE_XET": "1"}
        done = run(*command, "--output", out, env=os.environ | environment)
        assert done.returncode == 0, done.stderr
        yield hub


@pytest.fixture
def user(published, tmp_path) -> Iterator[User]:
    """Someone new; what a test does to the Hub is undone."""
    before = published.repositories
    published.repositories = deepcopy(before)
    published.requests.clear()
    yield User(published, tmp_path / "cache")
    published.repositories = before


def repository(user: User) -> Repository:
    return user.hub.repositories[KEY]


def put(user: User, name: str, content: bytes) -> None:
    """Change a file of the repository."""
    repository(user).large.pop(name, None)
    repository(user).files[name] = content


def downloaded(user: User) -> set[str]:
    gets = [one for one in user.hub.requests if one.startswith("GET ") and "/resolve/" in one]
    return {one.split("/")[-1] for one in gets}


def test_the_command_answers_as_with_the_model_here(user, scans):
    done = user.infer(scans[0])
    assert (done.returncode, done.stderr) == (0, "")
    answer, expected = (
        json.loads(done.stdout),
        BrainTumorClassifier("int8", "cpu").predict(scans[0]),
    )
    assert answer["model"] == INT8_NAME
    assert answer["probabilities"] == pytest.approx(expected.probabilities, abs=1e-6)
    assert downloaded(user) == {INT8_NAME, METRICS_NAME}


def test_the_library_takes_a_revision(user, scans):
    done = user.classify("-c", LIBRARY, scans[0], MODEL, repository(user).sha)
    assert (done.returncode, done.stderr) == (0, "")
    metadata, model, label = json.loads(done.stdout)
    assert metadata == BrainTumorClassifier("int8", "cpu").metadata
    assert (model, label) == (INT8_NAME, "glioma")
    done = user.classify("-c", LIBRARY, scans[0], MODEL, "v9")
    assert done.stderr.splitlines()[-1] == (
        f"serve.contract.ModelError: {MODEL}: there is no such revision"
    )


def test_what_is_in_the_cache_is_not_downloaded_again(user, scans):
    assert user.infer(scans[0]).returncode == 0
    user.hub.requests.clear()
    assert user.infer(scans[0]).returncode == 0
    assert not downloaded(user)
    user.hub.requests.clear()
    assert user.infer(scans[0], HF_HUB_OFFLINE="1").returncode == 0
    assert user.hub.requests == []


def test_a_new_commit_is_noticed(user, scans):
    assert user.infer(scans[0]).returncode == 0
    repository(user).commits += 1
    put(user, INT8_NAME, (MODELS / ONNX_NAME).read_bytes())
    assert user.infer(scans[0]).returncode == 0
    (folder,) = user.cache.glob("hub/models--*/snapshots")
    assert len(list(folder.iterdir())) == 2


def test_a_private_repository_needs_its_token(user, scans):
    repository(user).private = True
    error = error_of(user.infer(scans[0]))
    assert error == f"error: {MODEL}: there is no such repository, or it may not be read"
    assert user.infer(scans[0], token=TOKEN).returncode == 0


def test_a_refused_token(user, scans):
    assert "401 Unauthorized" in error_of(user.infer(scans[0], token="hf_another"))


def test_on_a_gpu_it_is_the_float32_model():
    assert run("-c", ON_A_GPU).stdout == f"{ONNX_NAME}\n"


@pytest.mark.parametrize(
    "model, message",
    [
        ("ada/none", "there is no such repository, or it may not be read"),
        ("ada/no name", "not USER/NAME"),
        ("", "not USER/NAME"),
    ],
)
def test_a_repository_that_is_not_there(model, message, user, scans):
    assert error_of(user.infer(scans[0], model)) == f"error: {model}: {message}"


@pytest.mark.parametrize("offline", ["0", "1"])
def test_no_connection_and_nothing_in_the_cache(offline, user, scans, tmp_path):
    """Without the waits between two tries."""
    (tmp_path / "sitecustomize.py").write_text("import time; time.sleep = lambda s: None")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        more = {"HF_HUB_OFFLINE": offline, "PYTHONPATH": str(tmp_path)}
        more |= {"HF_ENDPOINT": f"http://127.0.0.1:{closed.getsockname()[1]}"}
        error = error_of(user.infer(scans[0], **more))
    assert f"{MODEL}: {METRICS_NAME} is not in the cache, and the Hub cannot be reached" in error


def test_without_huggingface_hub(user, scans, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(HIDE_HUGGINGFACE_HUB)
    error = error_of(user.infer(scans[0], PYTHONPATH=str(tmp_path)))
    assert error == f"error: {MODEL}: the Hub needs huggingface_hub (pip install huggingface_hub)"


@pytest.mark.parametrize("name", [INT8_NAME, METRICS_NAME])
def test_a_file_that_is_not_in_it(name, user, scans):
    repository(user).large.pop(name, None)
    repository(user).files.pop(name, None)
    assert f"{MODEL}: there is no {name} in it" in error_of(user.infer(scans[0]))


def test_a_model_of_another_project(user, scans):
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "foreign", [x], [y])
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    put(user, INT8_NAME, model.SerializeToString())
    assert "not a brain tumour classifier of this project" in error_of(user.infer(scans[0]))


def test_a_file_that_is_no_model(user, scans):
    put(user, INT8_NAME, b"no model")
    assert "not an ONNX model" in error_of(user.infer(scans[0]))


def test_figures_of_another_checkpoint(user, scans):
    metrics = json.loads(repository(user).files[METRICS_NAME])
    own = metrics["model"]["sha256"]
    metrics["model"]["sha256"] = "0" * 64
    put(user, METRICS_NAME, json.dumps(metrics).encode())
    assert error_of(user.infer(scans[0])) == (
        f"error: {MODEL}: {INT8_NAME} is made of the checkpoint {own}, "
        f"but its figures are of {'0' * 64}"
    )


@pytest.mark.parametrize("content", [b"{}", b"[]", b"no JSON", b'{"model": 3}', b"\xff"])
def test_figures_of_no_checkpoint(content, user, scans):
    put(user, METRICS_NAME, content)
    assert f"{METRICS_NAME} does not say which checkpoint" in error_of(user.infer(scans[0]))
