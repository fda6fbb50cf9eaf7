"""Decoders that say nothing: what is wrong with a file is told once, by an error."""

from __future__ import annotations

import ctypes
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from PIL import _imaging

_thread = threading.local()


class _Here:
    """Stands in a filter for a pattern of modules, and matches within `without_warnings` alone.

    `warnings.catch_warnings` is the whole process's, and wrong with several threads.
    """

    def match(self, module: str) -> bool:
        return bool(getattr(_thread, "depth", 0))


@contextmanager
def without_warnings() -> Iterator[None]:
    """Within the block, which must not be left in between, this thread's warnings are ignored."""
    filters = cast("list[tuple[object, ...]]", warnings.filters)
    if not any(one[3] is _HERE for one in filters):  # or they were reset
        filters.insert(0, ("ignore", None, Warning, _HERE, 0))
    _thread.depth = getattr(_thread, "depth", 0) + 1
    try:
        yield
    finally:
        _thread.depth -= 1


def _silence_libtiff() -> None:
    """libtiff tells of every damage on standard error, unless it is told not to.

    Where it is a part of Pillow's own library, as on Windows, it cannot be reached.
    https://libtiff.gitlab.io/libtiff/functions/TIFFError.html
    """
    library = ctypes.CDLL(_imaging.__file__)
    for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        if function := getattr(library, name, None):
            function.restype, function.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
            function(None)


_HERE = _Here()
# Without a handler of its own, Python writes a package's errors to standard error.
logging.getLogger("PIL").addHandler(logging.NullHandler())
_silence_libtiff()
