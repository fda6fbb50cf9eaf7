"""A thread a processor that the process may use, unless someone says how many."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from serve import BrainTumorClassifier, processors
from serve.command import UserError
from tests.conftest import ROOT

GROUPS_2 = "0::/kubepods/pod1/box\n"
GROUPS_1 = "4:memory:/docker/box\n3:cpu,cpuacct:/docker/box\n0::/\n"


@pytest.fixture
def four(monkeypatch):
    """A machine of four processors, all of them ours."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.delenv(processors.VARIABLE, raising=False)


@pytest.fixture
def groups(four, tmp_path, monkeypatch):
    """Lays out control groups: what the process is in, and what the files say."""

    def lay(own: str, files: dict[str, str]) -> None:
        root = tmp_path / "cgroup"
        shutil.rmtree(root, ignore_errors=True)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        (tmp_path / "own").write_text(own, encoding="utf-8")
        monkeypatch.setattr(processors, "CONTROL_GROUPS", root)
        monkeypatch.setattr(processors, "OWN_GROUPS", tmp_path / "own")

    return lay


@pytest.mark.parametrize(
    "own, files, expected",
    [
        (GROUPS_2, {}, 4),
        (GROUPS_2, {"cpu.max": "max 100000\n"}, 4),
        (GROUPS_2, {"kubepods/pod1/box/cpu.max": "200000 100000\n"}, 2),
        (GROUPS_2, {"kubepods/pod1/box/cpu.max": "150000 100000\n"}, 2),
        (GROUPS_2, {"kubepods/pod1/box/cpu.max": "20000 100000\n"}, 1),
        (GROUPS_2, {"kubepods/cpu.max": "100000 100000\n", "cpu.max": "max 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "300000 100000\n"}, 3),
        ("0::/\n", {"unified/cpu.max": "300000 100000\n"}, 3),
        ("0::/\n", {"cpu.max": "900000 100000\n"}, 4),
        ("0::/\n", {"cpu.max": "nonsense\n"}, 4),
        (GROUPS_1, {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
        (GROUPS_1, {"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "50000\n"}, 2),
        (
            GROUPS_1,
            {
                "cpu,cpuacct/docker/box/cpu.cfs_quota_us": "50000\n",
                "cpu,cpuacct/docker/box/cpu.cfs_period_us": "100000\n",
            },
            1,
        ),
    ],
)
def test_a_control_groups_quota_is_kept(own, files, expected, groups):
    groups(own, files)
    assert processors.available() == processors.threads() == expected


def test_affinity_is_kept_where_no_group_says_anything(four, tmp_path, monkeypatch):
    monkeypatch.setattr(processors, "OWN_GROUPS", tmp_path / "none")
    assert processors.available() == 4
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert processors.available() == 1


def test_what_is_asked_for_comes_first_then_the_variable(four, monkeypatch):
    monkeypatch.setenv(processors.VARIABLE, "3")
    assert (processors.threads(), processors.threads(7)) == (3, 7)
    monkeypatch.setenv(processors.VARIABLE, "")
    assert processors.threads() == processors.available()


@pytest.mark.parametrize("wanted", [0, -1, 257, 100_000, 10**30, True, 2.5, "2"])
def test_what_is_no_number_of_threads_is_refused(wanted):
    with pytest.raises(UserError, match=r"^threads: .* is not a number of threads from 1 to 256$"):
        BrainTumorClassifier(threads=wanted)


@pytest.mark.parametrize("text", ["0", "-2", "many", "1.5", "100000", "٣", " "])
def test_so_is_the_variable(text, monkeypatch):
    monkeypatch.setenv(processors.VARIABLE, text)
    with pytest.raises(UserError, match=f"^{processors.VARIABLE}: {text} is not a number of threa"):
        BrainTumorClassifier()


COUNT = """
import os, sys
from serve import BrainTumorClassifier
before = len(os.listdir("/proc/self/task"))
BrainTumorClassifier(device="cpu").predict(sys.argv[1])
print(len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.skipif(shutil.which("taskset") is None, reason="needs taskset")
def test_on_one_processor_no_thread_is_started(scans):
    """ONNX Runtime's own default is a thread a core of the machine."""
    environment = {n: v for n, v in os.environ.items() if n != processors.VARIABLE}
    command = ["taskset", "-c", "0", sys.executable, "-c", COUNT, scans[0]]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert (done.stdout.strip(), done.stderr) == ("0", "")
