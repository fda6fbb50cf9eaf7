"""Classify brain MRI scans with ONNX Runtime. Research and education only, never a diagnosis.

from serve import BrainTumorClassifier
BrainTumorClassifier().predict("scan.jpg")

Installed from the wheel, the package is called brain_tumor_vgg16. Its names are loaded when they
are first asked for, so that the parts that need NumPy alone can be used without ONNX Runtime.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import privacy as privacy  # before anything that would report home is imported

if TYPE_CHECKING:
    from .classifier import BrainTumorClassifier, Explanation, ModelError, Prediction
    from .crop import Crop
    from .formats.scans import InvalidImageError, Series, read_scans
    from .series import SeriesPrediction

__version__ = "0.4.0"
__all__ = [
    "BrainTumorClassifier",
    "Crop",
    "Explanation",
    "InvalidImageError",
    "ModelError",
    "Prediction",
    "Series",
    "SeriesPrediction",
    "read_scans",
]

_HOMES = {
    "Crop": "crop",
    "InvalidImageError": "formats.errors",
    "Series": "formats.slices",
    "SeriesPrediction": "series",
    "read_scans": "formats.scans",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES.get(name, 'classifier')}", __name__), name)
