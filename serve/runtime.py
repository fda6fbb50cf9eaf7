"""ONNX Runtime, which comes in two packages: one of them, and never both, must be installed."""

from __future__ import annotations

try:
    import onnxruntime as ort
    from onnxruntime import InferenceSession  # noqa: F401 (gone where one of both was removed)
except ImportError as error:
    raise ImportError(
        "ONNX Runtime is not installed: pip install onnxruntime, or onnxruntime-gpu "
        "for an NVIDIA GPU (never both)"
    ) from error

ort.set_default_logger_severity(4)  # fatal: what is wrong is raised, and told in one line
ort.disable_telemetry_events()  # Windows knows no variable, and someone may have imported it before

__all__ = ["ort"]
