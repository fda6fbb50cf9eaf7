"""The ONNX model as a Python object."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar, overload

import numpy as np

from .artifacts import INT8_NAME, MODELS, ONNX_NAME, SMALL_NAME
from .contract import ModelError as ModelError
from .contract import check_outputs, read_contract
from .crop import Crop
from .formats.errors import InvalidImageError
from .formats.raster import ImageSource, describe, load_slice
from .formats.scans import Axis
from .formats.slices import Slice
from .looking import Looker
from .processors import threads as number_of_threads
from .providers import CPU, Device, DeviceError, choose_provider
from .series import SeriesPrediction, SeriesSource, answer_series, one_series
from .session import Session, warn
from .sheet import find_panels, unfolded
from .turned import looks_turned, may_be_turned, turned_views
from .unfamiliar import unfamiliar

NAMED_MODELS = {"fp32": ONNX_NAME, "int8": INT8_NAME, "small": SMALL_NAME}
BATCH = 8

Source = TypeVar("Source", bound=ImageSource)


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one picture."""

    path: str  # the picture's name
    label: str | None  # the class of the highest probability
    confidence: float | None  # that probability, 0 to 1
    probabilities: dict[str, float] | None  # of every class, in the model's order
    brain_mri: bool  # False: so unlike the training scans that these three are None
    unsure: bool  # True: answers of such a confidence were too often wrong (the track record)
    ood_score: float  # how unlike, from 0; about 1 for a scan
    model: str  # name of the ONNX file
    provider: str  # ONNX Runtime execution provider that ran
    milliseconds: float  # inference alone; a batch's time is shared out evenly
    crop: Crop | None = None  # the part of the picture that the model has seen; None: all of it
    warnings: tuple[str, ...] = ()  # sentences for people


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer for one picture, and what it rests on."""

    prediction: Prediction
    maps: dict[str, np.ndarray]  # of every class: Grad-CAM, float32 (14, 14), 0 to 1, of the
    # part of the picture that `prediction.crop` says


class BrainTumorClassifier:
    """Brain MRI scans -> glioma, meningioma, notumor or pituitary.

    One classifier serves any number of threads. Research and education only, never a
    diagnosis.

    Args:
        model: "auto" (int8 on a CPU, float32 on a GPU if it is there), "fp32", "int8", "small", or
            the path of an ONNX file.
        device: "auto" (a GPU where one can be used; where it fails, the CPU, and a warning is
            logged), "cpu" or "cuda".
        threads: of one inference; by default what the environment variable BRAIN_TUMOR_THREADS
            says, or as many as there are processors that the process may use.

    Raises:
        ModelError: no such file, or not a model with the tensors and metadata of this
            project.
        serve.providers.DeviceError: the device cannot be used.
        serve.command.UserError: that is no number of threads.
    """

    def __init__(
        self, model: str | Path = "auto", device: Device = "auto", threads: int | None = None
    ) -> None:
        self._arguments = model, device, threads
        self._session = _open_session(model, device, number_of_threads(threads))
        contract = read_contract(self._session.runtime, self._session.path)
        self.path = self._session.path
        self.model = self.path.name
        self.labels = contract.labels
        self.input_size = contract.input_size
        self.temperature = contract.temperature
        self.ood_threshold = contract.ood_threshold
        self.ood_warning = contract.ood_warning
        self.track_record = contract.track_record
        self.metadata = contract.metadata

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by its arguments: who unpickles it opens the model anew."""
        return type(self), self._arguments

    @property
    def provider(self) -> str:
        """The ONNX Runtime execution provider that runs now."""
        return self._session.provider

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
    def predict(self, source: ImageSource, *, crop: bool | Crop = True) -> Prediction: ...
    @overload
    def predict(
        self, source: list[Source] | tuple[Source, ...], *, crop: bool | Crop = True
    ) -> list[Prediction]: ...
    def predict(
        self,
        source: ImageSource | list[Source] | tuple[Source, ...],
        *,
        crop: bool | Crop = True,
    ) -> Prediction | list[Prediction]:
        """Classify a picture, or a list of them.

        Args:
            source: a path, a PIL image, a NumPy array (see `serve.formats.raster.load_image`), an
                encoded file's bytes, or a list or tuple of these. A file may also be a single
                slice of DICOM or NIfTI.
            crop: whether what lies around a scan is cut off: borders, bars, text, a viewer. A
                plain scan is left as it is (see `serve.crop.find_head`). Or what is to be cut
                out, in pixels of the picture.

        Raises:
            InvalidImageError: a picture cannot be decoded, or is a stack of several slices or a
                sheet of them, which `predict_series` reads, or the crop lies outside it or is a
                narrow strip; it says which and why.
        """
        if not isinstance(source, list | tuple):
            return self.predict([source], crop=crop)[0]
        looker, answers = Looker(self, crop=crop), []
        for start in range(0, len(source), BATCH):
            views = [looker.view(_only(one, crop)) for one in source[start : start + BATCH]]
            answers += looker.answers_of_pictures(views)[0]
        return answers

    def predict_series(
        self,
        source: SeriesSource,
        *,
        axis: Axis = "auto",
        volume: int | None = None,
        crop: bool | Crop = True,
    ) -> SeriesPrediction:
        """Classify every slice of a volume, a DICOM series, a stack of pages or a sheet.

        Args:
            source: a file, a folder, an archive or bytes that hold one series; or one of the
                series that `serve.formats.scans.read_scans` gives, where there are several.
            axis: of NIfTI volumes, the direction in which they are cut: "axial", "coronal",
                "sagittal", or "auto" for the one with the finest pixels within a slice.
            volume: where there are several, which one, from 0; by default the first.
            crop: as for `predict`, of every slice; a sheet of slices is taken apart only if it is
                True.

        Raises:
            InvalidImageError: it cannot be read, or holds no series or several, or not one of its
                slices can be read.
        """
        return self._series(source, axis, volume, Looker(self, crop=crop))[0]

    def explain_series(
        self,
        source: SeriesSource,
        *,
        axis: Axis = "auto",
        volume: int | None = None,
        crop: bool | Crop = True,
    ) -> tuple[SeriesPrediction, np.ndarray]:
        """Classify as `predict_series` does, with Grad-CAM of every class and slice.

        Returns:
            the answers, and the maps, float32 (N, 4, 14, 14), each from 0 to 1, of the part of
            its slice that the answer's `crop` says; `serve.series.cam_volume` makes a volume
            of them.
        """
        looker = Looker(self, self.explain_pixels, crop)
        answers, maps = self._series(source, axis, volume, looker)
        return answers, np.zeros((0, 4, 14, 14), np.float32) if maps is None else maps

    def _series(
        self, source: SeriesSource, axis: Axis, volume: int | None, looker: Looker
    ) -> tuple[SeriesPrediction, np.ndarray | None]:
        series = one_series(source, axis, volume)
        return answer_series(unfolded(series) if looker.takes_apart else series, looker, BATCH)

    def explain(self, source: ImageSource, *, crop: bool | Crop = True) -> Explanation:
        """Classify a picture and say where each class's evidence lies (Grad-CAM).

        `serve.overlay.overlay(picture, map, crop=prediction.crop)` draws it.

        Args:
            source: as for `predict`.
            crop: as for `predict`.

        Raises:
            InvalidImageError: as for `predict`.
        """
        looker = Looker(self, self.explain_pixels, crop)
        (answer,), maps = looker.answers_of_pictures([looker.view(_only(source, crop))])
        assert maps is not None
        return Explanation(answer, dict(zip(self.labels, maps[0], strict=True)))

    def looks_turned(self, pixels: np.ndarray, score: float) -> bool:
        """Whether a picture is far more like a scan once it is turned by 90 degrees.

        Args:
            pixels: uint8 (H, H, 3), RGB, that got this score.
            score: its `ood_score`; a low one is believed at once.
        """
        if not may_be_turned(pixels, score):
            return False
        scores = self._session.run(["ood_score"], np.stack(turned_views(pixels)))["ood_score"]
        return looks_turned(score, scores.tolist(), self.ood_threshold)

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
        image = np.stack(pixels)
        started = time.perf_counter()
        outputs = self._session.run(["probabilities", "ood_score", *more], image)
        milliseconds = (time.perf_counter() - started) * 1000 / len(names)
        check_outputs(outputs, len(image), self._session.path)
        probabilities, scores, *rest = outputs.values()
        predictions = [
            self._prediction(name, row, score, milliseconds)
            for name, row, score in zip(names, probabilities.tolist(), scores.tolist(), strict=True)
        ]
        return predictions, rest

    def _prediction(
        self, name: str, row: list[float], score: float, milliseconds: float
    ) -> Prediction:
        best = max(range(len(row)), key=row.__getitem__)
        brain_mri = score <= self.ood_threshold
        unlike = brain_mri and score > self.ood_warning
        return Prediction(
            path=name,
            label=self.labels[best] if brain_mri else None,
            confidence=row[best] if brain_mri else None,
            probabilities=dict(zip(self.labels, row, strict=True)) if brain_mri else None,
            brain_mri=brain_mri,
            unsure=brain_mri and self.track_record.unsure(row[best], elsewhere=unlike),
            ood_score=score,
            model=self.model,
            provider=self.provider,
            milliseconds=milliseconds,
            warnings=(unfamiliar(row[best], self.track_record),) if unlike else (),
        )


def _only(source: ImageSource, crop: bool | Crop) -> Slice:
    """The slice that a picture is. Raises InvalidImageError: it is none, or a sheet of them."""
    picture = load_slice(source)
    if crop and not isinstance(crop, Crop) and (panels := len(find_panels(picture.pixels))):
        raise InvalidImageError(
            describe(source),
            f"it looks like a sheet of {panels} slices, not one (predict_series classifies them "
            "all, crop=False takes it as one)",
        )
    return replace(picture, name=describe(source))


def _open_session(model: str | Path, device: Device, threads: int) -> Session:
    """A session of the model on the device; of "auto" on the CPU where a GPU cannot be started."""
    provider = choose_provider(device)
    insist = device == "cuda"
    try:
        return Session(_path_of(model, provider), provider, threads, insist)
    except DeviceError as error:
        if insist:
            raise
        warn(str(error))
    return Session(_path_of(model, CPU), CPU, threads, insist)


def _path_of(model: str | Path, provider: str) -> Path:
    if model == "auto":
        whole = (MODELS / ONNX_NAME).is_file()  # the wheel has the int8 model alone
        model = "fp32" if whole and provider != CPU else "int8"
    return MODELS / NAMED_MODELS[model] if model in NAMED_MODELS else Path(model)
