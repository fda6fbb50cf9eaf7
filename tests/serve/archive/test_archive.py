"""The command on Ray: here, and on a cluster of two nodes of which one dies."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from serve.artifacts import INT8_NAME, MODELS
from tests.conftest import ROOT, run

pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra archive")
pytest.importorskip("ray", reason="needs the extra archive")
PICTURES = 3000


def paths_in(output: Path) -> Counter[str]:
    return Counter(pq.read_table(output, columns=["path"])["path"].to_pylist())


@pytest.mark.slow
def test_here_and_once_more(archive, tmp_path):
    command = ("-m", "serve.archive", archive, "--output", tmp_path / "out", "--device", "cpu")
    done = run(*command)
    assert done.returncode == 1  # for the broken one
    assert "9 slices, 2 series, 1 errors" in done.stderr
    assert "1 file skipped: 1 no picture" in done.stderr
    first = paths_in(tmp_path / "out")
    shutil.copy(archive / "b" / "head.nii.gz", tmp_path / "more.nii.gz")
    again = run(*command[:3], tmp_path / "more.nii.gz", *command[3:])
    assert again.returncode == 0, again.stderr
    assert "2 slices, 1 series, 0 errors" in again.stderr
    second = paths_in(tmp_path / "out")
    assert second - first == Counter(
        {f"{tmp_path}/more.nii.gz{part}": 1 for part in ("", "[0]", "[1]")}
    )


def test_what_is_not_there_is_one_line(tmp_path):
    done = run("-m", "serve.archive", tmp_path / "none", "--output", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "no such file or folder" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def stand_in(tmp_path) -> Path:
    """A model of the contract with next to no arithmetic, so that thousands of pictures are quick;
    its answers depend on the picture."""
    kernel = np.random.default_rng(0).normal(0, 0.02, (3, 4)).astype(np.float32)
    constants = {
        "axes": np.array([1, 2]),
        "kernel": kernel,
        "maps": np.array([4, 14, 14]),
        "half": np.float32(0.5),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["levels", "axes"], ["means"], keepdims=0),
        helper.make_node("MatMul", ["means", "kernel"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
        helper.make_node("Shape", ["image"], ["batch"], start=0, end=1),
        helper.make_node("Concat", ["batch", "maps"], ["shape"], axis=0),
        helper.make_node("Expand", ["half", "shape"], ["cam"]),
        helper.make_node("Expand", ["half", "batch"], ["ood_score"]),
    ]
    outputs = {"probabilities": ["N", 4], "cam": ["N", 4, 14, 14], "ood_score": ["N"]}
    graph = helper.make_graph(
        nodes,
        "stand-in",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", "H", "W", 3])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    model.metadata_props.extend(onnx.load(MODELS / INT8_NAME).metadata_props)
    onnx.save(model, tmp_path / "stand_in.onnx")
    return tmp_path / "stand_in.onnx"


@pytest.mark.slow
def test_a_worker_and_a_node_that_die_lose_and_double_nothing(scans, stand_in, tmp_path):
    utilities = pytest.importorskip("ray.cluster_utils")
    grey = np.asarray(Image.open(scans[0]).convert("L").resize((64, 64))).astype(int)
    for number in range(PICTURES):
        path = tmp_path / "in" / f"{number // 500}" / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((grey + number % 60).clip(0, 255).astype(np.uint8)).save(path)
    cluster = utilities.Cluster(True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    output = tmp_path / "out"
    try:
        node = cluster.add_node(num_cpus=1)
        command = [sys.executable, "-m", "serve.archive", tmp_path / "in", "--output", output]
        options = ["--model", stand_in, "--ray", cluster.address]
        with subprocess.Popen([*command, *options], cwd=ROOT, stderr=subprocess.PIPE) as process:
            wait_for_parts(output, 1)
            raylets = {
                one.process.pid
                for part in (cluster.head_node, node)
                for one in part.all_processes["raylet"]
            }
            workers = workers_of(raylets)
            assert workers
            os.kill(workers[0], signal.SIGKILL)
            wait_for_parts(output, 3)
            cluster.remove_node(node, allow_graceful=False)
            _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    finally:
        cluster.shutdown()
    found = paths_in(output)
    assert set(found.values()) == {1}
    assert found.keys() == {str(path) for path in (tmp_path / "in").rglob("*.jpg")}


DEADLY = """
import os, signal, sys
def hook(event, arguments):
    if event == "open" and "deadly" in str(arguments[0]):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
"""


@pytest.mark.slow
def test_a_file_that_ends_whoever_reads_it_is_said_and_ends_nothing_else(
    scans, stand_in, tmp_path, monkeypatch
):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(300):
        shutil.copy(scans[0], folder / f"{number:03}.jpg")
    shutil.copy(scans[0], folder / "deadly.jpg")
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "sitecustomize.py").write_text(DEADLY, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hooks"))
    command = ("-m", "serve.archive", folder, "--output", tmp_path / "out", "--model", stand_in)
    done = run(*command, "--device", "cpu")
    assert done.returncode == 1
    assert "300 slices, 0 series, 1 errors" in done.stderr
    assert "Traceback" not in done.stderr
    table = pq.read_table(tmp_path / "out", columns=["row", "path", "error"]).to_pylist()
    (error,) = [row for row in table if row["row"] == "error"]
    assert error["path"] == str(folder / "deadly.jpg")
    assert error["error"] == "it ended 4 workers that read it"
    assert len({row["path"] for row in table}) == len(table) == 301
    again = run(*command, "--device", "cpu")
    assert "0 slices, 0 series, 0 errors; 301 files" in again.stderr
    assert again.returncode == 0


def wait_for_parts(output: Path, count: int) -> None:
    for _ in range(600):
        if len(list(output.glob("*/[!.]*.parquet"))) >= count:
            return
        time.sleep(0.2)
    raise AssertionError("no answers came")


def workers_of(raylets: set[int]) -> list[int]:
    """Ray's actors that hold a session, of these nodes alone."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text(encoding="utf-8")
            status = (folder / "status").read_text(encoding="utf-8")
        except OSError:  # it has just ended
            continue
        (parent,) = (line for line in status.splitlines() if line.startswith("PPid:"))
        if "Map(Worker)" in command and int(parent.split()[1]) in raylets:
            found.append(int(folder.name))
    return found
