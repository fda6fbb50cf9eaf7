"""Convert the checkpoint to ONNX and prove the two equal: python -m export.to_onnx"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import keras
import onnx

from export import graph
from export.checkpoint import load_checkpoint
from export.keras_against_onnx import LIMITS, compare
from export.metadata import describe, write_beside
from serve.artifacts import (
    EXAMPLES,
    KERAS_NAME,
    MODELS,
    ONNX_NAME,
    OOD_NAME,
    replacing,
    require_writable,
)
from serve.command import UserError, one_line, run
from serve.detector import Detector, read_detector
from serve.formats.raster import SUFFIXES
from serve.metrics import of_checkpoint, write_metrics


def build_graph(
    model: keras.Model, temperature: float, detector: Detector, metadata: dict[str, str]
) -> onnx.ModelProto:
    """Keras checkpoint -> the ONNX model of the contract, checked for form, not yet for values."""
    hidden, logits = (model.get_layer(name).get_weights()[0] for name in ("hidden", "logits"))
    onnx_model = graph.convert_network(model)
    onnx_model = graph.prepend_preprocessing(onnx_model)
    onnx_model = graph.append_calibration(onnx_model, temperature)
    onnx_model = graph.append_maps(onnx_model, hidden, logits)
    onnx_model = graph.append_ood_score(onnx_model, detector.means, detector.whitening)
    onnx_model = graph.store_float16(onnx_model)
    onnx_model = graph.stamp(onnx_model, metadata)
    onnx.checker.check_model(onnx_model, full_check=True)
    return onnx_model


def export(checkpoint: Path, output: Path, images: Sequence[Path]) -> None:
    """Write `output` if it agrees with `checkpoint` on every one of `images`.

    Raises:
        UserError: the checkpoint cannot be read or `output` not be written, figures that the
            metadata quote are of another
            one, or the two do not agree; what was at `output` is still there.
    """
    require_writable(output)
    model = load_checkpoint(checkpoint)
    try:
        detector = read_detector(checkpoint.parent / OOD_NAME)
        metadata = describe(checkpoint, detector.threshold, detector.warning)
        onnx_model = build_graph(model, float(metadata["temperature"]), detector, metadata)
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: not there (python -m train.ood makes it)") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{checkpoint}: cannot be converted ({one_line(error)})") from error
    with replacing(output) as temporary:
        onnx.save(onnx_model, temporary)
        parity = compare(model, temporary, images, float(metadata["temperature"]), detector)
        print(f"Keras against ONNX on {parity.images} images:")
        for name, value in parity.figures().items():
            print(f"  {name:15}{value:<10.2g}at most {LIMITS[name]:g}")
        if failures := parity.failures():
            raise UserError(
                f"{output}: not written, the ONNX model is not equal to the Keras model "
                f"({'; '.join(failures)})"
            )
    write_beside(output)
    write_metrics(
        output.parent,
        "export.float32",
        {"images": parity.images, "bytes": output.stat().st_size, **parity.figures()},
        of_checkpoint(checkpoint),
    )
    print(f"wrote {output}, {output.stat().st_size / 1e6:.1f} MB")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m export.to_onnx", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument("--checkpoint", type=Path, default=MODELS / KERAS_NAME, metavar="FILE")
    parser.add_argument("--output", type=Path, default=MODELS / ONNX_NAME, metavar="FILE")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="compare on all of DIR/Testing as well"
    )
    args = parser.parse_args(argv)
    folders = [EXAMPLES, *([args.data / "Testing"] if args.data else [])]
    images = [p for f in folders for p in sorted(f.rglob("*")) if p.suffix.lower() in SUFFIXES]
    if args.data and not (args.data / "Testing").is_dir():
        raise UserError(f"{args.data / 'Testing'}: no such folder")
    export(args.checkpoint, args.output, images)
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
