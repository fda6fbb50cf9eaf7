"""Processes that try inputs, each of which may hang, die, or take all memory."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import resource
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory
from typing import BinaryIO

from tests.fuzz.kinds import Input
from tests.fuzz.reading import Outcome

MOST_SECONDS = 2  # of processor time, a picture
MOST_MEMORY = 10**9  # bytes of one process
HANGS = 60  # seconds without a word
LAST = "last"  # file of the input that was tried last
GUARD = 8 * 2**30  # bytes that a process may ask for, so that the machine lives

Make = Callable[[int], Input]
Try = Callable[[Input, Path], Outcome]


@dataclass(frozen=True)
class Result:
    """What came of the input of a number.

    Args:
        answers, errors, seconds: see `reading.Outcome`.
        memory: bytes, the most that the process ever had resident while it was tried.
        problem: what must not be, if anything.
        input: with which it came, where there is a problem.
    """

    number: int
    kind: str
    answers: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    seconds: float = 0
    memory: int = 0
    problem: str = ""
    input: Input | None = None


def results(make: Make, try_: Try, numbers: Iterable[int], processes: int) -> Iterator[Result]:
    """Try the inputs of all numbers, and replace a process that hangs or dies.

    Args:
        make: number -> input.
        try_: what is tried with an input; as `make` importable, and not of the main module.
        numbers: drawn one by one.
        processes: how many at once.
    """
    remaining, lock, found = iter(numbers), threading.Lock(), _Found(processes)

    def draw() -> int | None:
        with lock:
            return next(remaining, None)

    with ThreadPoolExecutor(processes) as pool:
        for _ in range(processes):
            pool.submit(_feed, partial(_Worker, make, try_), draw, found)
        yield from found


class _Found:
    """Results of several threads, in the order in which they come."""

    def __init__(self, threads: int) -> None:
        self._queue: Queue[Result | BaseException | None] = Queue()
        self._threads = threads

    def put(self, result: Result | BaseException | None) -> None:
        self._queue.put(result)

    def __iter__(self) -> Iterator[Result]:
        while self._threads:
            result = self._queue.get()
            if isinstance(result, BaseException):
                raise result
            if result is None:
                self._threads -= 1
            else:
                yield result


def _feed(start: Callable[[], _Worker], draw: Callable[[], int | None], found: _Found) -> None:
    worker: _Worker | None = None
    try:
        while (number := draw()) is not None:
            worker = worker or start()
            result = worker.ask(number)
            if result.problem:  # what it left behind is not to blame the next one
                worker.end()
                worker = None
            found.put(result)
    except BaseException as error:  # raised again where the results are read
        found.put(error)
    finally:
        if worker:
            worker.end()
        found.put(None)


class _Worker:
    """One process."""

    def __init__(self, make: Make, try_: Try) -> None:
        context = multiprocessing.get_context("spawn")
        self._folder = TemporaryDirectory()
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_work, args=(make, try_, theirs, Path(self._folder.name)), daemon=True
        )
        self._process.start()
        theirs.close()
        self._pipe.recv()  # that it has begun

    def ask(self, number: int) -> Result:
        try:
            self._pipe.send(number)
            if self._pipe.poll(HANGS):
                result = self._pipe.recv()
                return replace(result, input=self._last()) if result.problem else result
            problem = f"no word for {HANGS} s"
        except (EOFError, ConnectionError):
            self._process.join()
            status = self._process.exitcode or 0
            name = signal.Signals(-status).name if status < 0 else f"status {status}"
            problem = f"the process died: {name}"
        last = self._last()
        return Result(number, last.kind, problem=problem, input=last)

    def end(self) -> None:
        self._pipe.close()
        self._process.kill()
        self._process.join()
        self._folder.cleanup()

    def _last(self) -> Input:
        return pickle.loads(Path(self._folder.name, LAST).read_bytes())


def _work(make: Make, try_: Try, pipe: Connection, folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (GUARD, GUARD))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for category in (UserWarning, RuntimeWarning):
        warnings.simplefilter("always", category, append=True)
    with (folder / "said").open("w+b") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        pipe.send(True)
        while True:
            try:
                number = pipe.recv()
            except EOFError:
                return
            one = make(number)
            (folder / LAST).write_bytes(pickle.dumps(one))
            pipe.send(_result(number, one, folder / "input", said, try_))


def _result(number: int, one: Input, path: Path, said: BinaryIO, try_: Try) -> Result:
    _words(said)  # of its making
    _forget_peak()
    started, problem, outcome = time.process_time(), "", None
    try:
        outcome = try_(one, path)
    except Exception:  # every one of them is what is looked for
        problem = traceback.format_exc(limit=-6)
    seconds = outcome.seconds if outcome else time.process_time() - started
    memory = _peak()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if words := _words(said):
        problem = problem or f"said: {words}"
    if seconds > MOST_SECONDS:
        problem = problem or f"took {seconds:.1f} s"
    if memory > MOST_MEMORY:
        problem = problem or f"took {memory / 1e6:.0f} MB"
    answers, errors = (outcome.answers, outcome.errors) if outcome else (0, {})
    return Result(number, one.kind, answers, errors, seconds, memory, problem)


def _words(said: BinaryIO) -> str:
    """What has come on the standard streams since."""
    said.seek(0)
    text = said.read().decode("utf-8", "replace")
    said.seek(0)
    said.truncate()
    return text[:2000]


def _forget_peak() -> None:
    """https://docs.kernel.org/filesystems/proc.html: 5 resets the peak of the resident set."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
