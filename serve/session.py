"""An ONNX file at work: opened quietly, on a GPU that may give up or on the CPU."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np

from .command import one_line
from .contract import ModelError
from .providers import CPU, DeviceError
from .runtime import ort

LONGEST = 300  # characters of what ONNX Runtime says

_log = logging.getLogger(__name__)


class Session:
    """An ONNX file on one device, for any number of threads.

    Args:
        path: the file.
        provider: ONNX Runtime's, that it is to run on.
        threads: of one inference.
        insist: whether a GPU that fails in mid-run is an error; else the CPU takes over, for
            this run and all later ones, and a warning is logged.

    Raises:
        ModelError: no such file, or no ONNX model that can be run.
        DeviceError: the provider cannot be started.
    """

    def __init__(self, path: Path, provider: str, threads: int, insist: bool) -> None:
        self.path = path
        self._threads, self._insist = threads, insist
        self._failing = Lock()
        self.runtime = _open(path, provider, threads)

    @property
    def provider(self) -> str:
        """The ONNX Runtime execution provider that runs now."""
        return str(self.runtime.get_providers()[0])

    def run(self, names: Sequence[str], image: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs of these names.

        Args:
            names: of outputs.
            image: uint8 (N, H, W, 3), RGB.

        Raises:
            ModelError: the model cannot be run.
            DeviceError: the GPU fails, and no other device will do.
        """
        runtime = self.runtime
        try:
            return dict(zip(names, runtime.run(names, {"image": image}), strict=True))
        except Exception as error:  # ONNX Runtime's own types share no base but this
            if runtime.get_providers()[0] == CPU:
                raise ModelError(f"{self.path}: cannot be run ({_words(error)})") from None
            if self._insist:
                raise DeviceError(f"the GPU failed ({_words(error)})") from None
            self._take_to_the_cpu(runtime, error)
        return self.run(names, image)

    def _take_to_the_cpu(self, failed: ort.InferenceSession, error: Exception) -> None:
        """Once, whichever of several threads is the first to see it fail."""
        with self._failing:
            if self.runtime is failed:
                self.runtime = _open(self.path, CPU, self._threads)
                warn(f"the GPU failed ({_words(error)})")


def warn(problem: str) -> None:
    """Say that a GPU is there and not used."""
    _log.warning("%s: the CPU is used", problem)


def _words(error: Exception) -> str:
    """What ONNX Runtime says, which may name lines of its own source, and take many."""
    text = one_line(error)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _open(path: Path, provider: str, threads: int) -> ort.InferenceSession:
    try:
        if not path.is_file():
            raise ModelError(f"{path}: no such model")
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from None
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    # Measured with the int8 model on 2 cores: without memory patterns, which plan for a batch size
    # of their own each, 340 instead of 560 MB after a batch of 8, no slower. The rest is best as it
    # is: a thread a core (1: 1.8 times the time, 4: 1.5), all graph optimizations (extended: 1.1,
    # basic: 2.4), the arena (without: 1.2 times the time and 480 MB), spinning (without, the small
    # model takes 1.7 times the time).
    options.enable_mem_pattern = False
    try:
        runtime = ort.InferenceSession(path, options, providers=[provider], enable_fallback=0)
    except Exception as error:  # ONNX Runtime's own types share no base but this
        if provider == CPU:
            raise ModelError(
                f"{path}: not an ONNX model that can be run here ({_words(error)})"
            ) from None
        _open(path, CPU, threads)  # else it is the file
        raise DeviceError(f"no GPU to run on: {_words(error)}") from None
    if runtime.get_providers()[0] != provider:
        raise DeviceError(f"no GPU to run on: ONNX Runtime cannot start its {provider}")
    return runtime
