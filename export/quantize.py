"""Make the int8 model, the fast one on CPUs: python -m export.quantize --data DIR

Static quantization of the float32 ONNX model with ONNX Runtime's own tools (QDQ), calibrated on
scans of DIR/Training that the published model was trained on. Weights per channel, of 7 bits:
with 8, the products of two neighbours saturate 16 bits on CPUs without VNNI. The first
convolution, what the hidden layer gives, the last dense layer, Grad-CAM and the
out-of-distribution score stay float32; tensors and metadata are those of the float32 model. The
hidden layer's bias is corrected by what rounding adds on the calibration scans.

Afterwards both models answer for the scans that the published model never saw (with --slices and
--masks the pointing game, too), which is for reporting only, and for the track record in the
metadata; with --collections and --br35h the int8 one for other hospitals' scans as well.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime as ort
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from tqdm import tqdm

from export import graph
from export.float32_against_int8 import (
    answers_of,
    figures_against,
    labels_of,
    read_masks,
    track_record,
)
from export.metadata import QUOTED, metadata_of, of_model, restamp, write_beside
from export.scans import of_hospitals
from serve.artifacts import INT8_NAME, METRICS_NAME, MODELS, ONNX_NAME, replacing, require_writable
from serve.classifier import BrainTumorClassifier
from serve.command import UserError, run
from serve.formats.raster import SUFFIXES, load_image
from serve.metrics import CHECKPOINT, read_metrics, require_current, write_metrics
from serve.names import LABELS
from serve.track_record import HOSPITALS, PATIENTS
from serve.trained_on import files_of, label_of

SCANS_A_CLASS = 16  # to calibrate with
LEAST_SAME = 0.98  # share of images that must get the same class


class Scans(CalibrationDataReader):
    """The calibration scans, one at a time."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._images = self._read(paths)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._images, None)

    def _read(self, paths: Sequence[Path]) -> Iterator[dict[str, np.ndarray]]:
        for path in tqdm(paths, desc="calibrating", unit="scan"):
            yield {"image": np.asarray(load_image(path))[None]}


