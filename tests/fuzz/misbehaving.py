"""Everything that an input must not do, to see that it is noticed."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from serve import InvalidImageError
from tests.fuzz.kinds import ARRAY, Input
from tests.fuzz.reading import Outcome


def wrong_error() -> Outcome:
    """An exception that users are not to see."""
    raise KeyError("pixels")


def words() -> Outcome:
    """A line on standard error, as C libraries write it."""
    os.write(2, b"TIFFReadDirectory: Warning\n")
    return Outcome()


def memory() -> Outcome:
    """More than a gigabyte."""
    np.ones(1_100_000_000, np.uint8)
    return Outcome()


def slow() -> Outcome:
    """More than two seconds."""
    outcome, started = Outcome(), time.process_time()
    while time.process_time() < started + 2.1:
        pass
    outcome.measured()
    return outcome


def death() -> Outcome:
    """The end of the process."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return Outcome()


def silence() -> Outcome:
    """No answer, ever."""
    time.sleep(1000)
    return Outcome()


def two_lines() -> Outcome:
    """An error of several lines."""
    outcome = Outcome()
    outcome.failed(InvalidImageError("input", "this\nand that"))
    return outcome


def good() -> Outcome:
    """Nothing."""
    sys.stderr.flush()
    return Outcome(answers=1)


DEEDS = (wrong_error, words, memory, slow, death, silence, two_lines, good)


def make(number: int) -> Input:
    """The number itself."""
    return Input(ARRAY, np.array(number))


def do(one: Input, path: Path) -> Outcome:
    """The deed of that number."""
    return DEEDS[int(np.asarray(one.content))]()
