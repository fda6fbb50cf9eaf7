"""The words of the command line -> what is to be done."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn, get_args

from .classifier import BATCH
from .command import UserError
from .formats.scans import Axis, InvalidImageError
from .gradcam import Engine
from .names import INTENDED_USE
from .sources import is_scan
from .streams import StandardOutput

STDOUT = "-"  # as the FILE of --json and --csv
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
MOST_PER_BATCH = 32  # with which it takes about 1 GB


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The options.

    Raises:
        UserError: they cannot be meant so.
        SystemExit: --help has been given.
    """
    args = _parser().parse_args(_with_json_file(words))
    if args.resume and (args.json or args.csv or STDOUT) == STDOUT:
        raise UserError("--resume needs the file that it goes on with: --csv FILE or --json FILE")
    if args.resume and args.report:
        raise UserError("--report shows every scan, so it cannot go with --resume")
    if args.anonymous and not args.report:
        raise UserError("--anonymous leaves names out of a --report, and there is none")
    return args


def outputs_of(args: argparse.Namespace) -> list[str]:
    """The files that are to be written."""
    return [path for path in (args.json, args.csv, args.report) if path not in (None, STDOUT)]


def check_outputs(args: argparse.Namespace, named: Iterable[str | InvalidImageError]) -> None:
    """No file that is read may be written.

    Args:
        args: the options.
        named: what their paths name, as `serve.sources.expand` gives it.

    Raises:
        UserError: one would be.
    """
    read = [args.model, *(word.removeprefix("@") for word in args.paths)]
    read += [word for word in named if isinstance(word, str)]
    outputs = outputs_of(args)
    for output in outputs:
        if any(_same(output, path) for path in read):
            raise UserError(f"{output}: it is read, so it cannot be written")
        if Path(output).is_file() and is_scan(Path(output)):
            raise UserError(f"{output}: it is a scan or an archive, which would be lost")
    if len(set(map(os.path.realpath, outputs))) < len(outputs):
        raise UserError(f"{outputs[0]}: two outputs cannot go into one file")


def _same(one: str, other: str) -> bool:
    try:
        return one == other or Path(one).samefile(other)
    except (OSError, ValueError):
        return False


def _with_json_file(words: Sequence[str]) -> list[str]:
    """`words` with the FILE of --json, if there is one, tied to it, lest a picture is taken for it.

    A word after --json is its FILE if it ends as JSON does; --json=FILE takes any.
    """
    end = words.index("--") if "--" in words else len(words)
    tied: list[str] = []
    for word in words[:end]:
        if tied and tied[-1] == "--json" and word.lower().endswith(JSON_SUFFIXES):
            tied[-1] = f"--json={word}"
        else:
            tied.append(word)
    return [f"--json={STDOUT}" if word == "--json" else word for word in tied] + [*words[end:]]


class _Parser(argparse.ArgumentParser):
    def print_help(self, file: object = None) -> None:
        StandardOutput().write(self.format_help())

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (--help says more)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="brain-tumor-vgg16",
        description="Classify brain MRI scans.",
        epilog=INTENDED_USE,
        allow_abbrev=False,
    )
    parser.add_argument(
        "paths",
        nargs="+",
        type=_name,
        metavar="PATH",
        help="a picture, a stack of pages, DICOM, NIfTI or a ZIP archive of these; a folder, which "
        "is searched; a wildcard; @FILE, a list of names, one a line; or - for standard input",
    )
    parser.add_argument(
        "--model",
        type=_name,
        default="auto",
        help="auto, fp32, int8, small, an ONNX file, or hub:USER/NAME for a repository on the "
        "Hugging Face Hub (default: auto)",
    )
    parser.add_argument(
        "--axis",
        choices=get_args(Axis),
        default="auto",
        help="the direction in which volumes are cut (default: auto, the one with the finest "
        "pixels within a slice)",
    )
    parser.add_argument(
        "--volume",
        type=_number,
        metavar="N",
        help="which volume of a file that holds several, from 0 (default: the first)",
    )
    parser.add_argument(
        "--no-crop",
        dest="crop",
        action="store_false",
        help="take every picture as it is: cut off no borders, bars or text around the scan, give "
        "it no proportions back, and take no sheet of slices apart",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument(
        "--batch-size",
        type=_batch_size,
        default=BATCH,
        metavar="N",
        help=f"1 to {MOST_PER_BATCH} (default: {BATCH})",
    )
    parser.add_argument("--threads", type=_positive, metavar="N", help="default: all cores")
    output = parser.add_mutually_exclusive_group()
    output.add_argument(
        "--json",
        type=_name,
        nargs="?",
        const=STDOUT,
        metavar="FILE",
        help="JSON Lines, an object an image, to standard output, or to FILE where that ends in "
        f"{', '.join(JSON_SUFFIXES)} or is tied to it by =",
    )
    output.add_argument("--csv", type=_name, metavar="FILE", help="write a table to FILE")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the --csv or --json FILE of a run that was stopped",
    )
    parser.add_argument(
        "--cam",
        type=_name,
        metavar="DIR",
        help="write each scan with its class's Grad-CAM laid over it to DIR, as NAME-DIGITS.png, "
        "and of a volume the evidence for any tumour, as NAME-DIGITS.cam.nii.gz; what is no brain "
        "MRI gets none",
    )
    parser.add_argument(
        "--cam-engine",
        choices=get_args(Engine),
        default="onnx",
        help="where the maps of --cam and --report come from: the ONNX model's own, or the Keras "
        "checkpoint (needs TensorFlow; default: onnx)",
    )
    parser.add_argument(
        "--report",
        type=_name,
        metavar="FILE",
        help="write a page (HTML) to FILE that holds every scan, its overlay and its answer, and "
        "can be printed",
    )
    parser.add_argument("--anonymous", action="store_true", help="leave names out of the report")
    return parser


def _name(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("an empty argument names nothing")
    return text


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0")
    return int(text)


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:20]} is not a number") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number


def _batch_size(text: str) -> int:
    if (number := _positive(text)) > MOST_PER_BATCH:
        raise argparse.ArgumentTypeError(f"{number} is more than {MOST_PER_BATCH}")
    return number
