"""A short fuzz finds nothing; what it is to find, it finds; what it has found stays mended."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.fuzz import misbehaving, workers
from tests.fuzz.__main__ import Counts, main
from tests.fuzz.kinds import KINDS, Input, made
from tests.fuzz.reading import tried
from tests.fuzz.workers import results

FOUND = sorted((Path(__file__).parent / "found").iterdir())
SOME = 300

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="needs /proc, which says what it took"
)

NOTICED = {
    "wrong_error": "KeyError: 'pixels'",
    "words": "said: TIFFReadDirectory: Warning",
    "memory": "took 1",
    "slow": "took 2.",
    "death": "the process died: SIGSEGV",
    "silence": "no word for 15 s",
    "two_lines": "an error that is no line",
}


@pytest.mark.slow
def test_what_must_not_be_is_noticed(monkeypatch):
    monkeypatch.setattr(workers, "HANGS", 15)
    numbers = range(len(misbehaving.DEEDS))
    found = {
        misbehaving.DEEDS[one.number].__name__: one.problem
        for one in results(misbehaving.make, misbehaving.do, numbers, 2)
    }
    assert found.pop("good") == ""
    assert found.keys() == NOTICED.keys()
    for name, words in NOTICED.items():
        assert words in found[name], name


def test_the_same_number_is_the_same_input():
    for number in range(0, 10 * len(KINDS), 7):
        one, again = made(number), made(number)
        assert one.kind == again.kind == KINDS[number % len(KINDS)]
        if isinstance(one.content, bytes):
            assert one.content == again.content


def test_a_short_fuzz_finds_nothing(capfd):
    assert main(["--inputs", str(SOME), "--processes", "2"]) == 0
    said, errors = capfd.readouterr()
    assert errors == ""
    assert f"total           {SOME}\n" in said
    assert "problems        0\n" in said


def test_counts():
    counts = Counts()
    for result in results(made, tried, range(60), 1):
        counts.add(result)
    figures = counts.figures()
    assert set(figures["inputs"]) == set(KINDS)
    assert figures["total"] == 60
    assert figures["errors"].keys() <= {"InvalidImageError", "ModelError"}
    assert 0 < figures["answered"] < 60
    assert 0 < figures["worst_seconds"] < workers.MOST_SECONDS
    assert 20 < figures["worst_megabytes"] < 1000


def found(number: int) -> Input:
    """A file that once found something; its name begins with its kind."""
    path = FOUND[number]
    content = np.load(path) if path.suffix == ".npy" else path.read_bytes()
    return Input(path.name.split("-")[0], content)


def test_what_was_found_stays_mended():
    assert FOUND
    for result in results(found, tried, range(len(FOUND)), 1):
        assert not result.problem, FOUND[result.number].name
