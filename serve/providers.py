"""Which ONNX Runtime execution provider to run on."""

from __future__ import annotations

import ctypes
import io
import sys
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from .command import UserError
from .runtime import ort

Device = Literal["auto", "cpu", "cuda"]

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"


class DeviceError(UserError):
    """The device that was asked for cannot be used."""


def choose_provider(device: Device) -> str:
    """The provider for `device`; "auto" takes a GPU where one can be used, else the CPU.

    onnxruntime-gpu lists CUDA even where there is no GPU, and prints errors when it is asked
    for there, so the driver and the provider's libraries are tried first.

    Raises:
        DeviceError: "cuda" was asked for and cannot be used, or there is no such device.
    """
    if device not in get_args(Device):
        raise DeviceError(f"device {device!r} is none of {', '.join(get_args(Device))}")
    if device == "cpu":
        return CPU
    problem = _cuda_problem()
    if problem is None:
        return CUDA
    if device == "cuda":
        raise DeviceError(f"no GPU to run on: {problem}")
    return CPU


@cache
def _cuda_problem() -> str | None:
    """Why CUDA cannot be used, or None where it can."""
    if CUDA not in ort.get_available_providers():
        return "this onnxruntime is built without CUDA (pip install onnxruntime-gpu)"
    windows = sys.platform == "win32"
    try:
        driver = ctypes.CDLL("nvcuda.dll" if windows else "libcuda.so.1")
    except OSError:
        return "no NVIDIA driver is installed"
    count = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        return "the NVIDIA driver finds no GPU"
    name = "onnxruntime_providers_cuda.dll" if windows else "libonnxruntime_providers_cuda.so"
    try:
        with redirect_stdout(io.StringIO()):  # where it prints all that it cannot load
            ort.preload_dlls()
        ctypes.CDLL(str(Path(ort.__file__).parent / "capi" / name))
    except OSError as error:
        return f"a CUDA or cuDNN library is missing ({error})"
    return None
