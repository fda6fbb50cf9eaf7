"""Make the int8 model, the fast one on CPUs: python -m export.quantize --data DIR

Static quantization of the float32 ONNX model with ONNX Runtime's own tools (QDQ), calibrated on
scans of DIR/Training that the published model was trained on. Weights per channel, of 7 bits:
with 8, the products of two neighbours saturate 16 bits on CPUs without VNNI. The first
convolution, the last dense layer, Grad-CAM and the out-of-distribution score stay float32;
tensors and metadata are those of the float32 model.

Afterwards both models answer for the scans that the published model never saw (with --slices and
--masks the pointing game, too), which is for reporting only, and for the track record in the
metadata.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
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
    figures_of,
    labels_of,
    largest_difference,
    read_masks,
    same_class,
    track_record,
)
from export.metadata import metadata_of, write_beside
from serve.artifacts import INT8_NAME, MODELS, ONNX_NAME, replacing, write_metrics
from serve.command import UserError, run
from serve.formats.raster import SUFFIXES, load_image
from serve.names import LABELS
from serve.trained_on import files_of

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
    nodes = float32.graph.node
    layers = [node.name for node in nodes if node.op_type == "Conv"][1:]
    layers += [node.name for node in nodes if node.op_type == "MatMul" and "hidden" in node.name]
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
            nodes_to_quantize=layers,
        )
        quantized = onnx.load(narrow)
    result = graph.stamp(
        graph.store_float16(quantized), metadata_of(float32) | {"precision": "int8"}
    )
    onnx.checker.check_model(result, full_check=True)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m export.quantize", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--model", type=Path, default=MODELS / ONNX_NAME, metavar="FILE")
    parser.add_argument("--output", type=Path, default=MODELS / INT8_NAME, metavar="FILE")
    parser.add_argument("--slices", type=Path, metavar="FILE", help="figshare_slices.csv")
    parser.add_argument("--masks", type=Path, metavar="DIR", help="figshare_masks")
    args = parser.parse_args(argv)
    logging.getLogger().setLevel(logging.ERROR)  # the tool's advice to optimize the graph first
    make(args.model, args.output, args.data, args.slices, args.masks)
    return 0


def make(model: Path, output: Path, data: Path, slices: Path | None, masks: Path | None) -> None:
    """Write `output`, and what it is worth to the metrics.json beside it.

    Raises:
        UserError: there is no model, there are no scans, or the answers differ too much;
            what was at `output` is still there.
    """
    if output.resolve() == model.resolve():
        raise UserError(f"{output}: --output is --model, which must stay as it is")
    if not model.is_file():
        raise UserError(f"{model}: no such model (python -m export.to_onnx makes it)")
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
        figures = {
            "images": len(testing),
            "same_class": same_class(*answers),
            "largest_difference": largest_difference(*answers),
            "bytes": temporary.stat().st_size,
        }
        for precision, own in zip(("float32", "int8"), answers, strict=True):
            for name, value in figures_of(own, labels, outlines).items():
                figures[f"{name}_{precision}"] = value
        for name, value in figures.items():
            print(f"{name:22}{value if value is None else f'{value:.6g}'}")
        if figures["same_class"] < LEAST_SAME:
            raise UserError(f"{output}: not written, too many scans get another class")
        figures["track_record"] = track_record(answers[1], labels)
        stamped = metadata_of(onnx.load(temporary)) | {"track_record": figures["track_record"]}
        onnx.save(graph.stamp(onnx.load(temporary), stamped), temporary)
    write_beside(output)
    write_metrics(output.parent, "export.int8", figures)
    print(f"wrote {output}, {output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    sys.exit(run(main))
