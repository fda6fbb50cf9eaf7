"""Classify brain MRI scans from the command line: python serve/infer.py scan.jpg

Research and education only: not a medical device, never a diagnosis.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import hashlib
import io
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TextIO, TypeAlias, get_args

if __name__ == "__main__":  # before anything is imported that may not be installed
    if not __package__:  # run as a script
        sys.path[0] = str(Path(__file__).resolve().parent.parent)
        __package__ = "serve"
    from .__main__ import main as command

    sys.exit(command())

import numpy as np

from .classifier import BATCH, BrainTumorClassifier, Prediction
from .command import UserError, one_line
from .formats.raster import SUFFIXES, InvalidImageError, load_image, load_pixels
from .gradcam import Engine, Explain, explainer
from .measures import in_100
from .overlay import overlay, with_colour_bar
from .progress import ProgressBar
from .track_record import TrackRecord

PROGRESS_FROM = 21  # images
HUB = "hub:"  # in front of a model's repository on the Hugging Face Hub

Answer: TypeAlias = Prediction | InvalidImageError
Predict: TypeAlias = Callable[[Sequence[np.ndarray], Sequence[str]], list[Prediction]]


def main(argv: Sequence[str] | None = None) -> int:
    args = _parse(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    paths = list(find_images(args.paths))
    if not paths:
        return _usage_error(f"no images found in {', '.join(args.paths)}")
    try:
        return int(_run(args, paths))
    except UserError as error:
        return _usage_error(one_line(error))


def _run(args: argparse.Namespace, paths: Sequence[str]) -> bool:
    """Classify and show; True if a picture could not be read."""
    classifier = _classifier(args)
    with ExitStack() as stack:
        predict = _predictor(args, classifier, stack)
        show = _writer(args, classifier, stack)
        batches = classify(predict, classifier.input_size, paths, args.batch_size)
        bar = ProgressBar(len(paths)) if len(paths) >= PROGRESS_FROM else None
        try:
            return _show_all(batches, show, bar)
        finally:
            if bar:
                bar.clear()


def _classifier(args: argparse.Namespace) -> BrainTumorClassifier:
    if args.model.startswith(HUB):
        repository = args.model.removeprefix(HUB)
        return BrainTumorClassifier.from_pretrained(
            repository, device=args.device, threads=args.threads
        )
    return BrainTumorClassifier(args.model, args.device, args.threads)


def _show_all(
    batches: Iterable[list[Answer]], show: Callable[[Answer], None], bar: ProgressBar | None
) -> bool:
    failed = False
    for answers in batches:
        if bar:
            bar.clear()
        for answer in answers:
            if isinstance(answer, InvalidImageError):
                failed = True
                print(answer, file=sys.stderr)
            show(answer)
        if bar:
            bar.advance(len(answers))
    return failed


def find_images(paths: Iterable[str]) -> Iterator[str]:
    """The files that `paths` name: folders are searched recursively, "-" stays as it is."""
    for path in paths:
        if path != "-" and Path(path).is_dir():
            files = (file for file in Path(path).rglob("*") if file.is_file())
            yield from sorted(str(file) for file in files if file.suffix.lower() in SUFFIXES)
        else:
            yield path


def classify(
    predict: Predict, size: int, paths: Sequence[str], batch_size: int
) -> Iterator[list[Answer]]:
    """Answers for the pictures in their order, a batch at a time.

    Threads decode ahead to `size` while the model runs, never more than a few batches.
    """
    with ThreadPoolExecutor() as pool:
        remaining = iter(paths)

        def submit(path: str) -> Future[np.ndarray | InvalidImageError]:
            return pool.submit(_decode, path, size)

        ahead = deque(map(submit, islice(remaining, 3 * batch_size)))
        done = 0
        while ahead:
            batch = [ahead.popleft().result() for _ in range(min(batch_size, len(ahead)))]
            ahead.extend(map(submit, islice(remaining, len(batch))))
            names = paths[done : done + len(batch)]
            done += len(batch)
            yield _answers(predict, batch, names)


def _answers(
    predict: Predict, batch: Sequence[np.ndarray | InvalidImageError], names: Sequence[str]
) -> list[Answer]:
    pixels = [one for one in batch if isinstance(one, np.ndarray)]
    read = [name for name, one in zip(names, batch, strict=True) if isinstance(one, np.ndarray)]
    predictions = iter(predict(pixels, read) if pixels else [])
    return [next(predictions) if isinstance(one, np.ndarray) else one for one in batch]


def _decode(path: str, size: int) -> np.ndarray | InvalidImageError:
    try:
        return load_pixels(_source(path), size, name=path)
    except InvalidImageError as error:
        return error


def _source(path: str) -> str | bytes:
    return _standard_input() if path == "-" else path


@cache
def _standard_input() -> bytes:
    return sys.stdin.buffer.read()


def _predictor(
    args: argparse.Namespace, classifier: BrainTumorClassifier, stack: ExitStack
) -> Predict:
    if not args.cam:
        return classifier.predict_pixels
    folder = _writable(Path(args.cam))
    explain = explainer(classifier, args.cam_engine)
    return stack.enter_context(_drawing(explain, classifier.labels, folder))


def _writable(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}") from None
    return folder


@contextmanager
def _drawing(explain: Explain, labels: Sequence[str], folder: Path) -> Iterator[Predict]:
    """A prediction that also draws each scan with its class's Grad-CAM into `folder`.

    Threads draw a batch while the model runs the next. Each decodes its picture again, so
    no more of them are in memory than there are threads.
    """
    with ThreadPoolExecutor() as pool:
        drawings: list[Future[None]] = []

        def predict(pixels: Sequence[np.ndarray], names: Sequence[str]) -> list[Prediction]:
            predictions, maps = explain(pixels, names)
            wait()
            for prediction, cams in zip(predictions, maps, strict=True):
                if prediction.brain_mri:
                    cam = cams[labels.index(prediction.label)]
                    drawings.append(pool.submit(_draw, prediction.path, cam, folder))
            return predictions

        def wait() -> None:
            while drawings:
                drawings.pop().result()

        yield predict
        wait()


def _draw(path: str, cam: np.ndarray, folder: Path) -> None:
    target = folder / overlay_name(path)
    try:
        with_colour_bar(overlay(load_image(_source(path), path), cam)).save(target)
    except (OSError, InvalidImageError) as error:
        raise UserError(
            f"cannot write {target}: {getattr(error, 'strerror', None) or error}"
        ) from None


def overlay_name(path: str) -> str:
    """scan.jpg -> scan-1a2b3c4d.png; the digits, of the whole path, tell namesakes apart."""
    if path == "-":
        return "stdin.png"
    digits = hashlib.sha256(os.fsencode(Path(path).resolve())).hexdigest()[:8]
    return f"{Path(path).stem[:60]}-{digits}.png"


class _Lines:
    """A readable line an image."""

    def __init__(self, calibrated: bool, threshold: float, record: TrackRecord) -> None:
        self._note = "" if calibrated else " (uncalibrated)"
        self._threshold, self._record = threshold, record

    def __call__(self, answer: Answer) -> None:
        if isinstance(answer, Prediction) and not answer.brain_mri:
            print(
                f"{answer.path}: does not look like a brain MRI scan "
                f"(score {answer.ood_score:.1f}, scans are below {self._threshold:.1f})"
            )
        elif isinstance(answer, Prediction):
            shares = "  ".join(f"{name} {p:.1%}" for name, p in answer.probabilities.items())
            unsure = "unsure, perhaps " if answer.unsure else ""
            print(
                f"{answer.path}: {unsure}{answer.label} {answer.confidence:.1%}{self._note}  "
                f"[{shares}]{self._meaning(answer.confidence)}"
            )

    def _meaning(self, confidence: float) -> str:
        found = self._record.at(confidence)
        return f"  such answers: {in_100(found.share)} in 100 right" if found else ""


def _json_line(answer: Answer) -> None:
    print(json.dumps(_fields(answer)))


class _Table:
    """A row an image in a CSV file."""

    def __init__(self, file: TextIO, labels: Sequence[str]) -> None:
        names = [field.name for field in dataclasses.fields(Prediction)]
        at = names.index("probabilities")
        columns = [*names[:at], *labels, *names[at + 1 :], "error"]
        self._writer = csv.DictWriter(file, columns)
        self._writer.writeheader()

    def __call__(self, answer: Answer) -> None:
        fields = _fields(answer)
        fields |= fields.pop("probabilities", {})
        self._writer.writerow(fields)


def _writer(
    args: argparse.Namespace, classifier: BrainTumorClassifier, stack: ExitStack
) -> Callable[[Answer], None]:
    if args.json:
        return _json_line
    if args.csv:
        return _Table(stack.enter_context(_open_table(args.csv)), classifier.labels)
    return _Lines(classifier.temperature != 1, classifier.ood_threshold, classifier.track_record)


def _open_table(path: str) -> TextIO:
    try:
        return open(path, "w", newline="", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None


def _fields(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, InvalidImageError):
        return {"path": answer.name, "error": answer.reason}
    return dataclasses.asdict(answer)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    summary, disclaimer = (part.strip() for part in __doc__.split("\n\n"))
    parser = argparse.ArgumentParser(
        prog="brain-tumor-vgg16", description=summary.split(":")[0] + ".", epilog=disclaimer
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="an image, a folder of them, or - for one on standard input",
    )
    parser.add_argument(
        "--model",
        default="auto",
        help="auto, fp32, int8, an ONNX file, or hub:USER/NAME for a repository on the Hugging "
        "Face Hub (default: auto)",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--batch-size", type=_positive, default=BATCH, metavar="N")
    parser.add_argument("--threads", type=_positive, metavar="N", help="default: all cores")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="JSON Lines, an object an image")
    output.add_argument("--csv", metavar="FILE", help="write a table to FILE")
    parser.add_argument(
        "--cam",
        metavar="DIR",
        help="write each scan with its class's Grad-CAM laid over it to DIR, as NAME-DIGITS.png; "
        "what is no brain MRI gets none",
    )
    parser.add_argument(
        "--cam-engine",
        choices=get_args(Engine),
        default="onnx",
        help="where the maps of --cam come from: the ONNX model's own, or the Keras checkpoint "
        "(needs TensorFlow; default: onnx)",
    )
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not positive")
    return value


def _usage_error(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2
