"""Runs of the command that are killed, run out of disk, lose their files or their GPU on the way.

Whatever happens, what has its final name is whole, and with --resume every picture has its row,
which is that of a run in which nothing happened.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from tests.serve.app.load import SCANS
from tests.serve.app.server import ROOT

PICTURES = 24
PATIENCE = 300  # seconds for a run
COMMAND = [sys.executable, "serve/infer.py"]
WITH_A_GPU = [sys.executable, "-m", "tests.reliability.failing_gpu"]
OLD = "an older table"


@dataclass
class Run:
    """One run of the command.

    Args:
        folder: in which scans/ lies, and what is written.
        random: says when, and what is written.
    """

    folder: Path
    random: Random

    def __post_init__(self) -> None:
        self.kind = self.random.choice(("csv", "json"))
        self.table = self.folder / f"answers.{self.kind}"
        self.cams, self.page = self.folder / "cams", self.folder / "report.html"
        self.pictured = self.random.random() < 0.5
        self.scans = self.folder / "scans"
        self.scans.mkdir()
        for number in range(PICTURES):
            shutil.copy(SCANS[number % len(SCANS)], self.scans / f"{number:02}.jpg")
        if self.random.random() < 0.5:
            self.table.write_text(OLD, encoding="utf-8")

    def start(self, command: list[str] = COMMAND, **options: Any) -> subprocess.Popen[str]:
        """The command, at work."""
        words = [*command, "--model", "int8", f"--{self.kind}={self.table}", "--batch-size", "2"]
        if self.pictured:
            words += ["--cam", str(self.cams), "--report", str(self.page)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([*words, str(self.scans)], cwd=ROOT, **pipes, **options)

    def again(self) -> list[str]:
        """Go on where it stopped, if it has begun; what is wrong with it."""
        self.pictured = False  # --report and --resume do not go together
        begun = self.table.with_name(f"{self.table.name}.part").exists()
        with self.start([*COMMAND, "--resume"] if begun else COMMAND) as process:
            _, errors = process.communicate(timeout=PATIENCE)
        return [errors or "it fails"] if process.returncode or errors else []

    def rows(self) -> list[tuple[str, object]]:
        """Name and answer of every picture in the table.

        Raises:
            ValueError, KeyError, csv.Error: it is not whole.
        """
        text = self.table.read_text(encoding="utf-8")
        if self.kind == "json":
            rows = [json.loads(line) for line in text.splitlines()]
        else:
            rows = list(csv.DictReader(text.splitlines(), strict=True))
        if not text.endswith("\n") or any(None in row.values() for row in rows if "slice" in row):
            raise ValueError("it ends within a row")
        return [(Path(row["path"]).name, row.get("label") or row.get("error")) for row in rows]

    def half_written(self, fewest: int = PICTURES) -> list[str]:
        """What has its final name, and is not whole; a table of fewer rows is not."""
        wrong = []
        if self.table.exists() and self.table.read_text(encoding="utf-8") != OLD:
            try:
                rows = self.rows()
            except (ValueError, KeyError, csv.Error) as error:
                wrong.append(f"{self.table.name}: {error}")
            else:
                if not fewest <= len(rows) <= PICTURES:
                    wrong.append(f"{self.table.name} has {len(rows)} rows")
        if self.page.exists() and "</html>" not in self.page.read_text(encoding="utf-8")[-20:]:
            wrong.append(f"{self.page.name} ends early")
        for picture in self.cams.glob("[!.]*.png"):
            try:
                with Image.open(picture) as image:
                    image.load()
            except Exception as error:  # Pillow's many types
                wrong.append(f"{picture.name}: {error}")
        return wrong

    def lost_rows(self, expected: dict[str, object]) -> list[str]:
        """Pictures without a row, with several, or with another answer."""
        try:
            rows = self.rows()
        except (OSError, ValueError, KeyError, csv.Error) as error:
            return [f"{self.table.name}: {error}"]
        count = Counter(name for name, _ in rows)
        wrong = [f"{name} has {count[name]} rows" for name in expected if count[name] != 1]
        return wrong + [
            f"{name}: {answer}, not {expected[name]}"
            for name, answer in rows
            if expected.get(name, answer) != answer
        ]


Fault = Callable[[Run, float], list[str]]


def killed(run: Run, usual: float) -> list[str]:
    """SIGKILL."""
    with run.start() as process:
        time.sleep(run.random.uniform(0, 1.1 * usual))
        process.kill()
        process.communicate(timeout=PATIENCE)
    return run.half_written() + run.again()


def full_disk(run: Run, usual: float) -> list[str]:
    """No file may be longer than so many bytes."""
    most = run.random.randrange(6000)
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (most, most))
    with run.start(preexec_fn=limit) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    wrong = run.half_written()
    if process.returncode not in (0, 2) or errors.count("cannot write") != len(errors.splitlines()):
        wrong.append(f"status {process.returncode}: {errors}")
    return wrong + run.again()


def vanishing_files(run: Run, usual: float) -> list[str]:
    """Scans are deleted, emptied or turned into folders."""
    gone = run.random.sample(sorted(run.scans.iterdir()), 4)
    with run.start() as process:
        remover = threading.Thread(target=_remove, args=(gone, run.random, usual))
        remover.start()
        _, errors = process.communicate(timeout=PATIENCE)
        remover.join()
    wrong = run.half_written(PICTURES - len(gone))
    named = [line for line in errors.splitlines() if not any(str(path) in line for path in gone)]
    if process.returncode not in (0, 1) or named:
        wrong.append(f"status {process.returncode}: {errors}")
    lost = {path.name for path in gone}
    missing = {name for name in expected_answers() if name not in lost} - dict(run.rows()).keys()
    return wrong + [f"{name} has no row" for name in missing]


def failing_gpu(run: Run, usual: float) -> list[str]:
    """The GPU gives up after some batches."""
    environment = {**os.environ, "FAILS_AFTER": str(run.random.randrange(PICTURES // 2))}
    with run.start(WITH_A_GPU, env=environment) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    wrong = run.half_written()
    if process.returncode or len(errors.splitlines()) != 1 or "the CPU is used" not in errors:
        wrong.append(f"status {process.returncode}: {errors}")
    return wrong


FAULTS: dict[str, Fault] = {
    "killed": killed,
    "full disk": full_disk,
    "vanishing files": vanishing_files,
    "failing GPU": failing_gpu,
}


def faults(runs: int) -> dict[str, Any]:
    """That many runs, each with one fault at a random moment.

    Returns:
        runs by fault, files that were half-written, rows that were lost.
    """
    started = time.monotonic()
    expected = expected_answers()
    usual = time.monotonic() - started
    done: Counter[str] = Counter()
    half_written = lost = 0
    for number in range(runs):
        name = list(FAULTS)[number % len(FAULTS)]
        with TemporaryDirectory() as folder:
            run = Run(Path(folder), Random(number))
            wrong = FAULTS[name](run, usual)
            missing = [] if name == "vanishing files" else run.lost_rows(expected)
        done[name] += 1
        half_written, lost = half_written + len(wrong), lost + len(missing)
        for problem in [*wrong, *missing]:
            print(f"run {number}, {name}: {problem}", file=sys.stderr, flush=True)
    return {"runs": dict(done), "half_written": half_written, "lost_rows": lost}


@cache
def expected_answers() -> dict[str, object]:
    """Of a run in which nothing happens."""
    with TemporaryDirectory() as folder:
        run = Run(Path(folder), Random(0))
        with run.start() as process:
            process.communicate(timeout=PATIENCE)
        return dict(run.rows())


def _remove(gone: list[Path], random: Random, usual: float) -> None:
    for path in gone:
        time.sleep(random.uniform(0, usual / len(gone)))
        path.unlink()
        deed = random.randrange(3)
        if deed == 1:
            path.touch()
        elif deed == 2:
            path.mkdir()
