"""The wheel, built, installed in fresh environments and used away from the repository."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import venv
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zipfile import ZipFile

import pytest

from serve import __version__
from serve.artifacts import INT8_NAME
from tests.conftest import ROOT

pytestmark = [pytest.mark.network, pytest.mark.slow]

MOST = 25_000_000  # bytes
LIBRARY = """
import dataclasses, json, sys
from brain_tumor_vgg16 import BrainTumorClassifier

for answer in BrainTumorClassifier().predict(sys.argv[1:]):
    print(json.dumps(dataclasses.asdict(answer)))
"""


@dataclass
class Environment:
    """A fresh environment in a folder where nothing of the repository is."""

    folder: Path

    def program(self, name: str) -> Path:
        return self.folder / ("Scripts" if os.name == "nt" else "bin") / name

    def run(self, name: str, *arguments: str | Path, **kwargs) -> subprocess.CompletedProcess[str]:
        kwargs = {"cwd": self.folder, "env": clean()} | kwargs
        command = [self.program(name), *arguments]
        return subprocess.run(command, capture_output=True, text=True, **kwargs)


def clean(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | more


def environment(folder: Path, *requirements: str | Path) -> Environment:
    venv.create(folder, with_pip=True)
    made = Environment(folder)
    done = made.run("python", "-m", "pip", "install", "-q", *requirements)
    assert done.returncode == 0, done.stderr
    return made


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """The one line on standard error of a command that could do nothing."""
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line


def answers_of(done: subprocess.CompletedProcess[str]) -> list[dict]:
    """JSON Lines, without the time that each answer took."""
    assert (done.returncode, done.stderr) == (0, "")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for answer in answers:
        del answer["milliseconds"]
    return answers


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> list[Path]:
    """The wheel, and the source distribution that it is built from."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", folder, ROOT]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def wheel(built) -> Path:
    (path,) = [path for path in built if path.suffix == ".whl"]
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Environment:
    return environment(tmp_path_factory.mktemp("cpu"), f"{wheel}[cpu]")


@pytest.fixture(scope="module")
def without_runtime(wheel, tmp_path_factory) -> Environment:
    return environment(tmp_path_factory.mktemp("none"), wheel)


@pytest.fixture(scope="module")
def expected(installed, scans) -> list[dict]:
    """What the repository's own script says, with the same ONNX Runtime."""
    script = ROOT / "serve" / "infer.py"
    return answers_of(installed.run("python", script, "--json", *scans, cwd=ROOT))


def test_the_wheel_holds_the_package_and_one_model(wheel):
    assert wheel.stat().st_size < MOST
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {
        "brain_tumor_vgg16",
        f"brain_tumor_vgg16-{__version__}.dist-info",
    }
    for name in ("py.typed", "app/style.css", "app/script.js"):
        assert f"brain_tumor_vgg16/{name}" in names
    models = [Path(name).name for name in names if name.startswith("brain_tumor_vgg16/models/")]
    assert sorted(models) == [INT8_NAME.replace(".onnx", ".json"), INT8_NAME]
    folders = {folder for name in names for folder in Path(name).parent.parts}
    assert not folders & {"tests", "web", "__pycache__"}


def test_both_can_be_published(built):
    command = [sys.executable, "-m", "twine", "check", "--strict", *built]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("PASSED") == 2


def test_the_command_answers_as_the_script_does(installed, expected, scans):
    assert len(expected) == len(scans)
    assert answers_of(installed.run("brain-tumor-vgg16", "--json", *scans)) == expected


def test_the_module_answers_as_the_script_does(installed, expected, scans):
    command = ("-m", "brain_tumor_vgg16", "--json", *scans)
    assert answers_of(installed.run("python", *command)) == expected


def test_the_library_answers_as_the_script_does(installed, expected, scans):
    assert answers_of(installed.run("python", "-c", LIBRARY, *scans)) == expected


def test_the_version_is_that_of_the_source(installed):
    version = "from importlib.metadata import version; print(version('brain-tumor-vgg16'))"
    assert installed.run("python", "-c", version).stdout.strip() == __version__


def test_exit_statuses(installed, scans, tmp_path):
    missing = tmp_path / "missing.jpg"
    done = installed.run("brain-tumor-vgg16", scans[0], missing)
    assert (done.returncode, done.stderr) == (1, f"{missing}: no such file\n")
    assert "no images found" in error_of(installed.run("brain-tumor-vgg16", tmp_path))
    done = installed.run("brain-tumor-vgg16", "--help")
    assert done.stdout.startswith("usage: brain-tumor-vgg16 ")


def test_what_is_not_in_the_wheel_is_one_line(installed, scans):
    for options, message in (
        (("--model", "fp32"), "no such model"),
        (("--model", "hub:ada/model"), "pip install huggingface_hub"),
        (("--cam", "maps", "--cam-engine", "keras"), "needs TensorFlow"),
    ):
        assert message in error_of(installed.run("brain-tumor-vgg16", *options, scans[0]))


@pytest.mark.skipif(os.name == "nt", reason="needs a shell with pipes")
def test_a_closed_pipe_is_no_traceback(installed, scans):
    command = f"'{installed.program('brain-tumor-vgg16')}' '{scans[0].parent}' | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=clean())
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_an_interrupt_is_status_130(installed, tmp_path):
    """While it waits for a picture."""
    table = tmp_path / "answers.csv"
    command = [installed.program("brain-tumor-vgg16"), "--csv", table, "-"]
    options = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": clean()}
    # a shell's background jobs, these tests perhaps among them, are started deaf to it
    hear = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, preexec_fn=hear, **options) as process:
        while not table.with_name("answers.csv.part").exists():
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        time.sleep(1)  # so that its input does not end first
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors


@pytest.mark.parametrize("remains", [False, True])
def test_without_onnx_runtime_one_line_says_what_to_install(
    remains, without_runtime, scans, tmp_path
):
    """Where both packages were installed and one was removed, an empty shell remains."""
    if remains:
        (tmp_path / "onnxruntime").mkdir()
    env = clean(PYTHONPATH=str(tmp_path))
    for name, *command in (
        ("brain-tumor-vgg16", scans[0]),
        ("python", "-m", "brain_tumor_vgg16", scans[0]),
        ("python", ROOT / "serve" / "infer.py", scans[0]),
        ("python", "-m", "brain_tumor_vgg16.infer", scans[0]),
    ):
        error = error_of(without_runtime.run(name, *command, env=env))
        assert error.startswith("error: ONNX Runtime is not installed: pip install onnxruntime")
    done = without_runtime.run("python", "-c", LIBRARY, env=env)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ImportError: ONNX Runtime is not installed")
