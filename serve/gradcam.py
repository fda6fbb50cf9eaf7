"""Grad-CAM of the Keras checkpoint: the reference beside the maps that the ONNX file gives.

TensorFlow is imported when the first map is asked for, and never before.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np

from .artifacts import KERAS_NAME, MODELS, sha256
from .classifier import BrainTumorClassifier, Prediction
from .command import UserError, one_line
from .keras_file import choose_backend, problem_of
from .looking import Explain
from .names import HEAD, LAST_CONVOLUTION, LAST_POOL

Engine = Literal["onnx", "keras"]

CHECKPOINT = MODELS / KERAS_NAME

_loading = Lock()


class GradCamError(UserError):
    """The Keras engine cannot be used: no TensorFlow, or no checkpoint that fits."""


def explainer(classifier: BrainTumorClassifier, engine: Engine) -> Explain:
    """What classifies pictures and says where each class's evidence lies.

    Args:
        classifier: gives the answers, and with "onnx" the maps as well.
        engine: "onnx", or "keras" for maps by automatic differentiation of the checkpoint
            that the ONNX file was made from. The first "keras" loads TensorFlow.

    Returns:
        a function of the arguments and results of `BrainTumorClassifier.explain_pixels`,
        for any number of threads; "keras" takes pixels of the model's input size only.

    Raises:
        GradCamError: "keras" cannot be used; it says why.
    """
    if engine == "onnx":
        return classifier.explain_pixels
    grad_cam = keras_grad_cam()
    if classifier.metadata.get("source_sha256") != sha256(CHECKPOINT):
        raise GradCamError(f"{KERAS_NAME} is not the checkpoint that {classifier.model} is made of")

    def explain(
        pixels: Sequence[np.ndarray], names: Sequence[str]
    ) -> tuple[list[Prediction], np.ndarray]:
        return classifier.predict_pixels(pixels, names), grad_cam(np.stack(pixels))

    return explain


def keras_grad_cam(checkpoint: Path = CHECKPOINT) -> KerasGradCam:
    """A checkpoint's Grad-CAM, loaded once for all threads.

    Raises:
        GradCamError: TensorFlow is not installed, or the checkpoint cannot be loaded.
    """
    with _loading:
        return _load(checkpoint)


class KerasGradCam:
    """Grad-CAM at the last convolution, of each class's logit, by automatic differentiation.

    Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based
    localization", ICCV 2017. One object serves any number of threads.

    Args:
        model: the network, as `keras.models.load_model` gives it.

    Raises:
        GradCamError: TensorFlow is not installed.
    """

    def __init__(self, model: Any) -> None:  # noqa: ANN401
        self._maps = _trace(*_import_tensorflow(), model)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Grad-CAM of every class.

        Args:
            pixels: uint8 (N, 224, 224, 3), RGB; what `serve.formats.raster.load_pixels` gives.

        Returns:
            float32 (N, 4, 14, 14), classes in the model's order, each map from 0 to 1; all
            zeros where there is no positive evidence.
        """
        return self._maps(pixels.astype(np.float32)).numpy()


@cache
def _load(checkpoint: Path) -> KerasGradCam:
    _, keras = _import_tensorflow()
    if problem := problem_of(checkpoint):
        raise GradCamError(f"{checkpoint} cannot be loaded ({problem})")
    try:
        model = keras.models.load_model(checkpoint, compile=False, safe_mode=True)
        return KerasGradCam(model)
    except Exception as error:  # the system's, zipfile's and Keras's own types
        raise GradCamError(f"{checkpoint} cannot be loaded ({one_line(error)})") from error


def _trace(tf: Any, keras: Any, model: Any) -> Callable[[Any], Any]:  # noqa: ANN401
    """RGB from 0 to 255, float32 (N, 224, 224, 3) -> maps, as one TensorFlow graph.

    It is traced here and for any N, so that a call only runs it.
    """
    body = keras.Model(model.input, model.get_layer(LAST_CONVOLUTION).output)
    head = [model.get_layer(name) for name in (LAST_POOL, *HEAD)]

    def maps(image: Any) -> Any:  # noqa: ANN401
        convolved = x = body(image)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(convolved)
            for layer in head:
                x = layer(x, training=False)
            logits = tf.unstack(x, axis=-1)
        gradients = tf.stack([tape.gradient(logit, convolved) for logit in logits], axis=1)
        weights = tf.reduce_mean(gradients, axis=(2, 3))
        heat = tf.nn.relu(tf.einsum("nck,nhwk->nchw", weights, convolved))
        return tf.math.divide_no_nan(heat, tf.reduce_max(heat, axis=(2, 3), keepdims=True))

    image = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    graph = tf.function(maps, input_signature=[image], autograph=False)
    graph.get_concrete_function()
    return graph


def _import_tensorflow() -> tuple[Any, Any]:
    try:
        choose_backend()
    except UserError as error:
        raise GradCamError(str(error)) from None
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # ONNX Runtime shares the GPU
    try:
        with _quiet_stderr():
            import keras
            import tensorflow as tf
    except Exception as error:  # a broken installation raises more than ImportError
        raise GradCamError(
            f"Keras's Grad-CAM needs TensorFlow, which cannot be imported ({one_line(error)})"
        ) from error
    return tf, keras


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Nothing on standard error: TensorFlow's libraries greet there before any level holds."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
