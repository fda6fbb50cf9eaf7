"""Classify brain MRI scans from the command line: python serve/infer.py scan.jpg

Research and education only: not a medical device, never a diagnosis.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TextIO

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import numpy as np

from serve.classifier import BATCH, BrainTumorClassifier, ModelError, Prediction
from serve.images import SUFFIXES, InvalidImageError, load_pixels
from serve.progress import ProgressBar
from serve.providers import DeviceError

PROGRESS_FROM = 21  # images


def main(argv: Sequence[str] | None = None) -> int:
    args = _parse(argv)
    sys.stdout.reconfigure(errors="backslashreplace")
    sys.stderr.reconfigure(errors="backslashreplace")
    paths = list(find_images(args.paths))
    if not paths:
        return _usage_error(f"no images found in {', '.join(args.paths)}")
    try:
        classifier = BrainTumorClassifier(args.model, args.device, args.threads)
    except (ModelError, DeviceError) as error:
        return _usage_error(str(error))
    with ExitStack() as stack:
        try:
            show = _writer(args, classifier, stack)
        except OSError as error:
            return _usage_error(f"{args.csv}: {error.strerror}")
        bar = ProgressBar(len(paths)) if len(paths) >= PROGRESS_FROM else None
        failed = False
        for answers in classify(classifier, paths, args.batch_size):
            if bar:
                bar.clear()
            for answer in answers:
                if isinstance(answer, InvalidImageError):
                    failed = True
                    print(answer, file=sys.stderr)
                show(answer)
            if bar:
                bar.advance(len(answers))
        if bar:
            bar.clear()
    return int(failed)


def find_images(paths: Iterable[str]) -> Iterator[str]:
    """The files that `paths` name: folders are searched recursively, "-" stays as it is."""
    for path in paths:
        if path != "-" and Path(path).is_dir():
            files = (file for file in Path(path).rglob("*") if file.is_file())
            yield from sorted(str(file) for file in files if file.suffix.lower() in SUFFIXES)
        else:
            yield path


def classify(
    classifier: BrainTumorClassifier, paths: Sequence[str], batch_size: int
) -> Iterator[list[Prediction | InvalidImageError]]:
    """Answers for the pictures in their order, a batch at a time.

    Threads decode ahead while the model runs, never more than a few batches.
    """
    with ThreadPoolExecutor() as pool:
        remaining = iter(paths)

        def submit(path: str) -> Future[np.ndarray | InvalidImageError]:
            return pool.submit(_decode, path, classifier.input_size)

        ahead = deque(map(submit, islice(remaining, 3 * batch_size)))
        done = 0
        while ahead:
            batch = [ahead.popleft().result() for _ in range(min(batch_size, len(ahead)))]
            ahead.extend(map(submit, islice(remaining, len(batch))))
            names = paths[done : done + len(batch)]
            done += len(batch)
            yield _answers(classifier, batch, names)


def _answers(
    classifier: BrainTumorClassifier,
    batch: Sequence[np.ndarray | InvalidImageError],
    names: Sequence[str],
) -> list[Prediction | InvalidImageError]:
    good = [i for i, one in enumerate(batch) if not isinstance(one, InvalidImageError)]
    answers = list(batch)
    if good:
        predictions = classifier.predict_pixels([batch[i] for i in good], [names[i] for i in good])
        for i, prediction in zip(good, predictions, strict=True):
            answers[i] = prediction
    return answers


def _decode(path: str, size: int) -> np.ndarray | InvalidImageError:
    try:
        if path == "-":
            return load_pixels(sys.stdin.buffer.read(), size, name="-")
        return load_pixels(path, size)
    except InvalidImageError as error:
        return error


class _Lines:
    """A readable line an image."""

    def __init__(self, calibrated: bool) -> None:
        self._note = "" if calibrated else " (uncalibrated)"

    def __call__(self, answer: Prediction | InvalidImageError) -> None:
        if isinstance(answer, Prediction):
            shares = "  ".join(f"{name} {p:.1%}" for name, p in answer.probabilities.items())
            print(f"{answer.path}: {answer.label} {answer.confidence:.1%}{self._note}  [{shares}]")


def _json_line(answer: Prediction | InvalidImageError) -> None:
    print(json.dumps(_fields(answer)))


class _Table:
    """A row an image in a CSV file."""

    def __init__(self, file: TextIO, labels: Sequence[str]) -> None:
        names = [field.name for field in dataclasses.fields(Prediction)]
        at = names.index("probabilities")
        columns = [*names[:at], *labels, *names[at + 1 :], "error"]
        self._writer = csv.DictWriter(file, columns)
        self._writer.writeheader()

    def __call__(self, answer: Prediction | InvalidImageError) -> None:
        fields = _fields(answer)
        fields |= fields.pop("probabilities", {})
        self._writer.writerow(fields)


def _writer(
    args: argparse.Namespace, classifier: BrainTumorClassifier, stack: ExitStack
) -> Callable[[Prediction | InvalidImageError], None]:
    if args.json:
        return _json_line
    if args.csv:
        file = stack.enter_context(
            open(args.csv, "w", newline="", encoding="utf-8", errors="backslashreplace")
        )
        return _Table(file, classifier.labels)
    return _Lines(calibrated=classifier.temperature != 1)


def _fields(answer: Prediction | InvalidImageError) -> dict:
    if isinstance(answer, InvalidImageError):
        return {"path": answer.name, "error": answer.reason}
    return dataclasses.asdict(answer)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    summary, disclaimer = (part.strip() for part in __doc__.split("\n\n"))
    parser = argparse.ArgumentParser(
        prog="serve/infer.py", description=summary.split(":")[0] + ".", epilog=disclaimer
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="an image, a folder of them, or - for one on standard input",
    )
    parser.add_argument(
        "--model", default="auto", help="auto, fp32, int8 or an ONNX file (default: auto)"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--batch-size", type=_positive, default=BATCH, metavar="N")
    parser.add_argument("--threads", type=_positive, metavar="N", help="default: all cores")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="JSON Lines, an object an image")
    output.add_argument("--csv", metavar="FILE", help="write a table to FILE")
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not positive")
    return value


def _usage_error(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        status = main()
    except BrokenPipeError:  # the reader, say `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