def calibration_scans(training: Path, learnt: Container[str]) -> list[Path]:
    """The same number of every class, spread evenly over the files that were trained on.

    Args:
        training: a part of the dataset.
        learnt: the names of what the model was trained on.

    Raises:
        UserError: a class has none.
    """
    chosen = []
    for label in LABELS:
        everything = scans_of(training / label)
        names = (path.relative_to(training.parent).as_posix() for path in everything)
        paths = [path for path, name in zip(everything, names, strict=True) if name in learnt]
        if not paths:
            raise UserError(f"{training / label}: the model was trained on none of its scans")
        chosen += paths[:: -(-len(paths) // SCANS_A_CLASS)]
    return chosen


def scans_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def quantize(float32: onnx.ModelProto, scans: Sequence[Path]) -> onnx.ModelProto:
    """The float32 model of the contract -> the int8 one."""
    with TemporaryDirectory() as temporary:
        wide, narrow = Path(temporary) / "float32.onnx", Path(temporary) / "int8.onnx"
        onnx.save(graph.widen_float16(float32), wide)
        quantize_static(
            wide,
            narrow,
            Scans(scans),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_quantize=_layers(float32),
            extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
        )
        quantized = onnx.load(narrow)
        _correct_bias(quantized, onnx.load(wide), scans)
    result = graph.stamp(
        graph.store_float16(graph.scale_once(quantized)),
        metadata_of(float32) | {"precision": "int8"},
    )
    onnx.checker.check_model(result, full_check=True)
    return result


def _layers(float32: onnx.ModelProto) -> list[str]:
    """All convolutions but the first, each with its ReLU and its pooling: so activations are
    rounded once, after the ReLU, and in steps half as wide; and the hidden layer."""
    trunk = [node for node in float32.graph.node if "block" in node.name]
    first = next(i for i, node in enumerate(trunk) if node.op_type == "Relu")
    layers = [n.name for n in trunk[first + 1 :] if n.op_type in {"Conv", "Relu", "MaxPool"}]
    return layers + [
        n.name for n in float32.graph.node if n.op_type == "MatMul" and "hidden" in n.name
    ]


def _correct_bias(int8: onnx.ModelProto, float32: onnx.ModelProto, scans: Sequence[Path]) -> None:
    """Take from the hidden layer's bias what rounding adds to the layer on average. Nagel et al.,
    "Data-free quantization through weight equalization and bias correction", ICCV 2019.

    Args:
        int8: is changed.
        float32: what it was made of.
        scans: over which is averaged.
    """
    (add,) = [n for n in float32.graph.node if n.op_type == "Add" and "hidden" in n.name]
    shift = _mean_of(add.output[0], int8, scans) - _mean_of(add.output[0], float32, scans)
    (bias,) = [tensor for tensor in int8.graph.initializer if tensor.name in add.input]
    corrected = onnx.numpy_helper.to_array(bias) - shift
    bias.CopyFrom(onnx.numpy_helper.from_array(corrected.astype(np.float32), bias.name))


def _mean_of(tensor: str, model: onnx.ModelProto, scans: Sequence[Path]) -> np.ndarray:
    """A tensor's mean over scans, float32 (units,)."""
    watched = onnx.ModelProto.FromString(model.SerializeToString())
    watched.graph.output.append(onnx.ValueInfoProto(name=tensor))
    session = ort.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    images = iter(Scans(scans).get_next, None)
    return np.mean([session.run([tensor], image)[0][0] for image in images], axis=0)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m export.quantize", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--model", type=Path, default=MODELS / ONNX_NAME, metavar="FILE")
    parser.add_argument("--output", type=Path, default=MODELS / INT8_NAME, metavar="FILE")
    parser.add_argument("--slices", type=Path, metavar="FILE", help="figshare_slices.csv")
    parser.add_argument("--masks", type=Path, metavar="DIR", help="figshare_masks")
    parser.add_argument("--collections", type=Path, metavar="DIR", help="other hospitals' scans")
    parser.add_argument("--br35h", type=Path, metavar="DIR", help="br35h_tumour")
    args = parser.parse_args(argv)
    logging.getLogger().setLevel(logging.ERROR)  # the tool's advice to optimize the graph first
    elsewhere = None
    if args.collections or args.br35h:
        elsewhere = of_hospitals(args.model.parent, args.data, args.collections, args.br35h)
    make(args.model, args.output, args.data, args.slices, args.masks, elsewhere)
    return 0


def make(
    model: Path,
    output: Path,
    data: Path,
    slices: Path | None,
    masks: Path | None,
    elsewhere: Mapping[str, Path] | None = None,
) -> None:
    """Write `output`, and what it is worth to the metrics.json beside it.

    Args:
        model: the float32 one.
        output: the int8 one.
        data: the dataset.
        slices, masks: see `read_masks`.
        elsewhere: other hospitals' scans that the model never saw, by name.

    Raises:
        UserError: there is no model, there are no scans, figures that the metadata quote are of
            another checkpoint, or the answers differ too much; what was at `output` is still there.
    """
    if output.resolve() == model.resolve():
        raise UserError(f"{output}: --output is --model, which must stay as it is")
    if not model.is_file():
        raise UserError(f"{model}: no such model (python -m export.to_onnx makes it)")
    require_writable(output)
    BrainTumorClassifier(model, device="cpu")  # else it says what is wrong with it
    require_current_model(model)
    learnt, unseen = (files_of(side, model.parent) for side in ("training", "test"))
    testing = sorted(path for path in (data / name for name in unseen) if path.is_file())
    if not testing:
        raise UserError(f"{data}: holds no scan that the model never saw")
    labels, outlines = labels_of(testing), read_masks(testing, slices, masks)
    with replacing(output) as temporary:
        onnx.save(
            quantize(onnx.load(model), calibration_scans(data / "Training", learnt)), temporary
        )
        answers = answers_of(model, testing), answers_of(temporary, testing)
        figures = figures_against(*answers, "int8", labels, outlines)
        show(figures)
        if figures["same_class"] < LEAST_SAME:
            raise UserError(f"{output}: not written, too many scans get another class")
        if elsewhere:
            theirs = answers_of(temporary, list(elsewhere.values()))
            classes = np.array([label_of(name) for name in elsewhere])
            figures["track_record"] = track_record(
                {PATIENTS: (answers[1], labels), HOSPITALS: (theirs, classes)}
            )
        restamp(temporary, track_record=figures["track_record"])
        figures["bytes"] = temporary.stat().st_size
    write_beside(output)
    write_metrics(output.parent, "export.int8", figures, of_model(output))
    print(f"wrote {output}, {output.stat().st_size / 1e6:.1f} MB")


def show(figures: Mapping[str, float | str | None]) -> None:
    """Print them, a line each, but for the track record."""
    for name, value in figures.items():
        if name != "track_record":
            print(f"{name:32}{value if value is None else f'{value:.6g}'}")


def require_current_model(model: Path) -> None:
    """Refuse a float32 model that is not of the checkpoint which metrics.json is of.

    Raises:
        UserError: see `serve.metrics.require_current`.
    """
    made_of, metrics = of_model(model)[CHECKPOINT], read_metrics(model.parent)
    measured = metrics.get("model", {}).get("sha256", made_of)
    if made_of != measured:
        raise UserError(
            f"{model}: made of the checkpoint {made_of[:12]}, {METRICS_NAME} has the model "
            f"{measured[:12]} (python -m export.to_onnx makes it anew)"
        )
    require_current(metrics, made_of, (*QUOTED, "export.float32"))


if __name__ == "__main__":
    sys.exit(run(main))
