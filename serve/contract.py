"""What an ONNX file must be to be served: its tensors, its operators and its metadata."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .command import UserError, one_line
from .names import LABELS, MAP_CELLS
from .onnx_file import operator_sets
from .track_record import TrackRecord, read_track_record

if TYPE_CHECKING:
    from .runtime import ort

OPSET = 18
INPUT_SIZES = range(32, 1025)  # pixels

# Name -> type and axes; None is an axis of any length.
INPUTS = {"image": ("tensor(uint8)", (None, None, None, 3))}
OUTPUTS = {
    "probabilities": ("tensor(float)", (None, len(LABELS))),
    "cam": ("tensor(float)", (None, len(LABELS), MAP_CELLS, MAP_CELLS)),
    "ood_score": ("tensor(float)", (None,)),
}
METADATA = ("labels", "input_size", "temperature", "ood_threshold")


class ModelError(UserError):
    """The file is no model that can be served."""


@dataclass(frozen=True)
class Contract:
    """What an ONNX file says of itself."""

    labels: tuple[str, ...]  # in the order of its outputs
    input_size: int  # pixels, a side of what pictures are decoded to
    temperature: float  # that its probabilities were scaled with
    ood_threshold: float  # of the out-of-distribution score
    ood_warning: float  # a lower one, above which a scan is said to be unlike; inf: never
    track_record: TrackRecord
    metadata: dict[str, str] = field(repr=False)  # all of it, as it is


def read_contract(session: ort.InferenceSession, path: Path) -> Contract:
    """What a model says of itself, once all of it is found to be as agreed.

    Args:
        session: of the file.
        path: the file.

    Raises:
        ModelError: a tensor, an operator set or a property of the metadata is not.
    """
    _check_tensors(session, path)
    try:
        sets = operator_sets(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: not an ONNX model ({one_line(error)})") from None
    if sets != {"": OPSET}:
        found = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in sets.items())
        raise ModelError(f"{path}: made of the operators {found}, not of ai.onnx {OPSET} alone")
    try:
        metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError:
        raise ModelError(f"{path}: its metadata are no UTF-8 text") from None
    if lacking := [name for name in METADATA if name not in metadata]:
        raise ModelError(f"{path}: its metadata lack {', '.join(lacking)}")
    try:
        return Contract(
            _labels(metadata["labels"]),
            _input_size(metadata["input_size"]),
            _number("temperature", metadata["temperature"], above=0),
            _number("ood_threshold", metadata["ood_threshold"]),
            _warning(metadata.get("ood_warning")),
            _track_record(metadata.get("track_record", "{}")),
            metadata,
        )
    except UserError as error:
        raise ModelError(f"{path}: {error} in its metadata") from None


def check_outputs(outputs: Mapping[str, np.ndarray], count: int, path: Path) -> None:
    """See to it that a run's outputs can be answers.

    Args:
        outputs: by name.
        count: of the pictures that they are for.
        path: the model's file.

    Raises:
        ModelError: an output has another shape, or holds what is no number, or no probability.
    """
    for name, values in outputs.items():
        shape = (count, *OUTPUTS[name][1][1:])
        if values.shape != shape:
            raise ModelError(f"{path}: gives {name} of shape {values.shape}, not {shape}")
        if not np.isfinite(values).all():
            raise ModelError(f"{path}: gives {name} that are not finite numbers")
    shares = outputs["probabilities"]
    if (shares < 0).any() or (abs(shares.sum(axis=1) - 1) > 1e-3).any():
        raise ModelError(f"{path}: gives probabilities that do not add up to 1")


def _check_tensors(session: ort.InferenceSession, path: Path) -> None:
    for kind, expected, tensors in (
        ("input", INPUTS, session.get_inputs()),
        ("output", OUTPUTS, session.get_outputs()),
    ):
        found = {tensor.name: (tensor.type, tuple(tensor.shape)) for tensor in tensors}
        fits = all(
            name in found and found[name][0] == type_ and _fits(found[name][1], axes)
            for name, (type_, axes) in expected.items()
        )
        if not fits or (kind == "input" and found.keys() != expected.keys()):
            raise ModelError(
                f"{path}: not a brain tumour classifier of this project (expected the {kind} "
                f"{_listed(expected)}; found {_listed(found) or 'none'})"
            )


def _fits(found: tuple[Any, ...], expected: tuple[int | None, ...]) -> bool:
    """An axis that may have any length is a name, or None, in the file."""
    return len(found) == len(expected) and all(
        own == axis if axis else not isinstance(own, int)
        for own, axis in zip(found, expected, strict=True)
    )


def _listed(tensors: Mapping[str, tuple[str, tuple[Any, ...]]]) -> str:
    """image uint8 (N, N, N, 3), ..."""
    return ", ".join(
        f"{name} {type_.removeprefix('tensor(').removesuffix(')')} "
        f"({', '.join(str(axis or 'N') for axis in axes)})"
        for name, (type_, axes) in tensors.items()
    )


def _labels(text: str) -> tuple[str, ...]:
    try:
        labels = json.loads(text)
    except (ValueError, RecursionError):
        labels = None
    if not isinstance(labels, list) or sorted(map(str, labels)) != sorted(LABELS):
        raise UserError(f"labels {_quoted(text)} are not {', '.join(LABELS)}")
    return tuple(labels)


def _input_size(text: str) -> int:
    size = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    if size not in INPUT_SIZES:
        raise UserError(
            f"input_size {_quoted(text)} is not a number "
            f"from {INPUT_SIZES.start} to {INPUT_SIZES.stop - 1}"
        )
    return size


def _number(name: str, text: str, above: float = -math.inf) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number <= above:
        kind = "finite number" if above == -math.inf else f"finite number above {above:g}"
        raise UserError(f"{name} {_quoted(text)} is not a {kind}")
    return number


def _warning(text: str | None) -> float:
    """Files up to version 0.3.0 have none."""
    return math.inf if text is None else _number("ood_warning", text)


def _track_record(text: str) -> TrackRecord:
    record = read_track_record(text)
    for bins in record.groups.values():
        bounds = [bound for one in bins for bound in (one.high, one.low)]
        ordered = bounds == sorted(bounds, reverse=True)
        if not ordered or any(not 0 <= b <= 1 for b in bounds) or any(not b.answers for b in bins):
            raise UserError("no track record")
    return record


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
