"""Do the committed artifacts belong together? python -m export.verify

Checks the checkpoint, the ONNX models and metrics.json against each other: hashes, the
contract, what the metadata say, and the answers for the example scans. A line a check; exit
status 1 if one fails.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx.checker import ValidationError

from export.checkpoint import load_checkpoint
from export.float32_against_int8 import answers_of, largest_difference, same_class
from export.graph import OPSET
from export.keras_against_onnx import compare
from export.metadata import beside, describe, metadata_of
from serve.artifacts import (
    EXAMPLES,
    INT8_NAME,
    KERAS_NAME,
    MODELS,
    ONNX_NAME,
    OOD_NAME,
    SMALL_NAME,
    sha256,
)
from serve.classifier import BrainTumorClassifier
from serve.command import UserError, run
from serve.contract import ModelError
from serve.detector import read_detector
from serve.metrics import read_metrics, stale_sections

LARGEST = {KERAS_NAME: 100e6, ONNX_NAME: 100e6, INT8_NAME: 20e6, SMALL_NAME: 6e6}  # bytes
INT8_TOLERANCE = 0.1  # of a probability
SMALL_LEAST_SAME = 0.9  # share of the examples that must get the same class

UNREADABLE = (OSError, KeyError, ValueError, UserError, ModelError, ValidationError, DecodeError)

Check = Callable[[Path], Iterator[str]]  # models -> what is wrong


def check_hashes(models: Path) -> Iterator[str]:
    """the checkpoint is the one that was measured"""
    found, measured = sha256(models / KERAS_NAME), read_metrics(models)["model"]["sha256"]
    if found != measured:
        yield f"{KERAS_NAME} is {found}, metrics.json is of {measured}"


def check_figures(models: Path) -> Iterator[str]:
    """all figures of a checkpoint are of this one"""
    yield from stale_sections(read_metrics(models), sha256(models / KERAS_NAME))


def check_sizes(models: Path) -> Iterator[str]:
    """the files are as small as promised"""
    for name in (KERAS_NAME, *_onnx_names(models)):
        size, most = (models / name).stat().st_size, LARGEST[name]
        if size > most:
            yield f"{name} has {size:,} bytes, {most:,.0f} are allowed"


def check_contract(models: Path) -> Iterator[str]:
    """the ONNX models have the contract's tensors and standard operators only"""
    for name in _onnx_names(models):
        model = onnx.load(models / name)
        onnx.checker.check_model(model, full_check=True)
        sets = {(entry.domain, entry.version) for entry in model.opset_import}
        if sets != {("", OPSET)}:
            yield f"{name} uses the operator sets {sorted(sets)}"
        BrainTumorClassifier(models / name, device="cpu")


def check_metadata(models: Path) -> Iterator[str]:
    """their metadata say what metrics.json says"""
    detector = read_detector(models / OOD_NAME)
    expected = describe(models / KERAS_NAME, detector.threshold, detector.warning)
    measured = read_metrics(models)["export"]
    for name in _onnx_names(models):
        found = metadata_of(onnx.load(models / name, load_external_data=False))
        own = {}
        if name != ONNX_NAME:
            record = measured["int8" if name == INT8_NAME else "small"]["track_record"]
            own = {"precision": "int8", "track_record": record}
        if name == SMALL_NAME:  # its score is its own
            own |= {key: found.get(key) for key in ("ood_threshold", "ood_warning")}
        for key, value in (expected | own).items():
            if found.get(key) != value:
                yield f"{name} has {key} {found.get(key)}, not {value}"
        if json.loads(beside(models / name).read_text(encoding="utf-8")) != found:
            yield f"{beside(models / name).name} says something else than {name}"


def check_keras(models: Path) -> Iterator[str]:
    """the float32 model equals the checkpoint on the examples"""
    temperature = read_metrics(models)["calibration"]["temperature"]
    yield from compare(
        load_checkpoint(models / KERAS_NAME),
        models / ONNX_NAME,
        sorted(EXAMPLES.iterdir()),
        temperature,
        read_detector(models / OOD_NAME),
    ).failures()


def check_int8(models: Path) -> Iterator[str]:
    """the int8 model answers as the float32 model does on the examples"""
    scans = sorted(EXAMPLES.iterdir())
    answers = answers_of(models / ONNX_NAME, scans), answers_of(models / INT8_NAME, scans)
    if (same := same_class(*answers)) < 1:
        yield f"{1 - same:.0%} of the examples get another class"
    if (difference := largest_difference(*answers)) > INT8_TOLERANCE:
        yield f"a probability differs by {difference:.2g}"


def check_small(models: Path) -> Iterator[str]:
    """the small model, where there is one, answers much as the float32 model on the examples"""
    if SMALL_NAME in _onnx_names(models):
        scans = sorted(EXAMPLES.iterdir())
        answers = answers_of(models / ONNX_NAME, scans), answers_of(models / SMALL_NAME, scans)
        if (same := same_class(*answers)) < SMALL_LEAST_SAME:
            yield f"{1 - same:.0%} of the examples get another class"


def _onnx_names(models: Path) -> list[str]:
    """The small model may be missing."""
    small = [SMALL_NAME] if (models / SMALL_NAME).exists() else []
    return [ONNX_NAME, INT8_NAME, *small]


CHECKS: tuple[Check, ...] = (
    check_hashes,
    check_figures,
    check_sizes,
    check_contract,
    check_metadata,
    check_keras,
    check_int8,
    check_small,
)


def verify(models: Path) -> int:
    """Run every check, print its outcome, and return how many failed."""
    failed = 0
    for check in CHECKS:
        try:
            problems = list(check(models))
        except UNREADABLE as error:
            problems = [" ".join(str(error).split())]
        failed += bool(problems)
        print(f"{'FAILED' if problems else 'ok':8}{check.__doc__}")
        for problem in problems:
            print(f"{'':8}{problem}")
    return failed


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m export.verify", description=__doc__.split("?")[0] + "?"
    )
    parser.add_argument("--models", type=Path, default=MODELS, metavar="DIR")
    return int(verify(parser.parse_args(argv).models) > 0)


if __name__ == "__main__":
    sys.exit(run(main))
