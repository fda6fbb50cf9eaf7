"""What the ONNX files say of themselves, inside and in NAME.json beside them."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import onnx

from export import graph
from serve.artifacts import TRAINED_ON_NAME, replacing, sha256
from serve.command import UserError
from serve.metrics import CHECKPOINT, read_metrics, require_current
from serve.names import INPUT_SIZE, INTENDED_USE, LABEL_OF, LABELS
from serve.terms import license_of
from serve.track_record import HOSPITALS, PATIENTS, TrackRecord, bins_of
from serve.trained_on import collections_of
from serve.tumours import Answers

# What the metadata quote, of what is measured on the checkpoint.
QUOTED = ("model", "calibration.temperature", "ood", "protocols.published", "protocols.hospitals")


def describe(
    checkpoint: Path, ood_threshold: float, ood_warning: float = math.inf
) -> dict[str, str]:
    """The metadata properties for a checkpoint, its figures from the metrics.json beside it.

    Args:
        checkpoint: the .keras file.
        ood_threshold: see `serve.detector.Detector`.
        ood_warning: the same; an infinite one is not written.

    Raises:
        UserError: figures that they quote are of another checkpoint.
    """
    digest, metrics = sha256(checkpoint), read_metrics(checkpoint.parent)
    require_current(metrics, digest, QUOTED)
    temperature = metrics.get("calibration", {}).get("temperature", 1.0)
    told = (checkpoint.parent / TRAINED_ON_NAME).is_file()
    collections = collections_of(checkpoint.parent) if told else set()
    figures = {
        name: {key: protocol[key] for key in ("accuracy", "macro_f1")}
        for name, protocol in metrics.get("protocols", {}).items()
        if "macro_f1" in protocol
    }
    return {
        "labels": json.dumps(LABELS),
        "input_size": str(INPUT_SIZE),
        "temperature": str(temperature),
        "ood_threshold": str(ood_threshold),
        **({"ood_warning": str(ood_warning)} if math.isfinite(ood_warning) else {}),
        "track_record": (
            track_record(checkpoint.parent) if "published" in figures else TrackRecord()
        ).to_json(),
        "precision": "float32",
        "model_version": metrics.get("model", {}).get("version", "unknown"),
        "source_sha256": digest,
        "metrics": json.dumps(figures),
        "license": license_of(collections),
        "intended_use": INTENDED_USE,
    }


def track_record(models: Path) -> TrackRecord:
    """What the checkpoint's confidences have meant on the scans that its training left out.

    Of what `train.evaluate --protocol published` and `--protocol hospitals` wrote; without what
    did not run.

    Raises:
        UserError: the predictions are no such table.
    """
    tables = {PATIENTS: "published", HOSPITALS: "hospitals"}
    paths = {group: models / "predictions" / f"{name}.csv" for group, name in tables.items()}
    return TrackRecord(
        {group: bins_of(_answers(path)) for group, path in paths.items() if path.is_file()}
    )


def _answers(path: Path) -> list[tuple[float, bool]]:
    """Confidence, and whether the answer was right; of an unknown tumour, any tumour."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        probabilities = np.array([[float(row[name]) for name in LABELS] for row in rows])
        labels = np.array([LABEL_OF[row["label"]] for row in rows])
        right = Answers(labels, probabilities).right
        return list(zip(probabilities.max(axis=1).tolist(), right.tolist(), strict=True))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: no table of predictions ({error!r})") from None


def metadata_of(model: onnx.ModelProto) -> dict[str, str]:
    """The metadata properties that are in a model."""
    return {entry.key: entry.value for entry in model.metadata_props}


def restamp(onnx_file: Path, **properties: str) -> None:
    """Change metadata properties in a file."""
    model = onnx.load(onnx_file)
    onnx.save(graph.stamp(model, metadata_of(model) | properties), onnx_file)


def of_model(onnx_file: Path) -> dict[str, str]:
    """`of` what is measured on an ONNX file: the checkpoint that it is made of."""
    model = onnx.load(onnx_file, load_external_data=False)
    return {CHECKPOINT: metadata_of(model).get("source_sha256", "")}


def beside(onnx_file: Path) -> Path:
    """NAME.json of NAME.onnx."""
    return onnx_file.with_suffix(".json")


def write_beside(onnx_file: Path) -> None:
    """Write the metadata of an ONNX file beside it, for runtimes that cannot read them."""
    properties = metadata_of(onnx.load(onnx_file, load_external_data=False))
    with replacing(beside(onnx_file)) as temporary:
        text = json.dumps(properties, indent=2, sort_keys=True, ensure_ascii=False)
        temporary.write_text(f"{text}\n", encoding="utf-8")
