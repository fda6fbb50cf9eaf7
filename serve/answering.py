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
from .series import Answer, SeriesPrediction, answer_series, stretched
from .sources import Found

AHEAD = 3  # batches that are decoded or being decoded

Decoded: TypeAlias = tuple[np.ndarray, tuple[str, ...]]  # pixels, and warnings about them
Pending: TypeAlias = tuple[Found, Future[Decoded | InvalidImageError] | None]


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of one picture, or of one series.

    Args:
        found: where it is.
        answer: the prediction, or why there is none.
        warnings: about a picture, sentences for people.
        maps: Grad-CAM where it was asked for: of every class, float32 (4, 14, 14); of a series
            of every slice and class, (N, 4, 14, 14).
        pictures: for the report, HTML.
        problem: what went wrong after the answer.
    """

    found: Found
    answer: Prediction | SeriesPrediction | InvalidImageError
    warnings: tuple[str, ...] = ()
    maps: np.ndarray | None = None
    pictures: tuple[str, ...] = ()
    problem: InvalidImageError | None = None


Draw: TypeAlias = Callable[[Answered], Answered]


def classify(
    predict: Answer, size: int, found: Iterable[Found], batch_size: int, pool: Executor
) -> Iterator[list[Answered]]:
    """Answers in the order of what was found, a batch of pictures or a series at a time.

    Threads decode pictures ahead to `size` while the model runs, never more than a few batches.

    Args:
        predict: what answers a batch, with its maps or without.
        size: pixels, a side of what it takes.
        found: the pictures and series.
        batch_size: pictures in one inference.
        pool: the threads.
    """
    remaining = iter(found)

    def begin(one: Found) -> Pending:
        alone = isinstance(one, Series) and len(one) != 1
        return one, None if alone else pool.submit(_decode, one, size)

    ahead = deque(map(begin, islice(remaining, AHEAD * batch_size)))
    while ahead:
        first, future = ahead[0]
        if future is None and isinstance(first, Series):
            ahead.popleft()
            ahead.extend(map(begin, islice(remaining, 1)))
            yield [_answer_whole(predict, size, first, batch_size)]
            continue
        batch = [(one, future.result()) for one, future in _pictures(ahead, batch_size)]
        ahead.extend(map(begin, islice(remaining, len(batch))))
        yield _answer_batch(predict, batch)


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


def _pictures(
    ahead: deque[Pending], batch_size: int
) -> Iterator[tuple[Found, Future[Decoded | InvalidImageError]]]:
    """Take the pictures off the front, up to a batch of them."""
    for _ in range(min(batch_size, len(ahead))):
        found, future = ahead[0]
        if future is None:
            return
        ahead.popleft()
        yield found, future


def _decode(one: Found, size: int) -> Decoded | InvalidImageError:
    if isinstance(one, InvalidImageError):
        return one
    for part in one:
        if isinstance(part, InvalidImageError):
            return part
        return stretched(part.pixels, size), (*one.warnings, *part.warnings)
    return InvalidImageError(one.name, f"nothing to classify: {', '.join(one.skipped)}")


def _answer_whole(predict: Answer, size: int, series: Series, batch_size: int) -> Answered:
    try:
        answer, maps = answer_series(series, predict, size, batch_size)
    except InvalidImageError as error:
        return Answered(series, error)
    return Answered(series, answer, maps=maps)


def _answer_batch(
    predict: Answer, batch: Sequence[tuple[Found, Decoded | InvalidImageError]]
) -> list[Answered]:
    read = [(found, one) for found, one in batch if not isinstance(one, InvalidImageError)]
    names = [found.name for found, _ in read]
    predictions, maps = predict([pixels for _, (pixels, _) in read], names) if read else ([], None)
    number = iter(range(len(read)))
    answered = []
    for found, one in batch:
        if isinstance(one, InvalidImageError):
            answered.append(Answered(found, one))
        else:
            at = next(number)
            cams = None if maps is None else maps[at]
            answered.append(Answered(found, predictions[at], one[1], cams))
    return answered
