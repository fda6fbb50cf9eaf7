"""A .keras file is called by what is wrong with it, and Keras runs on TensorFlow."""

from __future__ import annotations

import os
import zipfile

import pytest

from serve.artifacts import KERAS_NAME, MODELS
from serve.command import UserError
from serve.gradcam import GradCamError, keras_grad_cam
from serve.keras_file import choose_backend, problem_of
from tests.conftest import run

CHECKPOINT = MODELS / KERAS_NAME


def damaged(content: bytes) -> bytes:
    middle = len(content) // 2
    return (
        content[:middle]
        + bytes(b ^ 255 for b in content[middle : middle + 9])
        + content[middle + 9 :]
    )


WRONG = {
    "the file is empty": lambda whole: b"",
    "the file is cut off": lambda whole: whole[: len(whole) // 2],
    "the file is damaged, model.weights.h5 in it": damaged,
    "not a .keras file": lambda whole: b"no model, but longer than nothing",
}


@pytest.mark.parametrize("said", WRONG)
def test_a_file_that_is_not_whole(said, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(WRONG[said](CHECKPOINT.read_bytes()))
    assert problem_of(path) == said


def test_another_archive_a_folder_and_nothing(tmp_path):
    archive = tmp_path / "scans.keras"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("scan.jpg", b"")
    for path, said in (
        (archive, "not a .keras file"),
        (tmp_path / "none.keras", "no such file"),
        (tmp_path, "Is a directory"),
    ):
        assert problem_of(path) == said


def test_the_committed_one_is_whole():
    assert problem_of(CHECKPOINT) is None


def test_grad_cam_says_so_too(tmp_path):
    pytest.importorskip("tensorflow", reason="needs TensorFlow")
    path = tmp_path / "half.keras"
    path.write_bytes(CHECKPOINT.read_bytes()[:1_000_000])
    with pytest.raises(
        GradCamError, match=r"half\.keras cannot be loaded \(the file is cut off\)$"
    ):
        keras_grad_cam(path)


@pytest.mark.parametrize("asked", ["", "tensorflow", None])
def test_keras_runs_on_tensorflow(asked, monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if asked is not None:
        monkeypatch.setenv("KERAS_BACKEND", asked)
    choose_backend()
    assert os.environ["KERAS_BACKEND"] == "tensorflow"


@pytest.mark.parametrize(
    ("command", "asked", "usual"),
    [
        (("-m", "train.fit", "--help"), "torch", "tensorflow or jax"),
        (("-m", "train.audit"), "torch", "tensorflow or jax"),
        (("-m", "export.verify"), "jax", "tensorflow"),
    ],
)
def test_another_backend_is_one_line(command, asked, usual):
    done = run(*command, env=os.environ | {"KERAS_BACKEND": asked})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: KERAS_BACKEND is {asked}, and Keras runs on {usual} here: unset it\n"
    )


def test_a_backend_that_is_not_there_is_one_line(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "no_such_backend")
    with pytest.raises(UserError, match=r"no_such_backend, which is not installed: pip install no"):
        choose_backend(("tensorflow", "no_such_backend"))


def test_another_backend_is_one_line_on_the_command_line(tmp_path, scans):
    cam = ("--cam", tmp_path, "--cam-engine", "keras")
    done = run("serve/infer.py", *cam, scans[0], env=os.environ | {"KERAS_BACKEND": "jax"})
    assert done.returncode == 2
    assert done.stderr == (
        "error: KERAS_BACKEND is jax, and Keras runs on tensorflow here: unset it\n"
    )
