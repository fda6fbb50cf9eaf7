"""Classify brain MRI scans from the command line: python serve/infer.py scan.jpg

Research and education only: not a medical device, never a diagnosis.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from os.path import realpath
from pathlib import Path

if __name__ == "__main__":  # before anything is imported that may not be installed
    if not __package__:  # run as a script
        sys.path[0] = str(Path(__file__).resolve().parent.parent)
        __package__ = "serve"
    from .__main__ import main as command

    sys.exit(command())

from .answering import Answered, Draw, classify, illustrate
from .arguments import STDOUT, check_outputs, outputs_of, parse
from .classifier import BrainTumorClassifier
from .command import UserError, one_line
from .formats.scans import NO_FOLDER, InvalidImageError
from .gradcam import explainer
from .html_report import Report
from .looking import Looker
from .outputs import JsonLines, Lines, Show, Table
from .overlays import Overlays, is_overlay, overlay_name
from .progress import ProgressBar
from .resume import Earlier, earlier_json, earlier_table
from .series import SeriesPrediction
from .sources import Found, expand, find, skipped_line
from .streams import StandardOutput, notes, say
from .whole_file import part_of, whole_file

__all__ = ["PROGRESS_FROM", "main", "overlay_name"]

PROGRESS_FROM = 21  # images
HUB = "hub:"  # in front of a model's repository on the Hugging Face Hub


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: its words; by default those of the process.

    Returns:
        the exit status: 0, all answered; 1, some pictures could not be read; 2, the command line
        or the machine is at fault.
    """
    try:
        return int(_run(parse(sys.argv[1:] if argv is None else argv)))
    except UserError as error:
        say("; ".join([f"error: {one_line(error)}", *notes(error)]))
        return 2


def _run(args: Namespace) -> bool:
    """Classify and show; True if a picture could not be read."""
    named = list(expand(args.paths))
    check_outputs(args, named)
    classifier = _classifier(args)
    earlier = _earlier(args, classifier)
    with ExitStack() as stack:
        shows = [_writer(args, classifier, earlier, stack)]
        draws: list[Draw] = []
        if args.cam:
            draws.append(Overlays(Path(args.cam), classifier.labels).draw)
        if report := _report(args, classifier, stack):
            draws.append(report.picture)
            shows.append(report.add)
        found, unreadable = _find(args, named, earlier)
        looker = _looker(args, classifier)
        batches = classify(looker, found, args.batch_size, _threads(stack))
        for draw in draws:
            batches = illustrate(batches, draw, _threads(stack))
        failed = _show_all(batches, shows, len(found))
        if report:
            report.end()
    return failed or unreadable or earlier.failed


def _classifier(args: Namespace) -> BrainTumorClassifier:
    if args.model.startswith(HUB):
        repository = args.model.removeprefix(HUB)
        return BrainTumorClassifier.from_pretrained(
            repository, device=args.device, threads=args.threads
        )
    return BrainTumorClassifier(args.model, args.device, args.threads)


def _earlier(args: Namespace, classifier: BrainTumorClassifier) -> Earlier:
    """What was answered by the run that this one goes on with."""
    if not args.resume:
        return Earlier()
    path = args.json or args.csv
    earlier = earlier_json(path) if args.json else earlier_table(path, classifier.labels)
    if earlier.models - {classifier.model}:
        raise UserError(f"{path}: begun with {', '.join(earlier.models)}, which --model chooses")
    return earlier


def _writer(
    args: Namespace, classifier: BrainTumorClassifier, earlier: Earlier, stack: ExitStack
) -> Show:
    path = args.json or args.csv or STDOUT
    output = (
        StandardOutput()
        if path == STDOUT
        else stack.enter_context(whole_file(path, resumable=True, kept=earlier.text))
    )
    if args.json:
        return JsonLines(output)
    if args.csv:
        return Table(output, classifier.labels, header=not earlier.text)
    calibrated = classifier.temperature != 1
    return Lines(output, calibrated, classifier.ood_threshold, classifier.track_record)


def _report(args: Namespace, classifier: BrainTumorClassifier, stack: ExitStack) -> Report | None:
    if not args.report:
        return None
    page = stack.enter_context(whole_file(args.report))
    return Report(page, classifier, args.anonymous)


def _looker(args: Namespace, classifier: BrainTumorClassifier) -> Looker:
    explain = explainer(classifier, args.cam_engine) if args.cam or args.report else None
    return Looker(classifier, explain, args.crop)


def _find(
    args: Namespace, named: Iterable[str | InvalidImageError], earlier: Earlier
) -> tuple[list[Found], bool]:
    """The pictures that are not answered yet, and whether there is a folder that cannot be read."""
    skipped: Counter[str] = Counter()
    written = {realpath(path) for name in outputs_of(args) for path in (name, part_of(name))}

    def ignore(path: Path) -> bool:
        return realpath(path) in written or is_overlay(path)

    found = list(find(named, args.axis, args.volume, skipped, ignore))
    if skipped:
        say(skipped_line(skipped))
    if not found:
        raise UserError(f"no images found in {_few(args.paths)}")
    return [one for one in found if not earlier.take(one.name)], NO_FOLDER in skipped


def _few(words: Sequence[str]) -> str:
    return ", ".join(words) if len(words) < 4 else f"{words[0]} and {len(words) - 1} others"


def _threads(stack: ExitStack) -> Executor:
    """Threads that drop what they have not begun when the block ends."""
    pool = ThreadPoolExecutor()
    stack.callback(pool.shutdown, cancel_futures=True)
    return pool


def _show_all(batches: Iterable[list[Answered]], shows: Sequence[Show], total: int) -> bool:
    bar = ProgressBar(total) if total >= PROGRESS_FROM else None
    failed = False
    try:
        for batch in batches:
            if bar:
                bar.clear()
            for one in batch:
                failed |= _complain(one)
                for show in shows:
                    show(one)
            if bar:
                bar.advance(len(batch))
    finally:
        if bar:
            bar.clear()
    return failed


def _complain(one: Answered) -> bool:
    """Say what is wrong with a picture or a series; whether there is something."""
    errors: list[object] = []
    if isinstance(one.answer, SeriesPrediction):
        errors += one.answer.errors
    elif isinstance(one.answer, InvalidImageError):
        errors.append(one.answer)
    errors += [one.problem] if one.problem else []
    for error in errors:
        say(str(error))
    return bool(errors)
