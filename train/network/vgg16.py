"""VGG16 with its small head: built, taken apart where it is trained, stored in float16."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers

from serve.artifacts import replacing
from serve.command import UserError, one_line
from serve.keras_file import problem_of
from serve.names import FROZEN_POOL, HEAD, INPUT_SIZE, LABELS
from train.recipes import Network

MODEL_VERSION = "1.0.0"
CHANNELS = 512  # of block5_conv3
WEIGHTS_HELP = (
    "Keras downloads them from the internet, "
    "or --base-weights names a local copy of VGG16's no-top .weights.h5 file"
)


def build_model(network: Network, base_weights: Path | None) -> keras.Model:
    """The whole network, ImageNet weights in its convolutions and a fresh head.

    Input: float32 (N, 224, 224, 3), RGB from 0 to 255; the Caffe-style preprocessing (BGR
    less the ImageNet means) is inside. Output: softmax, float32 (N, 4). Frozen up to the
    first block that is trained; those weights are rounded to what float16 can
    represent: they never change again, so what is computed from them stays true of the
    stored model.

    Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
    recognition", ICLR 2015.

    Raises:
        UserError: no download, or `base_weights` is not such a file.
    """
    base = _imagenet_vgg16(base_weights)
    round_to_float16(base)
    image = keras.Input((INPUT_SIZE, INPUT_SIZE, 3), name="image")
    x = keras.applications.vgg16.preprocess_input(image)
    for layer in convolutions(base):
        layer.trainable = layer.name.split("_")[0] in network.trained_blocks
        x = layer(x)
    for layer in _head(network):
        x = layer(x)
    return keras.Model(image, x, name="brain_tumor_vgg16")


def pooling_head(model: keras.Model, seed: int) -> None:
    """Let a fresh head begin as global average pooling and answers near zero.

    The hidden layer's kernel is the same at all positions, and the classes' kernel is small: a
    usual start draws a loss of about 3, from 25,088 large inputs, and spoils the convolutions.
    """
    hidden, logits = model.get_layer("hidden"), model.get_layer("logits")
    positions, units = hidden.kernel.shape[0] // CHANNELS, hidden.kernel.shape[1]
    draw = keras.initializers.GlorotUniform(seed)((CHANNELS, units))
    kernel = np.tile(keras.ops.convert_to_numpy(draw), (positions, 1)) / positions
    hidden.set_weights([kernel, np.zeros(units)])
    small = logits.get_weights()[0] / 100
    logits.set_weights([small, np.zeros(len(LABELS))])


def frozen_prefix(model: keras.Model) -> keras.Model:
    """RGB 0 to 255, float32 (N, 224, 224, 3) -> what the first trained layer sees, float32."""
    return _beginning([layer for layer in convolutions(model) if not layer.trainable])


def until_frozen_pool(model: keras.Model) -> keras.Model:
    """RGB 0 to 255, float32 (N, 224, 224, 3) -> block3_pool, float32 (N, 28, 28, 256)."""
    layers_ = convolutions(model)
    return _beginning(layers_[: 1 + [layer.name for layer in layers_].index(FROZEN_POOL)])


def sees_pictures(model: keras.Model) -> bool:
    """Whether anything before block5 is trained: such a network is trained on pictures, not on
    features of its frozen layers, which would take more room."""
    return any(layer.trainable for layer in convolutions(model) if layer.name < "block5")


def trainable_suffix(model: keras.Model) -> keras.Model:
    """What `frozen_prefix` gives, or RGB 0 to 255 (`sees_pictures`) -> logits, float32 (N, 4).

    Made of `model`'s own layers: what is trained here is trained there.
    """
    features, outputs = run_trained(model)
    return keras.Model(features, outputs["logits"], name="suffix")


def run_trained(model: keras.Model) -> tuple[keras.KerasTensor, dict[str, keras.KerasTensor]]:
    """What is trained on, features or pictures, and the outputs of all layers after it, by name."""
    used = convolutions(model)
    if sees_pictures(model):
        features = keras.Input((INPUT_SIZE, INPUT_SIZE, 3), name="image")
        x = keras.applications.vgg16.preprocess_input(features)
    else:
        used = [layer for layer in used if layer.trainable]
        features = x = keras.Input(used[0].input.shape[1:], name="features")
    outputs = {}
    for layer in [*used, *(model.get_layer(name) for name in HEAD)]:
        outputs[layer.name] = x = layer(x)
    return features, outputs


def round_to_float16(model: keras.Model) -> None:
    """Round every weight to the nearest value that float16 can represent."""
    model.set_weights([w.astype(np.float16).astype(w.dtype) for w in model.get_weights()])


def save_float16(model: keras.Model, path: Path) -> None:
    """Save a model of rounded weights as .keras with its arrays stored in float16.

    `keras.models.load_model` gives it back in float32 with the same values, from half the
    bytes.
    """
    with replacing(path) as temporary:
        whole = temporary.with_suffix(".float32.keras")
        try:
            model.save(whole)
            _halve(whole, temporary)
        finally:
            whole.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> keras.Model:
    """Read what `save_float16` wrote, or any .keras file.

    Raises:
        UserError: there is no such file, it is not whole, or it holds no model.
    """
    if problem := problem_of(path):
        raise UserError(f"{path}: no model ({problem})")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras's, h5py's and the system's own types
        raise UserError(f"{path}: no model ({one_line(error)})") from error


def _imagenet_vgg16(base_weights: Path | None) -> keras.Model:
    shape = (INPUT_SIZE, INPUT_SIZE, 3)
    if base_weights is None:
        try:
            return keras.applications.VGG16(include_top=False, input_shape=shape)
        except Exception as error:  # urllib's, Keras's and the system's errors alike
            raise UserError(f"no ImageNet weights: {WEIGHTS_HELP} ({error})") from error
    base = keras.applications.VGG16(include_top=False, weights=None, input_shape=shape)
    if not base_weights.is_file():
        raise UserError(f"{base_weights}: no such file ({WEIGHTS_HELP})")
    try:
        base.load_weights(base_weights)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{base_weights}: not VGG16's no-top weights ({error})") from error
    return base


def convolutions(model: keras.Model) -> list[layers.Layer]:
    """VGG16's own layers, pooling ones too, in order."""
    return [layer for layer in model.layers if layer.name.startswith("block")]


