"""Answer an archive of scans with Ray Data, on this machine's cores or on a cluster.

    python -m serve.archive SOURCE... --output DIR [--ray ADDRESS]

Research and education only: not a medical device, never a diagnosis.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

from ..arguments import MOST_PER_BATCH
from ..artifacts import sha256
from ..classifier import BATCH, NAMED_MODELS, BrainTumorClassifier
from ..command import RESUMES, UserError, run
from ..names import INTENDED_USE, LABELS
from ..providers import Device
from ..sources import skipped_line
from ..streams import say

if TYPE_CHECKING:
    from .worker import Job


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        0, all answered; 1, some pictures could not be read, or the command line or a machine is
        at fault.
    """
    args = _parser().parse_args(argv)
    _prepare_ray(args.ray)
    try:
        from . import cluster
        from .listing import absolute, check
    except ImportError as error:
        raise UserError(f"{error} (the extra `archive` has it: Ray Data and pyarrow)") from None
    words = [absolute(word) for word in args.sources]
    check(words)
    with cluster.connected(args.ray):
        job = _job(args, cluster.device_of(args.device))
        job.parts.begin()
        done = job.parts.done()
        counts, skipped = cluster.answer(job, words, done, lambda so_far: say(_words(so_far)))
    if skipped:
        say(skipped_line(skipped))
    say(f"{_words(counts)}; {len(done):,} files were answered before: {args.output}")
    return int(bool(counts["error"]))


def _prepare_ray(address: str | None) -> None:
    """Set what Ray reads when it is imported.

    A Ray of this machine listens on its network, too, so it answers nobody but this run.
    """
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    if not address:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _job(args: argparse.Namespace, device: Device) -> Job:
    from .listing import absolute
    from .worker import Job

    model = {"cuda": "fp32", "cpu": "int8"}[device] if args.model == "auto" else args.model
    model = model if model in NAMED_MODELS else absolute(model)
    classifier = BrainTumorClassifier(model, "cpu", 1)
    if classifier.labels != LABELS:
        raise UserError(f"{model}: its classes are not {', '.join(LABELS)}")
    digest = sha256(classifier.path)
    return Job(model, digest, device, args.batch_size, args.cam, absolute(args.output))


def _words(counts: Counter[str]) -> str:
    return f"{counts['slice']:,} slices, {counts['series']:,} series, {counts['error']:,} errors"


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
    parser.add_argument("--model", default="auto", help="auto, fp32, int8, small or an ONNX file")
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
