"""What a visitor sent, as the command line reads it: pictures, stacks, DICOM, NIfTI, archives."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ..answering import Answered, classify
from ..classifier import BATCH, BrainTumorClassifier
from ..formats.scans import File, InvalidImageError, Series, Slice, read_scans
from ..html_report import Report
from ..looking import Looker
from ..series import SeriesPrediction
from ..sheet import sheet_of
from ..sources import Found
from .uploads import Upload

MOST_SLICES = 400  # of one series
GONE = "it is not here any more: please send it again"
INSTEAD = "The command line takes any number: brain-tumor-vgg16 --report report.html FILE"

Progress = Callable[[tuple[int, int]], object]


def found_in(uploads: Sequence[Upload]) -> list[Found]:
    """The series in a visitor's files, in their order, DICOM's last; nothing is decoded yet.

    What cannot be read is the error that says why.
    """
    gone = [InvalidImageError(one.name, GONE) for one in uploads if not one.path.is_file()]
    here = [File(one.name, one.path) for one in uploads if one.path.is_file()]
    return [*gone, *map(_bounded, map(_named, read_scans(here)))]


def opened(series: Series, takes_apart: bool) -> Slice | Series:
    """A picture; or a stack, a volume, or the panels of a sheet that is to be taken apart.

    Raises:
        InvalidImageError: it cannot be read, or there is nothing to classify in it.
    """
    if len(series) != 1:
        return series
    picture = series.only()
    return (sheet_of(series, picture) if takes_apart else None) or picture


def answer_all(
    looker: Looker, found: Sequence[Found], progress: Progress = lambda _: None
) -> list[Answered]:
    """The answers with their maps, in the order of what was found.

    Args:
        looker: answers.
        found: pictures and series.
        progress: called with (done, all) as it goes.
    """
    answers: list[Answered] = []
    with ThreadPoolExecutor(2) as pool:
        for batch in classify(looker, found, BATCH, pool):
            answers += map(_answered, batch)
            progress((len(answers), len(found)))
    return answers


def report_of(classifier: BrainTumorClassifier, answers: Sequence[Answered]) -> str:
    """The page that `--report` writes."""
    page = io.StringIO()
    report = Report(page, classifier)
    for one in answers:
        report.add(report.picture(one))
    report.end()
    return page.getvalue()


def _answered(one: Answered) -> Answered:
    """`one`, or, where all of a series was left out, why."""
    if isinstance(one.answer, SeriesPrediction) and not one.answer.slices:
        reason = f"nothing to classify: {', '.join(one.answer.skipped)}"
        return replace(one, answer=InvalidImageError(one.found.name, reason))
    return one


def _named(found: Found) -> Found:
    """A series of several files is called after their folder; a visitor's files have none."""
    if isinstance(found, Series) and not found.name.split(",")[0]:
        return replace(found, name=f"DICOM{found.name}")
    return found


def _bounded(found: Found) -> Found:
    if isinstance(found, Series) and len(found) > MOST_SLICES:
        reason = f"{len(found)} slices are too many here: at most {MOST_SLICES}. {INSTEAD}"
        return InvalidImageError(found.name, reason)
    return found
