"""Classify brain MRI scans with ONNX Runtime. Research and education only, never a diagnosis.

from serve import BrainTumorClassifier
BrainTumorClassifier().predict("scan.jpg")
"""

from .classifier import BrainTumorClassifier, Explanation, ModelError, Prediction
from .formats.raster import InvalidImageError

__all__ = ["BrainTumorClassifier", "Explanation", "InvalidImageError", "ModelError", "Prediction"]
