"""Answer an archive of scans with Ray Data, on this machine's cores or on a cluster.

    python -m serve.archive SOURCE... --output DIR [--ray ADDRESS]

Research and education only: not a medical device, never a diagnosis.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, get_args

from ..arguments import MOST_PER_BATCH
from ..artifacts import sha256
from ..classifier import BrainTumorClassifier
from ..command import UserError, one_line, run
from ..names import INTENDED_USE, LABELS
from ..processors import threads
from ..providers import Device
from ..sources import skipped_line
from ..streams import say

os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")

try:
    import ray

    from .listing import absolute, check, shards
    from .worker import Job, Worker
except ImportError as error:
    sys.exit(f"error: {error} (the extra `archive` has it: Ray Data and pyarrow)")

if TYPE_CHECKING:
    import numpy as np

BATCH = 8
EVERY = 60  # seconds between two lines that say how far it is
RESUMES = "interrupted; the same command goes on from here"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0, all answered; 1, some pictures could not be read, or the command line or a machine is
        at fault.
    """
    args = _parser().parse_args(argv)
    words = [absolute(word) for word in args.sources]
    check(words)
    _connect(args.ray)
    try:
        device = _device(args.device)
        job = _job(args, device)
        job.parts.begin()
        done = job.parts.done()
        counts, skipped = _answer(job, words, done)
    except ray.exceptions.RayError as error:
        raise UserError(_cause(error)) from None
    finally:
        ray.shutdown()
    if skipped:
        say(skipped_line(skipped))
    say(f"{_words(counts)}; {len(done):,} files were answered before: {args.output}")
    return int(bool(counts["error"]))


def _connect(address: str | None) -> None:
    options: dict[str, Any] = {"address": address} if address else {"num_cpus": threads()}
    try:
        ray.init(
            **options, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False
        )
    except ConnectionError as error:
        raise UserError(f"{address}: no Ray cluster there ({one_line(error)})") from None
    logging.disable(logging.WARNING)  # of Ray's own; its workers' errors come as exceptions


def _device(asked: Device) -> Device:
    """A GPU where the cluster has one."""
    if asked != "auto":
        return asked
    return "cuda" if ray.cluster_resources().get("GPU") else "cpu"


def _job(args: argparse.Namespace, device: Device) -> Job:
    model = {"cuda": "fp32", "cpu": "int8"}[device] if args.model == "auto" else args.model
    model = model if model in ("fp32", "int8") else absolute(model)
    classifier = BrainTumorClassifier(model, "cpu", 1)
    if classifier.labels != LABELS:
        raise UserError(f"{model}: its classes are not {', '.join(LABELS)}")
    digest = sha256(classifier.path)
    return Job(model, digest, device, args.batch_size, args.cam, absolute(args.output))


def _answer(job: Job, words: Sequence[str], done: np.ndarray) -> tuple[Counter[str], Counter[str]]:
    """How many rows of each kind were written, and what was passed over, by reason."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = 1  # a shard is a block, and on its way as soon as it is found
    answered = done  # Ray keeps one copy a machine

    def find(_: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for shard in shards(words, answered):
            yield {"shard": [shard.to_json()]}

    resources = {"num_cpus": 1, "num_gpus": 1} if job.device == "cuda" else {"num_cpus": 1}
    parts = (
        ray.data.from_items([0])
        .map_batches(find, batch_size=None, num_cpus=0)
        .map(
            Worker,
            fn_constructor_args=(job, 1),
            compute=ray.data.ActorPoolStrategy(min_size=1),
            **resources,
        )
    )
    counts: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    said = time.monotonic()
    for part in parts.iter_rows():
        counts.update(json.loads(part["counts"]))
        skipped.update(json.loads(part["skipped"]))
        if time.monotonic() - said > EVERY:
            said = time.monotonic()
            say(_words(counts))
    return counts, skipped


def _words(counts: Counter[str]) -> str:
    return f"{counts['slice']:,} slices, {counts['series']:,} series, {counts['error']:,} errors"


def _cause(error: BaseException) -> str:
    """What a worker complained of."""
    cause = getattr(error, "cause", None)
    return one_line(cause) if isinstance(cause, BaseException) else one_line(error)[:500]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serve.archive",
        description="Answer an archive of scans with Ray Data.",
        epilog=INTENDED_USE,
    )
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="a folder, which is searched; a file; @FILE, a list of names, one a line; a Parquet "
        "file of pictures; or any of these in an object store (s3://, gs://)",
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="where the answers go, as Parquet; what it holds is not done again",
    )
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="of a cluster (default: this machine's cores)"
    )
    parser.add_argument("--model", default="auto", help="auto, fp32, int8 or an ONNX file")
    parser.add_argument("--device", choices=get_args(Device), default="auto")
    parser.add_argument(
        "--batch-size",
        type=int,
        choices=range(1, MOST_PER_BATCH + 1),
        default=BATCH,
        metavar="N",
        help=f"1 to {MOST_PER_BATCH} (default: {BATCH})",
    )
    parser.add_argument("--cam", action="store_true", help="with the Grad-CAM maps of each class")
    return parser


if __name__ == "__main__":
    sys.exit(run(main, RESUMES))
