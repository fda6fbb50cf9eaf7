"""Ray, here or on a cluster: finding shards and answering them, a worker a core or GPU."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import ray

from ..answering import Answered
from ..command import UserError, one_line
from ..formats.errors import InvalidImageError
from ..processors import threads
from ..providers import Device
from .listing import Shard, shards
from .worker import DEATHS, Job, Worker

if TYPE_CHECKING:
    import numpy as np

EVERY = 60  # seconds between two reports


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Within the block Ray is there: the cluster at an address, or this machine's cores.

    Raises:
        UserError: there is no such cluster, or a worker complains.
    """
    options: dict[str, Any] = {"address": address} if address else {"num_cpus": threads()}
    try:
        ray.init(
            **options, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False
        )
    except Exception as error:  # Ray raises bare ones, too, where a machine is slow to start
        where = f"{address}: no Ray cluster there" if address else "Ray does not start here"
        raise UserError(f"{where} ({one_line(error)})") from None
    logging.disable(logging.WARNING)  # of Ray's own; its workers' errors come as exceptions
    try:
        yield
    except ray.exceptions.RayError as error:
        raise UserError(_complaint(error)) from None
    finally:
        ray.shutdown()


def device_of(asked: Device) -> Device:
    """For "auto" a GPU where the cluster has one."""
    if asked != "auto":
        return asked
    return "cuda" if ray.cluster_resources().get("GPU") else "cpu"


def answer(
    job: Job, words: Sequence[str], done: np.ndarray, report: Callable[[Counter[str]], None]
) -> tuple[Counter[str], Counter[str]]:
    """Do the job.

    A file that ends the process which reads it ends one worker after another, until its shard is
    left out. What such shards hold is then done a file at a time, and what still ends workers
    becomes rows of errors.

    Args:
        words: what to answer, as `serve.archive.listing.shards` takes it.
        done: uint64, sorted: what has been.
        report: is told every minute how many rows of each kind there are.

    Returns:
        how many rows of each kind were written, and what was passed over, by reason.
    """
    counts, skipped, left_out = _answered(job, partial(shards, words, done), report)
    if left_out:
        singly = partial(_singly, words, job.parts.done())
        more, also_skipped, left_out = _answered(job, singly, report)
        counts, skipped = counts + more, skipped + also_skipped
    if left_out:
        for shard in _singly(words, job.parts.done()):
            counts.update(job.parts.write(shard, iter([_deadly(shard)])))
    return counts, skipped


def _singly(words: Sequence[str], done: np.ndarray) -> Iterator[Shard]:
    """What is left to do, a file at a time; what the listing passes over was said before."""
    return (shard for shard in shards(words, done, 1) if shard.names)


def _answered(
    job: Job, listing: Callable[[], Iterator[Shard]], report: Callable[[Counter[str]], None]
) -> tuple[Counter[str], Counter[str], int]:
    """As `answer` has it, and how many shards were left out."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = 1  # a shard is a block, and on its way as soon as it is found

    def find(_: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for shard in listing():
            yield {"shard": [shard.to_json()]}

    resources = {"num_cpus": 1, "num_gpus": 1} if job.device == "cuda" else {"num_cpus": 1}
    parts = (
        ray.data.from_items([0])
        .map_batches(find, batch_size=None, num_cpus=0)
        .map(
            Worker,
            fn_constructor_args=(job, 1),
            compute=_workers(job.device),
            **resources,
        )
    )
    counts: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    left_out, reported = 0, time.monotonic()
    for part in parts.iter_rows():
        counts.update(json.loads(part["counts"]))
        skipped.update(json.loads(part["skipped"]))
        left_out += part["deadly"]
        if time.monotonic() - reported > EVERY:
            reported = time.monotonic()
            report(counts)
    return counts, skipped, left_out


def _workers(device: Device) -> ray.data.ActorPoolStrategy:
    """As many as there is room for, from the start: else the first one takes what there is of a
    small archive. Two shards each, the least with which Ray Data adds workers to a growing cluster.
    """
    room = ray.cluster_resources().get("GPU" if device == "cuda" else "CPU", 1)
    return ray.data.ActorPoolStrategy(
        min_size=1, initial_size=max(1, int(room)), max_tasks_in_flight_per_actor=2
    )


def _deadly(shard: Shard) -> list[Answered]:
    """What became of a file, or of a folder's that belong together, that no worker survives."""
    reason = f"it ended {DEATHS} workers that read it"
    if len(shard.names) > 1:
        reason = f"one of {len(shard.names)} files of its folder ended {DEATHS} workers"
    errors = [InvalidImageError(key, reason) for key in shard.keys]
    return [Answered(error, error) for error in errors]


def _complaint(error: BaseException) -> str:
    """What a worker says is wrong."""
    cause = getattr(error, "cause", None)
    return one_line(cause) if isinstance(cause, BaseException) else one_line(error)[:500]
