"""A log without anything that a visitor sent: no message of an exception, no traceback."""

from __future__ import annotations

import logging
import traceback
import warnings
from pathlib import Path


class Quiet(logging.Formatter):
    """Of an exception, its type and the line of code it comes from."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        error = record.exc_info[1] if record.exc_info else None
        said = where(error) if error else " ".join(record.getMessage().split())
        return f"{record.levelname.lower()}: {record.name}: {said}"


def be_quiet() -> None:
    """Have all loggers of the process, and warnings, write through `Quiet`."""
    handler = logging.StreamHandler()
    handler.setFormatter(Quiet())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    warnings.filterwarnings("ignore")


def where(error: BaseException) -> str:
    """The type of an exception and the line of code it comes from, but not what it says."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
