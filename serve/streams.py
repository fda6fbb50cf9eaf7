"""Standard streams and signals as a command meets them: closed, full, cut off, interrupted."""

from __future__ import annotations

import io
import os
import signal
import sys
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

from .command import UserError

SIGNALS = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]


class Stopped(KeyboardInterrupt):
    """One of `SIGNALS` came; `number` says which."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def end_on_signals() -> None:
    """From now on they end the process, unless it was started deaf to them (nohup). While packages
    are imported nothing is at stake, and some of these would take an exception for their own."""
    _hear(lambda number, frame: end("interrupted", 128 + number))


def raise_on_signals() -> None:
    """From now on they raise `Stopped`, so that what was begun is put in order."""
    _hear(_stop)


def end(line: str, status: int) -> NoReturn:
    """Leave a line on standard error, and no time for another signal or for threads that wait for
    a file that never comes."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    say(line)
    os._exit(status)


def _hear(handler: Callable[[int, FrameType | None], Any]) -> None:
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped(number)


def open_closed() -> None:
    """Put the null device where a standard stream is closed, lest a file that is opened later
    gets its number, and with it what libraries print."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard() -> None:
    """Let what standard output still holds go nowhere, so that it is not tried again at exit."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(line: str) -> None:
    """A line on standard error, where anyone can read it."""
    with suppress(OSError):
        print(shown(line), file=sys.stderr, flush=True)


def shown(text: str) -> str:
    """The text with control characters escaped, so that no name moves a cursor or breaks a line."""
    return "".join(
        one if one.isprintable() or unicodedata.category(one) == "Zs" else _escaped(one)
        for one in text
    )


def notes(error: BaseException) -> list[str]:
    """What `add_note` has added to an exception."""
    return getattr(error, "__notes__", [])


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


class StandardOutput:
    """Text for whoever reads the answers as they come.

    Raises:
        UserError: it is closed.
    """

    def __init__(self) -> None:
        if sys.stdout is None:
            raise UserError("cannot write to standard output: it is closed")

    def write(self, text: str) -> None:
        """Hand `text` over at once.

        Raises:
            UserError: it cannot be written.
            BrokenPipeError: the reader has had enough.
        """
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            discard()
            raise UserError(f"cannot write to standard output: {error.strerror}") from None
