"""A progress bar on standard error, for commands that must run without tqdm."""

from __future__ import annotations

import sys
import time

WIDTH = 30


class ProgressBar:
    """Counts up to `total`; silent unless standard error is a terminal."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._started = time.monotonic()
        self._shown = sys.stderr.isatty()

    def advance(self, count: int) -> None:
        self._done += count
        if not self._shown:
            return
        filled = WIDTH * self._done // self._total
        left = (time.monotonic() - self._started) * (self._total / self._done - 1)
        bar = "#" * filled + "." * (WIDTH - filled)
        self._write(f"\r{bar} {self._done}/{self._total}, {left:.0f} s left \x1b[K")

    def clear(self) -> None:
        """Wipe the bar, so that a message can take its line."""
        if self._shown:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:  # the terminal is gone
            self._shown = False
