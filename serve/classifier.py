"""The ONNX model as a Python object."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar, overload

import numpy as np

from .artifacts import INT8_NAME, MODELS, ONNX_NAME
from .command import UserError, one_line
from .formats.raster import ImageSource, describe, load_pixels
from .providers import CPU, Device, choose_provider
from .runtime import ort
from .track_record import TrackRecord, read_track_record

NAMED_MODELS = {"fp32": ONNX_NAME, "int8": INT8_NAME}
BATCH = 8
OUTPUTS = ("probabilities", "cam", "ood_score")
METADATA = ("labels", "input_size", "temperature", "ood_threshold")

Source = TypeVar("Source", bound=ImageSource)


class ModelError(UserError):
    """The file is no model that can be served."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one picture."""

    path: str  # the picture's name
    label: str  # the class of the highest probability
    confidence: float  # that probability, 0 to 1
    probabilities: dict[str, float]  # of every class, in the model's order
    brain_mri: bool  # False: so unlike the training scans that the class means nothing
    unsure: bool  # True: answers of such a confidence were too often wrong (the track record)
    ood_score: float  # how unlike, from 0; about 1 for a scan
    model: str  # name of the ONNX file
    provider: str  # ONNX Runtime execution provider that ran
    milliseconds: float  # inference alone; a batch's time is shared out evenly


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer for one picture, and what it rests on."""

    prediction: Prediction
    maps: dict[str, np.ndarray]  # of every class: Grad-CAM, float32 (14, 14), 0 to 1


class BrainTumorClassifier:
    """Brain MRI scans -> glioma, meningioma, notumor or pituitary.

    One classifier serves any number of threads. Research and education only, never a
    diagnosis.

    Args:
        model: "auto" (int8 on a CPU, float32 on a GPU if it is there), "fp32", "int8", or the
            path of an ONNX file.
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
        provider = choose_provider(device)
        if model == "auto":
            whole = (MODELS / ONNX_NAME).is_file()  # the wheel has the int8 model alone
            model = "fp32" if whole and provider != CPU else "int8"
        path = MODELS / NAMED_MODELS[model] if model in NAMED_MODELS else Path(model)
        self._session = _open_session(path, provider, threads)
        metadata = _read_contract(self._session, path)
        self.model = path.name
        self.provider: str = self._session.get_providers()[0]
        self.labels: tuple[str, ...] = tuple(json.loads(metadata["labels"]))
        self.input_size = int(metadata["input_size"])
        self.temperature = float(metadata["temperature"])
        self.ood_threshold = float(metadata["ood_threshold"])
        self.track_record = _track_record(metadata, path)
        self.metadata = metadata

    @classmethod
    def from_pretrained(
        cls,
        repository: str,
        revision: str | None = None,
        device: Device = "auto",
        threads: int | None = None,
    ) -> Self:
        """The model of a repository on the Hugging Face Hub, as `export.publish` writes it.

        huggingface_hub downloads it once and keeps it; its offline mode and its token hold. On a
        CPU it is the int8 model, on a GPU the float32 one.

        Args:
            repository: USER/NAME.
            revision: a branch, a tag or a commit; by default the newest commit.
            device: as for the class.
            threads: as for the class.

        Raises:
            ModelError: the model cannot be had, is none of this project, or was not made of the
                checkpoint that the repository's figures (metrics.json) are of.
            serve.providers.DeviceError: the device cannot be used.
        """
        from .hub import download

        name = INT8_NAME if choose_provider(device) == CPU else ONNX_NAME
        path, measured = download(repository, name, revision)
        classifier = cls(path, device, threads)
        if (source := classifier.metadata.get("source_sha256")) != measured:
            raise ModelError(
                f"{repository}: {name} is made of the checkpoint {source}, "
                f"but its figures are of {measured}"
            )
        return classifier

    @overload
    def predict(self, source: ImageSource) -> Prediction: ...
    @overload
    def predict(self, source: list[Source] | tuple[Source, ...]) -> list[Prediction]: ...
    def predict(
        self, source: ImageSource | list[Source] | tuple[Source, ...]
    ) -> Prediction | list[Prediction]:
        """Classify a picture, or a list of them.

        Args:
            source: a path, a PIL image, a NumPy array (see `serve.formats.raster.load_image`), an
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

    def explain(self, source: ImageSource) -> Explanation:
        """Classify a picture and say where each class's evidence lies (Grad-CAM).

        Raises:
            InvalidImageError: the picture cannot be decoded.
        """
        pixels = load_pixels(source, self.input_size)
        predictions, maps = self.explain_pixels([pixels], [describe(source)])
        return Explanation(predictions[0], dict(zip(self.labels, maps[0], strict=True)))

    def explain_pixels(
        self, pixels: Sequence[np.ndarray], names: Sequence[str]
    ) -> tuple[list[Prediction], np.ndarray]:
        """Classify decoded pictures in one batch, with Grad-CAM of every class.

        Args:
            pixels: uint8 (H, W, 3), RGB, all of one size.
            names: what the answers call them.

        Returns:
            the answers, and the maps, float32 (N, 4, 14, 14), each from 0 to 1.
        """
        predictions, (maps,) = self._run(pixels, names, ["cam"])
        return predictions, maps

    def predict_pixels(
        self, pixels: Sequence[np.ndarray], names: Sequence[str]
    ) -> list[Prediction]:
        """Classify decoded pictures in one batch; arguments as for `explain_pixels`."""
        return self._run(pixels, names, [])[0]

    def _run(
        self, pixels: Sequence[np.ndarray], names: Sequence[str], more: list[str]
    ) -> tuple[list[Prediction], list[np.ndarray]]:
        """Answers, and the outputs that `more` names."""
        started = time.perf_counter()
        probabilities, scores, *rest = self._session.run(
            ["probabilities", "ood_score", *more], {"image": np.stack(pixels)}
        )
        milliseconds = (time.perf_counter() - started) * 1000 / len(names)
        predictions = [
            self._prediction(name, row, score, milliseconds)
            for name, row, score in zip(names, probabilities.tolist(), scores.tolist(), strict=True)
        ]
        return predictions, rest

    def _prediction(
        self, name: str, row: list[float], score: float, milliseconds: float
    ) -> Prediction:
        best = max(range(len(row)), key=row.__getitem__)
        return Prediction(
            path=name,
            label=self.labels[best],
            confidence=row[best],
            probabilities=dict(zip(self.labels, row, strict=True)),
            brain_mri=score <= self.ood_threshold,
            unsure=self.track_record.unsure(row[best]),
            ood_score=score,
            model=self.model,
            provider=self.provider,
            milliseconds=milliseconds,
        )


def _track_record(metadata: dict[str, str], path: Path) -> TrackRecord:
    """What the file's confidences have meant; nothing is known of a file without the property."""
    try:
        return read_track_record(metadata.get("track_record", "{}"))
    except UserError as error:
        raise ModelError(f"{path}: {error} in its metadata") from None


