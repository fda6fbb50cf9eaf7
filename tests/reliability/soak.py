"""Whether memory stays where it is: many calls of the library, and many clients of the app."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

from serve import BrainTumorClassifier, InvalidImageError
from tests.serve.app.load import SCANS, Memory, predict, put_load
from tests.serve.app.server import running_app

MOST_GROWTH = 0.05  # of memory, from the second fifth of a run to the last
CLIENTS = 40
WARM_UP = 60  # seconds until the app has loaded everything
STRIDE = 10  # calls after which memory is looked at


def of_the_library(calls: int) -> dict[str, Any]:
    """Scans as files, bytes and batches, with maps and without; every tenth call is a broken file.

    Returns:
        calls, how many were refused, seconds, megabytes, growth.
    """
    classifier, refused, megabytes = BrainTumorClassifier(), 0, []
    contents = [scan.read_bytes() for scan in SCANS]
    started = time.monotonic()
    for number in range(calls):
        scan, content = SCANS[number % len(SCANS)], contents[number % len(SCANS)]
        try:
            if number % 10 == 9:
                classifier.predict(content[: 200 + number % 2000])
            elif number % 10 == 4:
                classifier.explain(content)
            elif number % 100 == 0:
                classifier.predict(SCANS)
            else:
                classifier.predict(scan)
        except InvalidImageError:
            refused += 1
        if number % STRIDE == 0:
            megabytes.append(_resident())
    return {
        "calls": calls,
        "refused": refused,
        "seconds": time.monotonic() - started,
        "megabytes": max(megabytes),
        "memory_growth": growth(megabytes),
    }


def of_the_app(seconds: float) -> dict[str, Any]:
    """Many clients at once, each of whose answers is compared with a single client's.

    Returns:
        clients, seconds, answers, failures, growth of memory.
    """
    with running_app() as app:
        expected = {scan: predict(app, scan) for scan in SCANS}
        put_load(app, CLIENTS, WARM_UP, expected)
        memory = Memory(app.pid, seconds)
        crowd = put_load(app, CLIENTS, seconds, expected)
        grown = memory.growth()
    for error in sorted(set(crowd.errors)):
        print(f"{crowd.errors.count(error)} times: {error}", file=sys.stderr)
    return {
        "clients": CLIENTS,
        "seconds": crowd.seconds,
        "answers": len(crowd.latencies),
        "failures": len(crowd.errors),
        "memory_growth": grown,
    }


def growth(megabytes: list[float]) -> float:
    """From the median of the second fifth to that of the last, as a share of the former."""
    fifth = max(1, len(megabytes) // 5)
    return (
        statistics.median(megabytes[-fifth:]) / statistics.median(megabytes[fifth : 2 * fifth]) - 1
    )


def _resident() -> float:
    """Megabytes of this process; https://docs.kernel.org/filesystems/proc.html."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096 / 1e6