def _beginning(chosen: list[layers.Layer]) -> keras.Model:
    image = keras.Input((INPUT_SIZE, INPUT_SIZE, 3), name="image")
    x = keras.applications.vgg16.preprocess_input(image)
    for layer in chosen:
        x = layer(x)
    return keras.Model(image, x, name="prefix")


def _head(network: Network) -> list[layers.Layer]:
    return [
        layers.Flatten(name="flatten"),
        layers.Dropout(network.dropout_flat, name="dropout_flat"),
        layers.Dense(network.hidden_units, activation="relu", name="hidden"),
        layers.Dropout(network.dropout_hidden, name="dropout_hidden"),
        layers.Dense(len(LABELS), name="logits"),
        layers.Softmax(name="probabilities"),
    ]


def _halve(source: Path, target: Path) -> None:
    """Copy a .keras archive, its float32 arrays as float16."""
    weights = target.with_suffix(".h5")
    try:
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
            for item in old.infolist():
                if not item.filename.endswith(".h5"):
                    new.writestr(item, old.read(item))
                    continue
                with old.open(item) as file, weights.open("wb") as copy:
                    shutil.copyfileobj(file, copy)
                _arrays_to_float16(weights)
                new.write(weights, item.filename)
    finally:
        weights.unlink(missing_ok=True)


def _arrays_to_float16(path: Path) -> None:
    with h5py.File(path) as file:
        arrays: dict[str, np.ndarray] = {}
        attributes: dict[str, dict] = {}

        def collect(name: str, item: h5py.HLObject) -> None:
            attributes[name] = dict(item.attrs)
            if isinstance(item, h5py.Dataset):
                arrays[name] = item[()]

        file.visititems(collect)
        root = dict(file.attrs)
    with h5py.File(path, "w") as file:
        file.attrs.update(root)
        for name, attrs in attributes.items():
            if name in arrays:
                half = arrays[name].dtype == np.float32
                item = file.create_dataset(
                    name, data=arrays[name], dtype=np.float16 if half else None
                )
            else:
                item = file.require_group(name)
            item.attrs.update(attrs)
