"""The command line, as its users run it."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serve import BrainTumorClassifier
from serve.formats.raster import load_image
from serve.infer import PROGRESS_FROM, overlay_name
from serve.overlay import overlay, with_colour_bar
from tests.conftest import ROOT, SCANS, label_of, run


def expected_overlay(scan: Path, model: str = "auto") -> np.ndarray:
    """What the command should draw, made by the Python parts."""
    found = BrainTumorClassifier(model).explain(scan)
    image = overlay(load_image(scan), found.maps[found.prediction.label])
    return np.asarray(with_colour_bar(image)).astype(int)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


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
            "brain_mri",
            "unsure",
            "ood_score",
            "model",
            "provider",
            "milliseconds",
            "crop",
            "warnings",
        }
        assert answer["label"] == label_of(scan)
        assert answer["brain_mri"] is True
        assert answer["ood_score"] > 0


def test_what_is_no_brain_mri_is_said_to_be_none(bar_chart, scans, tmp_path):
    done = run("serve/infer.py", bar_chart, scans[0], "--cam", tmp_path / "maps")
    assert (done.returncode, done.stderr) == (0, "")
    refused, answered = done.stdout.splitlines()
    found = re.fullmatch(
        r"(.+): does not look like a brain MRI scan \(score ([\d.]+), scans are below ([\d.]+)\)",
        refused,
    )
    assert found
    assert found[1] == str(bar_chart)
    assert float(found[2]) > float(found[3])
    assert answered.startswith(f"{scans[0]}: {label_of(scans[0])} ")
    drawn = [path.name for path in (tmp_path / "maps").iterdir()]
    assert drawn == [overlay_name(str(scans[0]))]


def test_json_and_csv_say_what_is_no_brain_mri(bar_chart, scans, tmp_path):
    threshold = BrainTumorClassifier().ood_threshold
    done = run("serve/infer.py", "--json", bar_chart, scans[0])
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["brain_mri"] for answer in answers] == [False, True]
    assert answers[0]["ood_score"] > threshold >= answers[1]["ood_score"]
    assert run("serve/infer.py", "--csv", tmp_path / "a.csv", bar_chart, scans[0]).returncode == 0
    rows = list(csv.DictReader((tmp_path / "a.csv").open(newline="", encoding="utf-8")))
    assert [row["brain_mri"] for row in rows] == ["False", "True"]
    for row, answer in zip(rows, answers, strict=True):
        assert float(row["ood_score"]) == pytest.approx(answer["ood_score"], abs=1e-4)


def test_csv(scans, tmp_path):
    table = tmp_path / "answers.csv"
    (tmp_path / "bad.png").write_bytes(b"")
    done = run("serve/infer.py", "--csv", table, *scans, tmp_path / "bad.png")
    assert done.returncode == 1
    assert done.stdout == ""
    rows = list(csv.DictReader(table.open(newline="", encoding="utf-8")))
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


def test_cam_draws_each_scan_at_its_own_size(scans, tmp_path):
    maps = tmp_path / "new" / "maps"
    done = run("serve/infer.py", "--json", "--batch-size", "3", "--cam", maps, SCANS)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len(scans)
    assert {path.name for path in maps.iterdir()} == {overlay_name(str(scan)) for scan in scans}
    for scan in scans:
        drawn, scan_size = pixels(maps / overlay_name(str(scan))), Image.open(scan).size
        assert drawn.shape[0] == scan_size[1]
        assert drawn.shape[1] > scan_size[0]
    for scan in scans[2:4]:
        drawn = pixels(maps / overlay_name(str(scan)))
        assert np.abs(drawn - expected_overlay(scan)).max() <= 3


def test_namesakes_have_an_overlay_each(scans, tmp_path):
    for folder, scan in (("one", scans[0]), ("two", scans[4])):
        (tmp_path / folder).mkdir()
        shutil.copy(scan, tmp_path / folder / "scan.jpg")
    Image.open(scans[6]).save(tmp_path / "two" / "scan.png")
    paths = [tmp_path / name for name in ("one/scan.jpg", "two/scan.jpg", "two/scan.png")]
    done = run("serve/infer.py", "--csv", tmp_path / "a.csv", "--cam", tmp_path / "maps", *paths)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(list((tmp_path / "maps").iterdir())) == 3
    for path in paths:
        drawn = pixels(tmp_path / "maps" / overlay_name(str(path)))
        assert np.abs(drawn - expected_overlay(path)).max() <= 3
    labels = [
        row["label"]
        for row in csv.DictReader((tmp_path / "a.csv").open(newline="", encoding="utf-8"))
    ]
    assert labels == [label_of(scans[0]), label_of(scans[4]), label_of(scans[6])]


def test_cam_of_standard_input(scans, tmp_path):
    with scans[6].open("rb") as file:
        done = run("serve/infer.py", "--cam", tmp_path, "-", stdin=file)
    assert done.returncode == 0, done.stderr
    drawn = pixels(tmp_path / "stdin.png")
    assert np.abs(drawn - expected_overlay(scans[6])).max() <= 3


@pytest.mark.slow
def test_cam_of_both_engines_looks_the_same(scans, tmp_path):
    for engine in ("keras", "onnx"):
        options = ("--model", "fp32", "--cam", tmp_path / engine, "--cam-engine", engine)
        done = run("serve/infer.py", *options, scans[0], scans[6])
        assert (done.returncode, done.stderr) == (0, "")
        assert len(done.stdout.splitlines()) == 2
    for scan in (scans[0], scans[6]):
        one, other = (pixels(tmp_path / e / overlay_name(str(scan))) for e in ("keras", "onnx"))
        assert np.abs(one - other).max() <= 3
        assert np.abs(one - expected_overlay(scan, "fp32")).max() <= 3


def test_without_tensorflow_only_the_keras_engine_is_missing(scans, without_tensorflow, tmp_path):
    command = ("serve/infer.py", "--cam", tmp_path / "maps", scans[0], "--cam-engine")
    done = run(*command, "keras", env=without_tensorflow)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: Keras's Grad-CAM needs TensorFlow")
    assert "No module named" in done.stderr
    done = run(*command, "onnx", env=without_tensorflow)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "maps" / overlay_name(str(scans[0]))).is_file()


def test_overlays_that_cannot_be_written_are_one_line_and_status_2(scans, tmp_path):
    a_file = tmp_path / "file"
    a_file.write_bytes(b"")
    taken = tmp_path / "taken"
    (taken / overlay_name(str(scans[1]))).mkdir(parents=True)
    for folder, reason in (
        (a_file, "File exists"),
        (a_file / "below", "Not a directory"),
        (taken, "Is a directory"),
    ):
        done = run("serve/infer.py", "--cam", folder, *scans[:3])
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith("error: cannot write ")
        assert str(folder) in done.stderr
        assert reason in done.stderr


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
    for number in range(PROGRESS_FROM):
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
    assert f"{PROGRESS_FROM}/{PROGRESS_FROM}" in shown
    assert len(done.stdout.splitlines()) == PROGRESS_FROM
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
