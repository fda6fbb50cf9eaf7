"""The command line, as its users run it."""

from __future__ import annotations

import csv
import json
import os
import pty
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT, SCANS, label_of, run


@pytest.mark.parametrize("command", [("serve/infer.py",), ("-m", "serve.infer")])
def test_readable_lines(command, scans):
    done = run(*command, *scans)
    assert done.returncode == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == len(scans)
    for line, scan in zip(lines, scans, strict=True):
        assert line.startswith(f"{scan}: {label_of(scan)} ")
        assert line.count("%") == 5


def test_it_runs_from_any_folder(scans, tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "serve" / "infer.py", scans[0]],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0
    assert label_of(scans[0]) in done.stdout


def test_json_lines_of_a_folder(scans):
    done = run("serve/infer.py", "--json", "--batch-size", "3", SCANS)
    assert done.returncode == 0
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["path"] for answer in answers] == [str(scan) for scan in scans]
    for answer, scan in zip(answers, scans, strict=True):
        assert set(answer) == {
            "path",
            "label",
            "confidence",
            "probabilities",
            "model",
            "provider",
            "milliseconds",
        }
        assert answer["label"] == label_of(scan)


def test_csv(scans, tmp_path):
    table = tmp_path / "answers.csv"
    (tmp_path / "bad.png").write_bytes(b"")
    done = run("serve/infer.py", "--csv", table, *scans, tmp_path / "bad.png")
    assert done.returncode == 1
    assert done.stdout == ""
    rows = list(csv.DictReader(table.open(newline="")))
    assert [row["label"] for row in rows] == [*map(label_of, scans), ""]
    assert sum(float(rows[0][c]) for c in ("glioma", "meningioma", "notumor", "pituitary")) == (
        pytest.approx(1, abs=1e-5)
    )
    assert rows[-1]["error"] == "the file is empty"


def test_standard_input(scans):
    with scans[6].open("rb") as file:
        done = run("serve/infer.py", "--json", "-", stdin=file)
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert (answer["path"], answer["label"]) == ("-", label_of(scans[6]))


def test_bad_files_are_named_and_the_others_done(scans, tmp_path):
    bad = {
        "cut.jpg": scans[0].read_bytes()[:4000],
        "empty.jpg": b"",
        "text.jpg": b"these are words",
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    missing = tmp_path / "missing.jpg"
    done = run("serve/infer.py", "--json", scans[0], tmp_path, missing, scans[1])
    assert done.returncode == 1
    errors = done.stderr.splitlines()
    assert [line.split(": ")[0] for line in errors] == [
        *(str(tmp_path / name) for name in sorted(bad)),
        str(missing),
    ]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["label" in answer for answer in answers] == [True, False, False, False, False, True]
    assert all(set(a) == {"path", "error"} for a in answers if "label" not in a)


def test_usage_errors_are_one_line_and_status_2(scans, tmp_path):
    for arguments, message in (
        ([tmp_path], "no images found"),
        (["--model", tmp_path / "none.onnx", scans[0]], "no such model"),
        (["--model", scans[0], scans[0]], "not an ONNX model"),
        (["--csv", tmp_path / "no" / "where.csv", scans[0]], "No such file"),
        (["--batch-size", "0", scans[0]], "not positive"),
        ([], "required"),
    ):
        done = run("serve/infer.py", *arguments)
        assert done.returncode == 2
        assert message in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr


def test_cuda_without_a_gpu_is_one_line(scans):
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has a GPU")
    done = run("serve/infer.py", "--device", "cuda", scans[0])
    assert done.returncode == 2
    assert done.stderr.startswith("error: no GPU to run on")
    assert len(done.stderr.splitlines()) == 1


def test_progress_bar_on_a_terminal_only(scans, tmp_path):
    for number in range(25):
        shutil.copy(scans[number % len(scans)], tmp_path / f"{number:02}.jpg")
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "serve/infer.py", tmp_path],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        cwd=ROOT,
    )
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    assert "25/25" in shown
    assert len(done.stdout.splitlines()) == 25
    assert "\r" not in done.stdout
    assert run("serve/infer.py", tmp_path).stderr == ""


def test_a_closed_pipe_is_no_traceback():
    done = subprocess.run(
        f"{sys.executable} serve/infer.py {SCANS} {SCANS} | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert "Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) == 1
