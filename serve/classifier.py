"""The ONNX model as a Python object."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
import onnxruntime as ort

from serve.artifacts import INT8_NAME, MODELS, ONNX_NAME
from serve.images import ImageSource, describe, load_pixels
from serve.providers import Device, choose_provider

NAMED_MODELS = {"auto": ONNX_NAME, "fp32": ONNX_NAME, "int8": INT8_NAME}
BATCH = 8


class ModelError(Exception):
    """The file is no model that can be served."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one picture."""

    path: str  # the picture's name
    label: str  # the class of the highest probability
    confidence: float  # that probability, 0 to 1
    probabilities: dict[str, float]  # of every class, in the model's order
    model: str  # name of the ONNX file
    provider: str  # ONNX Runtime execution provider that ran
    milliseconds: float  # inference alone; a batch's time is shared out evenly


class BrainTumorClassifier:
    """Brain MRI scans -> glioma, meningioma, notumor or pituitary.

    One classifier serves any number of threads. Research and education only, never a
    diagnosis.

    Args:
        model: "auto", "fp32", "int8", or the path of an ONNX file.
        device: "auto" (a GPU where one can be used), "cpu" or "cuda".
        threads: of one inference; by default as many as there are cores.

    Raises:
        ModelError: no such file, or not a model with the tensors and metadata of this
            project.
        serve.providers.DeviceError: the device cannot be used.
    """

    def __init__(
        self, model: str | Path = "auto", device: Device = "auto", threads: int | None = None
    ) -> None:
        path = MODELS / NAMED_MODELS[model] if model in NAMED_MODELS else Path(model)
        self._session = _open_session(path, choose_provider(device), threads)
        metadata = _read_contract(self._session, path)
        self.model = path.name
        self.provider: str = self._session.get_providers()[0]
        self.labels: tuple[str, ...] = tuple(json.loads(metadata["labels"]))
        self.input_size = int(metadata["input_size"])
        self.temperature = float(metadata["temperature"])
        self.metadata = metadata

    @overload
    def predict(self, source: ImageSource) -> Prediction: ...
    @overload
    def predict(self, source: Sequence[ImageSource]) -> list[Prediction]: ...
    def predict(self, source):
        """Classify a picture, or a list of them.

        Args:
            source: a path, a PIL image, a NumPy array (see `serve.images.load_image`), an
                encoded file's bytes, or a list or tuple of these.

        Raises:
            InvalidImageError: a picture cannot be decoded; it says which and why.
        """
        if not isinstance(source, list | tuple):
            return self.predict([source])[0]
        answers: list[Prediction] = []
        for start in range(0, len(source), BATCH):
            batch = source[start : start + BATCH]
            pixels = [load_pixels(one, self.input_size) for one in batch]
            answers += self.predict_pixels(pixels, [describe(one) for one in batch])
        return answers

    def predict_pixels(
        self, pixels: Sequence[np.ndarray], names: Sequence[str]
    ) -> list[Prediction]:
        """Classify decoded pictures in one batch.

        Args:
            pixels: uint8 (H, W, 3), RGB, all of one size.
            names: what the answers call them.
        """
        started = time.perf_counter()
        (probabilities,) = self._session.run(["probabilities"], {"image": np.stack(pixels)})
        milliseconds = (time.perf_counter() - started) * 1000 / len(names)
        return [
            self._prediction(name, row, milliseconds)
            for name, row in zip(names, probabilities.tolist(), strict=True)
        ]

    def _prediction(self, name: str, row: list[float], milliseconds: float) -> Prediction:
        best = max(range(len(row)), key=row.__getitem__)
        return Prediction(
            path=name,
            label=self.labels[best],
            confidence=row[best],
            probabilities=dict(zip(self.labels, row, strict=True)),
            model=self.model,
            provider=self.provider,
            milliseconds=milliseconds,
        )


def _open_session(path: Path, provider: str, threads: int | None) -> ort.InferenceSession:
    if not path.is_file():
        raise ModelError(f"{path}: no such model")
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads or 0
    try:
        return ort.InferenceSession(path, options, providers=[provider])
    except Exception as error:  # ONNX Runtime's own types share no base but this
        raise ModelError(
            f"{path}: not an ONNX model that can be run here ({_line(error)})"
        ) from None


def _read_contract(session: ort.InferenceSession, path: Path) -> dict[str, str]:
    """The model's metadata, once its tensors and properties are found to be as agreed."""
    inputs = {tensor.name: (tensor.type, len(tensor.shape)) for tensor in session.get_inputs()}
    outputs = {tensor.name for tensor in session.get_outputs()}
    metadata = session.get_modelmeta().custom_metadata_map
    missing = [name for name in ("labels", "input_size", "temperature") if name not in metadata]
    if inputs != {"image": ("tensor(uint8)", 4)} or "probabilities" not in outputs or missing:
        raise ModelError(
            f"{path}: not a brain tumour classifier of this project (expected the input image, "
            "uint8 (N, H, W, 3), the output probabilities, and the metadata labels, "
            f"input_size and temperature; found {', '.join(inputs)} -> {', '.join(outputs)}"
            + (f", no metadata {', '.join(missing)})" if missing else ")")
        )
    return metadata


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
