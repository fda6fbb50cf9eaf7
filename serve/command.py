"""What every command has in common: a mistake of its user becomes one line and an exit status."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from subprocess import CalledProcessError

RESUMES = "interrupted; the same command goes on from here"


class UserError(Exception):
    """Something that a user can mend; the text says in one line what and where."""


def one_line(error: BaseException) -> str:
    """What an exception says, without line breaks; of the system's, the file and the reason."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return " ".join(str(error).split())


def run(main: Callable[[], int], interrupted: str = "interrupted") -> int:
    """Run a command.

    Args:
        main: returns its exit status.
        interrupted: what Ctrl-C leaves on standard error.

    Returns:
        `main`'s status; 1 where its input is wrong, or the system or a program refuses; 130 after
        Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console may lack a name's characters
            stream.reconfigure(errors="backslashreplace")
    try:
        return main()
    except BrokenPipeError:  # the reader, say `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (UserError, OSError, CalledProcessError) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{interrupted}", file=sys.stderr)
        return 130
