"""The processors that this process may use: how many, so threads to run on, and what they can."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .command import UserError

VARIABLE = "BRAIN_TUMOR_THREADS"
MOST = 256  # threads, where there are not more processors

CONTROL_GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
FEATURES = Path("/proc/cpuinfo")
BFLOAT16 = ("amx_bf16", "avx512_bf16")  # in it


def threads(wanted: int | None = None) -> int:
    """The number of threads to run on.

    Args:
        wanted: what the user asked for; by default what the environment variable
            BRAIN_TUMOR_THREADS says, and without it a thread a processor.

    Raises:
        UserError: that is no number of threads, or far more than there are processors.
    """
    if wanted is not None:
        return _checked(wanted, "threads")
    if text := os.environ.get(VARIABLE):
        return _checked(int(text) if text.isascii() and text.isdigit() else text, VARIABLE)
    return available()


def available() -> int:
    """The processors that this process may use: its affinity, and its control groups' quota.

    https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max), and of version 1
    https://docs.kernel.org/scheduler/sched-bwc.html (cpu.cfs_quota_us).
    """
    if hasattr(os, "sched_getaffinity"):
        processors = len(os.sched_getaffinity(0))
    else:
        processors = os.cpu_count() or 1
    return max(1, math.ceil(min([processors, *_quotas()])))


def has_bfloat16() -> bool:
    """Whether the processors multiply 16-bit numbers (bfloat16) faster than 32-bit ones."""
    return FEATURES.exists() and any(
        name in FEATURES.read_text(encoding="utf-8") for name in BFLOAT16
    )


def _checked(number: object, name: str) -> int:
    most = max(MOST, available())
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= most:
        raise UserError(f"{name}: {number} is not a number of threads from 1 to {most}")
    return number


def _quotas() -> Iterator[float]:
    """Processors' worth of time that each of the process's control groups grants."""
    try:
        groups = OWN_GROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return  # not Linux
    for group in groups:
        _, controllers, path = group.split(":", 2)
        if not controllers:
            roots = [CONTROL_GROUPS, CONTROL_GROUPS / "unified"]
        elif "cpu" in controllers.split(","):
            roots = [CONTROL_GROUPS / "cpu", CONTROL_GROUPS / controllers]
        else:
            continue
        below = Path(path.lstrip("/"))
        for root in roots:
            for folder in (below, *below.parents):  # in a container only the last may be there
                with suppress(OSError, ValueError, ZeroDivisionError):
                    yield _quota_of(root / folder, 2 if not controllers else 1)


def _quota_of(folder: Path, version: int) -> float:
    if version == 2:
        quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
    else:
        names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        quota, period = ((folder / name).read_text(encoding="utf-8") for name in names)
    if quota.strip() in ("max", "-1"):
        return math.inf
    return int(quota) / int(period)
