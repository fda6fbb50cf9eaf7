"""Make the small model, VGG16 of fewer channels: python -m export.slim --data DIR

Of the checkpoint's channels those are kept from which each next layer can be made best
(export/slimming/pruning.py); the checkpoint then teaches the small network (distillation.py) on the
scans that it was trained on itself, as they are and distorted; it gets an out-of-distribution score
of its own, and becomes int8 as the other model does. Tensors and metadata are those of the float32
model.

An epoch is a checkpoint in the cache: the same command, run again, goes on from there. Afterwards
the small and the float32 model answer for the scans that the checkpoint never saw, for reporting
only, and for the track record in the metadata.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import onnx

from export import quantize
from export.checkpoint import load_checkpoint
from export.keras_against_onnx import compare
from export.metadata import describe, restamp, write_beside
from export.slimming import distillation, views
from export.slimming.network import WIDTHS, arithmetic, observed, resized
from export.slimming.pruning import Pruned, prune
from export.slimming.refusal import fit_to_scans
from export.slimming.sides import Folders, Scan, Sides, read_sides
from export.slimming.worth import ask, hospital_figures, published_figures, refusal_figures
from export.to_onnx import build_graph
from serve.artifacts import (
    EXAMPLES,
    KERAS_NAME,
    MODELS,
    ONNX_NAME,
    SMALL_NAME,
    replacing,
    require_writable,
    sha256,
)
from serve.command import RESUMES, UserError, run
from serve.detector import Detector
from serve.formats.raster import load_pixels
from serve.metrics import of_checkpoint, write_metrics
from serve.names import INPUT_SIZE
from serve.trained_on import files_of

SCANS_TO_PRUNE_ON = 512
LEAST_SAME = 0.9  # share of the scans that must get the same class


def main(argv: Sequence[str] | None = None) -> int:
    args = _parse(argv)
    logging.getLogger().setLevel(logging.ERROR)  # the quantizer's advice
    folders = Folders(args.data, args.collections, args.br35h)
    sides = read_sides(args.checkpoint.parent, folders)
    require_writable(args.output)
    reference = args.checkpoint.with_name(ONNX_NAME)
    if not reference.is_file():
        raise UserError(f"{reference}: no such model (python -m export.to_onnx makes it)")
    quantize.require_current_model(reference)

    model = slim(args.checkpoint, sides, args.cache, args.seed)
    detector = fit_to_scans(model, sides, args.seed)
    with replacing(args.output) as temporary:
        _write(args.checkpoint, model, detector, args.data, temporary)
        asked = ask(reference, temporary, sides.tested)
        figures = published_figures(asked, args.slices, args.masks)
        figures["multiplications"] = arithmetic(model)
        quantize.show(figures)
        if figures["same_class"] < LEAST_SAME:
            raise UserError(f"{args.output}: not written, too many scans get another class")
        restamp(temporary, track_record=figures["track_record"])
        figures["bytes"] = temporary.stat().st_size
        for name, own in (
            ("hospitals", hospital_figures(asked)),
            ("ood", refusal_figures(asked, reference, temporary, args.others)),
        ):
            if own:
                figures[name] = own
                print(f"{name} {json.dumps(own, indent=1)}")
    write_beside(args.output)
    write_metrics(args.output.parent, "export.small", figures, of_checkpoint(args.checkpoint))
    print(f"wrote {args.output}, {args.output.stat().st_size / 1e6:.1f} MB")
    return 0


def slim(checkpoint: Path, sides: Sides, cache: Path, seed: int) -> keras.Model:
    """The small network, float32, of weights that float16 can hold.

    Args:
        checkpoint: the published network's.
        sides: the training side is learned from, the validation side watched.
        cache: of what was done before.
        seed: of all that is drawn.
    """
    published = load_checkpoint(checkpoint)
    folder = cache / f"slim-{_key(checkpoint, sides, seed)}"
    folder.mkdir(parents=True, exist_ok=True)
    teacher = resized(published, {}, fast=True)
    teacher.set_weights(published.get_weights())
    pruned = _pruned(teacher, sides.training, folder / "pruned.npz", seed)
    distillation.distil(
        observed(pruned.model),
        observed(teacher, pruned.channels),
        sides.training,
        sides.validation,
        folder,
        seed,
    )
    model = resized(published, WIDTHS)
    model.set_weights([w.astype(np.float16).astype(w.dtype) for w in pruned.model.get_weights()])
    return model


def _pruned(teacher: keras.Model, scans: Sequence[Scan], path: Path, seed: int) -> Pruned:
    """The start of the training, from the cache if it is there."""
    if not path.is_file():
        chosen = np.random.default_rng(seed).permutation(len(scans))[:SCANS_TO_PRUNE_ON]
        pictures = np.stack([load_pixels(scans[i].path, INPUT_SIZE) for i in chosen])
        pruned = prune(teacher, WIDTHS, pictures, seed)
        weights = {str(i): w for i, w in enumerate(pruned.model.get_weights())}
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **weights, **pruned.channels)
    with np.load(path) as stored:
        channels = {name: stored[name] for name in WIDTHS}
        weights = [stored[str(i)] for i in range(len(stored.files) - len(channels))]
    model = resized(teacher, WIDTHS, fast=True)
    model.set_weights(weights)
    return Pruned(model, channels)


def _key(checkpoint: Path, sides: Sides, seed: int) -> str:
    """Of all that the training follows from."""
    scans = [
        [f"{scan.cell} {scan.path.name}" for scan in part]
        for part in (sides.training, sides.validation)
    ]
    numbers = ("BATCH", "PICTURES", "EPOCHS", "WATCHED", "LEARNING_RATE", "WARM_UP", "SOFTNESS")
    recipe = [SCANS_TO_PRUNE_ON, WIDTHS, *(getattr(distillation, name) for name in numbers)]
    drawn = inspect.getsource(views)
    key = json.dumps([sha256(checkpoint), scans, recipe, distillation.WEIGHTS, drawn, seed])
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _write(
    checkpoint: Path, model: keras.Model, detector: Detector, data: Path, output: Path
) -> None:
    """The network as an int8 model, once its float32 form is proven equal to it."""
    metadata = describe(checkpoint, detector.threshold, detector.warning)
    temperature = float(metadata["temperature"])
    float32 = build_graph(model, temperature, detector, metadata)
    onnx.save(float32, output)
    parity = compare(model, output, sorted(EXAMPLES.iterdir()), temperature, detector)
    if failures := [text for text in parity.failures() if not text.startswith("refused")]:
        raise UserError(f"the ONNX model is not equal to the Keras model ({'; '.join(failures)})")
    learnt = files_of("training", checkpoint.parent)
    scans = quantize.calibration_scans(data / "Training", learnt)
    onnx.save(quantize.quantize(float32, scans), output)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m export.slim", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--collections", type=Path, metavar="DIR", help="other hospitals' scans, of train.collect"
    )
    parser.add_argument("--br35h", type=Path, metavar="DIR", help="the folder of images/")
    parser.add_argument("--checkpoint", type=Path, default=MODELS / KERAS_NAME, metavar="FILE")
    parser.add_argument("--output", type=Path, default=MODELS / SMALL_NAME, metavar="FILE")
    parser.add_argument("--cache", type=Path, default=MODELS.parent / "cache", metavar="DIR")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--slices", type=Path, metavar="FILE", help="figshare_slices.csv")
    parser.add_argument("--masks", type=Path, metavar="DIR", help="figshare_masks")
    parser.add_argument(
        "--others", type=Path, metavar="DIR", help="pictures that are no brain MRI, KIND/*"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
