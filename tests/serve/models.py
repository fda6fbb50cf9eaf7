"""The committed model with other metadata."""

from __future__ import annotations

from pathlib import Path

import onnx

from serve.artifacts import INT8_NAME, MODELS


def with_metadata(folder: Path, **changed: str | None) -> Path:
    """The int8 model, its properties replaced; None takes one away."""
    model = onnx.load(MODELS / INT8_NAME)
    properties = {entry.key: entry.value for entry in model.metadata_props} | changed
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {k: v for k, v in properties.items() if v is not None})
    path = folder / INT8_NAME
    onnx.save(model, path)
    return path
