"""The command on a machine whose GPU gives up after $FAILS_AFTER batches."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import serve.__main__
from serve import providers, session
from serve.providers import CPU, CUDA

OPEN = session._open
REASON = "CUDA failure 700: an illegal memory access was encountered"


class Failing:
    """Stands for a session on a GPU: the CPU's, that answers `good` times and never again."""

    def __init__(self, path: Path, good: int) -> None:
        self._cpu = OPEN(path, CPU, 1)
        self._good = good

    def get_providers(self) -> list[str]:
        return [CUDA, CPU]

    def __getattr__(self, name: str):
        return getattr(self._cpu, name)

    def run(self, *arguments):
        self._good -= 1
        if self._good < 0:
            raise RuntimeError(REASON)
        return self._cpu.run(*arguments)


def open_failing(path: Path, provider: str, threads: int):
    """As `session._open`."""
    if provider == CUDA:
        return Failing(path, int(os.environ["FAILS_AFTER"]))
    return OPEN(path, provider, threads)


if __name__ == "__main__":
    providers._cuda_problem = lambda: None
    session._open = open_failing
    sys.exit(serve.__main__.main())
