"""Each code block of the README and of the model card runs as it is printed, from the folder it
names, or says why it cannot here.

Only pip is another one: it looks whether what it is asked for is there. What it would install is
installed; tests/package installs it anew.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from serve.artifacts import MODELS
from tests.conftest import ROOT
from tests.serve.app.server import running_app

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PIP = """
import re, sys, tomllib
arguments = sys.argv[1:]
assert arguments.pop(0) == "install", arguments
extras = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]
while arguments:
    one = arguments.pop(0)
    if one == "-r":
        open(arguments.pop(0)).close()
    elif match := re.fullmatch(r"\\.(?:\\[(.*)\\])?", one):
        assert set(filter(None, (match[1] or "").split(","))) <= extras.keys(), one
    else:
        assert one == "gradio_client", one
"""


@dataclass(frozen=True)
class Block:
    """A block of code, and the file that it stands in."""

    page: str
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page}: {self.code.strip().splitlines()[0][:60]}"


BLOCKS = [
    Block(page.relative_to(ROOT).as_posix(), language, code)
    for page in (ROOT / "README.md", MODELS / "README.md")
    for language, code in BLOCK.findall(page.read_text(encoding="utf-8"))
]

# What a block holds, and why it does not run here.
NOT_HERE = {
    "kaggle datasets download": "needs an account of Kaggle",
    "hf auth login": "needs an account of Hugging Face; tests/export/test_publish.py does it",
    "python -m train.fit": "needs the data and hours; its options are looked at below",
    "&& pytest": "would run itself",
    "npm install": "needs npm's packages; tests/export/test_embedding.py runs it",
    "s3://": "needs an object store; tests/serve/archive does it in a folder",
    "from ray import serve": "needs ray[serve], and does not end by itself",
    "serve/web/build.py": "needs npm's packages; tests/serve/web runs it",
    "Ort::Session": "a part of embed.cpp, which tests/export/test_embedding.py compiles",
}
SERVES = ("space_app.py",)  # they do not end by themselves
SERVING = "Running on local URL"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash"),
]


@pytest.fixture
def folder(tmp_path, scans) -> Path:
    """The project's folder, with a scan and a folder of scans to be named; what a block writes
    stays there."""
    root = tmp_path / "project"
    root.mkdir()
    for path in ROOT.iterdir():
        if not path.name.startswith("."):
            (root / path.name).symlink_to(path)
    for place in (root, tmp_path / "models"):
        place.mkdir(exist_ok=True)
        shutil.copy(scans[3], place / "scan.jpg")
    for path in MODELS.iterdir():
        (tmp_path / "models" / path.name).symlink_to(path)
    (root / "folder").mkdir()
    shutil.copy(scans[0], root / "folder")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "pip.py").write_text(PIP, encoding="utf-8")
    for name, command in {
        "python": "",
        "pip": str(programs / "pip.py"),
        "brain-tumor-vgg16": "-m serve.infer",
    }.items():
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {command} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    return tmp_path


def environment(folder: Path, **more: str) -> dict[str, str]:
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path} | more


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_runs_as_printed(block, folder):
    for part, reason in NOT_HERE.items():
        if part in block.code:
            pytest.skip(reason)
    if block.language == "nginx":
        _check_nginx(block.code, folder)
    elif "keras" in block.code and find_spec("tensorflow") is None:
        pytest.skip("needs TensorFlow")
    elif any(part in block.code for part in SERVES):
        _serve(block.code, folder)
    elif "$URL" in block.code:
        with running_app("--no-keras") as app:
            assert "event: complete" in _run(block, folder, URL=app.url)
    else:
        assert _run(block, folder)


def _run(block: Block, folder: Path, **more: str) -> str:
    """What it prints; standard output and errors are told apart only where it fails."""
    place = folder / "project" if block.page == "README.md" else folder / "models"
    command = {
        "sh": ["bash", "-e", "-c", block.code],
        "python": [sys.executable, "-c", block.code],
    }[block.language]
    more |= {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=place, env=environment(folder, **more), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def _serve(code: str, folder: Path) -> None:
    """It says where it listens, within two minutes, and ends when it is told to."""
    if "7860" in code:
        with socket.socket() as taken:
            if taken.connect_ex(("127.0.0.1", 7860)) == 0:
                pytest.skip("port 7860 is taken")
    log = folder / "log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            ["bash", "-c", code],
            cwd=folder / "project",
            env=environment(folder, PYTHONUNBUFFERED="1"),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            end = time.monotonic() + 120
            while SERVING not in log.read_text(encoding="utf-8"):
                assert process.poll() is None and time.monotonic() < end, log.read_text()
                time.sleep(0.3)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(60)


def _check_nginx(code: str, folder: Path) -> None:
    nginx = shutil.which("nginx")
    if nginx is None:
        pytest.skip("needs nginx; tests/serve/app/test_proxy.py does the same in Python")
    file = folder / "nginx.conf"
    file.write_text(f"events {{}}\nhttp {{ server {{ {code} }} }}\n", encoding="utf-8")
    done = subprocess.run([nginx, "-t", "-c", file, "-p", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_commands_of_the_training_have_the_options_that_are_printed(run_here):
    (code,) = [block.code for block in BLOCKS if "python -m train.fit" in block.code]
    every = re.search(r'ALL="(.*)"', code)[1]
    for line in code.replace("$ALL", every).splitlines():
        match = re.match(r"python -m (\S+)([^#]*)", line)
        if match is None:
            continue
        module, arguments = match.groups()
        if find_spec("tensorflow") is None and module.startswith("train"):
            continue
        done = run_here(module, "--help")
        assert done.returncode == 0, done.stderr
        for option in re.findall(r"--[a-z0-9-]+", arguments):
            assert option in done.stdout, f"{module} {option}"
