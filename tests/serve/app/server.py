"""The demo as its users get it: its own process on a free port of this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).parents[3]
START = 180  # seconds that it may take to load on a busy machine


@dataclass(frozen=True, slots=True)
class RunningApp:
    url: str
    process: subprocess.Popen
    log: IO[str]

    @property
    def pid(self) -> int:
        return self.process.pid

    def logged(self) -> str:
        """What it has written so far."""
        self.log.seek(0)
        return self.log.read()


@contextmanager
def running_app(
    *arguments: str, environment: Mapping[str, str] = os.environ
) -> Iterator[RunningApp]:
    """`python space_app.py ARGUMENTS`, ready to answer; stopped when the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    with TemporaryFile("w+", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "space_app.py", *arguments],
            cwd=ROOT,
            env={**environment, **address},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url, process, log)
            yield RunningApp(url, process, log)
        finally:
            process.terminate()
            process.wait(60)


def _wait_for(url: str, process: subprocess.Popen, log) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        try:
            urlopen(f"{url}/config", timeout=5).close()
            return
        except (URLError, TimeoutError):
            time.sleep(0.3)
    log.seek(0)
    raise RuntimeError(f"the app did not start:\n{log.read()}")
