"""The command line in a hostile world: signals, closed and full streams, whole files only."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from serve.streams import shown
from tests.conftest import ROOT, label_of

FULL = Path("/dev/full")
COMMAND = [sys.executable, "serve/infer.py"]
# A shell's background jobs, these tests perhaps among them, are started deaf to Ctrl-C.
HEARING = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)

needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")


def shell(line: str, *words: str | Path, **kwargs) -> subprocess.CompletedProcess[str]:
    """A line of Bash in which $I is the command and "$@" are the words."""
    script = f'I="{sys.executable} serve/infer.py"; {line}'
    return subprocess.run(
        ["bash", "-c", script, "bash", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        **kwargs,
    )


def started(*words: str | Path, **kwargs) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    options = {"stdout": pipe, "stderr": pipe, "text": True, "cwd": ROOT, "preexec_fn": HEARING}
    return subprocess.Popen([*COMMAND, *map(str, words)], **options | kwargs)


def wait_for(condition, process: subprocess.Popen) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


@pytest.fixture
def many(scans, tmp_path) -> Path:
    """So many scans that no run is done before it is stopped."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(3000):
        (folder / f"{number:04}.jpg").symlink_to(scans[number % len(scans)])
    return folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_run_leaves_what_it_answered_and_the_old_table(number, many, tmp_path):
    table = tmp_path / "answers.csv"
    table.write_text("old", encoding="utf-8")
    part = tmp_path / "answers.csv.part"
    with started("--csv", table, many) as process:
        wait_for(lambda: part.exists() and part.read_bytes().count(b"\n") > 8, process)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert output == ""
    assert errors == (f"interrupted; what was answered is in {part}; --resume goes on from there\n")
    assert table.read_text(encoding="utf-8") == "old"
    assert len(list(csv.DictReader(part.open(newline="", encoding="utf-8")))) >= 8


def test_ctrl_c_ends_the_wait_for_standard_input_and_a_second_does_no_harm(tmp_path):
    table = tmp_path / "answers.csv"
    part = tmp_path / "answers.csv.part"
    with started("--csv", table, "-", stdin=subprocess.PIPE) as process:
        wait_for(part.exists, process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert process.stderr.read() == "interrupted\n"
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_it_starts_is_one_line_too(tmp_path):
    for delay in (0.1, 0.2, 0.4):
        with started("-", stdin=subprocess.PIPE) as process:
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            status, errors = process.wait(timeout=60), process.stderr.read()
        if status != -signal.SIGINT and "site.py" not in errors:  # not before the first own line
            assert (status, errors) == (130, "interrupted\n")


@needs_full
@pytest.mark.parametrize(
    ("line", "errors"),
    [
        ('$I "$1" >/dev/full', "standard output"),
        ('$I --json "$1" >/dev/full', "standard output"),
        ("$I --help >/dev/full", "standard output"),
        ('$I --csv /dev/full "$1"', "/dev/full"),
        ('$I --json=/dev/full "$1"', "/dev/full"),
    ],
)
def test_a_full_disk_is_one_line_and_status_2(line, errors, scans):
    reason = "No space left on device" if "help" not in line else ""
    done = shell(line, scans[0])
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: cannot write {'to ' * (errors[0] == 's')}{errors}: ")
    assert done.stderr.count("\n") == 1
    assert reason in done.stderr


@needs_full
def test_errors_that_nobody_can_read_stop_nothing(scans):
    for nowhere in ("2>/dev/full", "2>&-"):
        done = shell(f'$I none.jpg "$1" {nowhere}', scans[0])
        assert (done.returncode, done.stderr) == (1, "")
        assert done.stdout.startswith(f"{scans[0]}: {label_of(scans[0])} ")
        assert done.stdout.count("\n") == 1


def test_closed_streams(scans, tmp_path):
    done = shell('$I "$1" >&-', scans[0])
    assert (done.returncode, done.stderr) == (
        2,
        "error: cannot write to standard output: it is closed\n",
    )
    done = shell('$I - "$1" <&-', scans[0])
    assert (done.returncode, done.stderr) == (1, "-: standard input is closed\n")
    assert label_of(scans[0]) in done.stdout
    table = tmp_path / "answers.csv"
    done = shell('$I --csv "$1" "$2" <&- >&- 2>&-', table, scans[0])
    assert done.returncode == 0
    (row,) = csv.DictReader(table.open(newline="", encoding="utf-8"))
    assert row["label"] == label_of(scans[0])


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
def test_what_lies_below_a_closed_folder_is_one_line_and_the_rest_is_done(scans, tmp_path):
    closed = tmp_path / "all" / "closed"
    closed.mkdir(parents=True)
    for folder in (closed, closed.parent):
        shutil.copy(scans[0], folder / "scan.jpg")
    shutil.copy(scans[0], closed.parent / "secret.jpg")
    (closed.parent / "secret.jpg").chmod(0)
    closed.chmod(0)
    plain = "" if os.geteuid() else "setpriv --bounding-set=-dac_override,-dac_read_search"
    done = shell(f'{plain} $I "$@"', closed / "scan.jpg", closed.parent, scans[6])
    closed.chmod(0o700)
    assert done.returncode == 1
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == [
        str(closed.parent / "scan.jpg"),
        str(scans[6]),
    ]
    assert sorted(done.stderr.splitlines()) == [
        f"{closed / 'scan.jpg'}: no permission to read it",
        f"{closed.parent / 'secret.jpg'}: no permission to read it",
        "1 file skipped: 1 unreadable folder",
    ]


def test_a_reader_that_has_had_enough_is_no_error(scans):
    for line in ('$I "$@" "$@" | head -n 1', '$I --csv /dev/stdout "$@" "$@" | head -n 1'):
        done = shell(f"{line}; echo ${{PIPESTATUS[0]}}", *scans)
        assert done.stderr == ""
        first, status = done.stdout.splitlines()
        assert first
        assert status == "141"


def test_pipes_are_read_once(scans):
    done = shell('$I --json - /dev/stdin - <(cat "$2") < <(cat "$1")', scans[0], scans[6])
    assert (done.returncode, done.stderr) == (0, "")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["path"] for answer in answers[:3]] == ["-", "/dev/stdin", "-"]
    assert [answer["label"] for answer in answers] == [label_of(scans[0])] * 3 + [
        label_of(scans[6])
    ]
    assert answers[0]["probabilities"] == answers[1]["probabilities"] == answers[2]["probabilities"]


def test_control_characters_are_shown_as_what_they_are():
    assert shown("a\nb\x1b[2J\x9b\u202e\udcff\x7f") == r"a\nb\x1b[2J\x9b\u202e\udcff\x7f"
    assert shown("Aufnahme 10\u202f00\u00a0Uhr (ä) \\n.png") == (
        "Aufnahme 10\u202f00\u00a0Uhr (ä) \\n.png"
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_no_name_breaks_a_line(scans, tmp_path):
    for name in ("two\nlines.jpg", "red\x1b[31m.jpg", "none\r.jpg"):
        if not name.startswith("none"):
            (tmp_path / name).symlink_to(scans[0])
        done = shell('$I "$1"', tmp_path / name)
        (line,) = (done.stdout + done.stderr).splitlines()
        assert line.isprintable()
        assert "\\" in line
