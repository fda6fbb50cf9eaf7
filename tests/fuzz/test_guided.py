"""Led by coverage, too, nothing is found; what is to be found is, and is kept."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

pytest.importorskip("atheris", reason="needs atheris, which installs on Linux alone")

PLANTED = """
import runpy
from pathlib import Path
from tests.fuzz import __main__, reading

def wrong(one, path):
    raise KeyError("pixels")

reading.tried, __main__.FOUND = wrong, Path(FOLDER)
runpy.run_module("tests.fuzz.guided", run_name="__main__")
"""


def guided(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command, "--seconds", "5"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_nothing_is_found():
    run = guided("-m", "tests.fuzz.guided")
    assert run.returncode == 0, run.stderr[-2000:]
    assert "Done" in run.stderr
    assert int(re.findall(r"cov: (\d+)", run.stderr)[-1]) > 1000  # places in the readers


@pytest.mark.slow
def test_an_error_that_is_none_for_users_is_found_and_kept(tmp_path):
    run = guided("-c", PLANTED.replace("FOLDER", repr(str(tmp_path))))
    assert run.returncode == 77
    assert list(tmp_path.glob("guided-crash-*"))
    assert "KeyError: 'pixels'" in run.stdout + run.stderr
