"""The checkpoint that everything here is made of."""

from __future__ import annotations

from pathlib import Path

import keras

from serve.command import UserError, one_line
from serve.keras_file import problem_of
from serve.names import FROZEN_POOL, INPUT_SIZE, LABELS

LAYERS = (FROZEN_POOL, "block5_conv3", "block5_pool", "hidden", "logits")  # that are asked for


def load_checkpoint(path: Path) -> keras.Model:
    """The network of a .keras file; no code in it is run.

    Raises:
        UserError: it is not there, not whole, no model, or a model of something else.
    """
    if not path.exists():
        raise UserError(f"{path}: no such checkpoint (python -m train.fit makes it)")
    if problem := problem_of(path):
        raise UserError(f"{path}: not a checkpoint of this project ({problem})")
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras's, h5py's and the system's own types
        raise UserError(f"{path}: not a checkpoint of this project ({one_line(error)})") from None
    if problem := _difference(model):
        raise UserError(f"{path}: not a checkpoint of this project ({problem})")
    return model


def _difference(model: keras.Model) -> str:
    """In what it is another network, or ""."""
    shapes = model.input_shape, model.output_shape
    if shapes != ((None, INPUT_SIZE, INPUT_SIZE, 3), (None, len(LABELS))):
        return f"it makes {shapes[1]} of {shapes[0]}"
    names = {layer.name for layer in model.layers}
    lacking = [name for name in LAYERS if name not in names]
    return f"it has no layer {', '.join(lacking)}" if lacking else ""