def _open_session(path: Path, provider: str, threads: int | None) -> ort.InferenceSession:
    if not path.is_file():
        raise ModelError(f"{path}: no such model")
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads or 0
    # Measured with the int8 model on 2 cores: without the arena 384 instead of 554 MB after a
    # batch of 8, loaded in 0.10 instead of 0.17 s, no slower. The rest is best as it is: a thread
    # a core (1: 1.8 times the time, 4: 1.5), all graph optimizations (extended: 1.1, basic: 2.4);
    # spinning makes no difference.
    options.enable_cpu_mem_arena = False
    try:
        return ort.InferenceSession(path, options, providers=[provider])
    except Exception as error:  # ONNX Runtime's own types share no base but this
        raise ModelError(
            f"{path}: not an ONNX model that can be run here ({one_line(error)})"
        ) from None


def _read_contract(session: ort.InferenceSession, path: Path) -> dict[str, str]:
    """The model's metadata, once its tensors and properties are found to be as agreed."""
    inputs = {tensor.name: (tensor.type, len(tensor.shape)) for tensor in session.get_inputs()}
    outputs = [tensor.name for tensor in session.get_outputs()]
    metadata = session.get_modelmeta().custom_metadata_map
    lacking = [name for name in OUTPUTS if name not in outputs]
    lacking += [f"metadata {name}" for name in METADATA if name not in metadata]
    if inputs != {"image": ("tensor(uint8)", 4)} or lacking:
        raise ModelError(
            f"{path}: not a brain tumour classifier of this project (expected the input image, "
            f"uint8 (N, H, W, 3), the outputs {', '.join(OUTPUTS)}, and the metadata "
            f"{', '.join(METADATA)}; found {', '.join(inputs)} -> {', '.join(outputs)}"
            + (f", without {', '.join(lacking)})" if lacking else ")")
        )
    return metadata
