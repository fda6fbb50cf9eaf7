"""Many scans -> their answers, in their order and in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import numpy as np

from .classifier import Prediction
from .formats.scans import InvalidImageError, Series
from .looking import Looker
from .series import SeriesPrediction, answer_series
from .sheet import sheet_of
from .sources import Found
from .view import View

AHEAD = 3  # batches that are decoded or being decoded

Decoded: TypeAlias = View | Series | InvalidImageError  # a picture, or the panels of a sheet
Pending: TypeAlias = tuple[Found, Future[Decoded]]


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of one picture, or of one series.

    Args:
        found: where it is; of a sheet, its panels.
        answer: the prediction, or why there is none.
        maps: Grad-CAM where it was asked for: of every class, float32 (4, 14, 14); of a series
            of every slice and class, (N, 4, 14, 14).
        pictures: for the report, HTML.
        problem: what went wrong after the answer.
    """

    found: Found
    answer: Prediction | SeriesPrediction | InvalidImageError
    maps: np.ndarray | None = None
    pictures: tuple[str, ...] = ()
    problem: InvalidImageError | None = None


Draw: TypeAlias = Callable[[Answered], Answered]


def classify(
    looker: Looker, found: Iterable[Found], batch_size: int, pool: Executor
) -> Iterator[list[Answered]]:
    """Answers in the order of what was found, a batch of pictures or a series at a time.

    Threads decode pictures ahead to the model's size while it runs, never more than a few
    batches.

    Args:
        looker: answers.
        found: the pictures and series.
        batch_size: pictures in one inference.
        pool: the threads.
    """
    remaining = iter(found)

    def begin(one: Found) -> Pending:
        return one, pool.submit(_decode, looker, one)

    ahead = deque(map(begin, islice(remaining, AHEAD * batch_size)))
    while ahead:
        batch: list[tuple[Found, View | InvalidImageError]] = []
        while ahead and len(batch) < batch_size:
            found_one, decoded = ahead[0][0], ahead[0][1].result()
            if isinstance(decoded, Series):
                break
            ahead.popleft()
            batch.append((found_one, decoded))
        if batch:
            yield _answer_batch(looker, batch)
        elif isinstance(decoded, Series):
            ahead.popleft()
            yield [_answer_whole(looker, decoded, batch_size)]
        ahead.extend(map(begin, islice(remaining, max(1, len(batch)))))


def illustrate(
    batches: Iterable[list[Answered]], draw: Draw, pool: Executor
) -> Iterator[list[Answered]]:
    """The batches after `draw` has seen each answer once: threads draw one while the model runs
    on the next. An answer is passed on when its pictures are done."""
    pending: list[Future[Answered]] = []
    for batch in batches:
        if pending:
            yield [one.result() for one in pending]
        pending = [pool.submit(draw, one) for one in batch]
    if pending:
        yield [one.result() for one in pending]


def _decode(looker: Looker, one: Found) -> Decoded:
    """A picture as the network sees it; a series, and a sheet's panels, as they are."""
    if isinstance(one, InvalidImageError) or len(one) != 1:
        return one
    try:
        picture = one.only()
        return (sheet_of(one, picture) if looker.takes_apart else None) or looker.view(picture)
    except InvalidImageError as error:
        return error


def _answer_whole(looker: Looker, series: Series, batch_size: int) -> Answered:
    try:
        answer, maps = answer_series(series, looker, batch_size)
    except InvalidImageError as error:
        return Answered(series, error)
    return Answered(series, answer, maps=maps)


def _answer_batch(
    looker: Looker, batch: Sequence[tuple[Found, View | InvalidImageError]]
) -> list[Answered]:
    views = [one for _, one in batch if isinstance(one, View)]
    predictions, maps = looker.answers_of_pictures(views) if views else ([], None)
    number = iter(range(len(views)))
    answered = []
    for found, one in batch:
        if isinstance(one, InvalidImageError):
            answered.append(Answered(found, one))
        else:
            at = next(number)
            cams = None if maps is None else maps[at]
            answered.append(Answered(found, predictions[at], cams))
    return answered
