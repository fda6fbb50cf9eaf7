"""Many visitors at once, through the API: python -m tests.serve.app.load

Starts the app, puts a load of many clients on it, then watches its memory under a lighter one,
and writes what was measured as `serving` into models/metrics.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from export.metadata import of_model
from serve.artifacts import INT8_NAME, MODELS
from serve.metrics import write_metrics
from tests.serve.app.server import ROOT, RunningApp, running_app

SCANS = sorted((ROOT / "tests" / "data" / "scans").glob("*.jpg"))
BUSY = 503  # status of a call that the full queue does not take
MOST_GROWTH = 0.05  # of memory, from the second minute to the last
MEMORY_CLIENTS = 4


@dataclass
class Results:
    """What the clients saw."""

    latencies: list[float] = field(default_factory=list)  # seconds, of answered calls
    busy: int = 0
    seconds: float = 0  # until the last answer
    errors: list[str] = field(default_factory=list)


def main() -> int:
    args = _parse()
    with running_app() as app:
        expected = {scan: predict(app, scan) for scan in SCANS}
        crowd = put_load(app, args.clients, args.seconds, expected)
        memory = Memory(app.pid, args.memory_seconds)
        steady = put_load(app, MEMORY_CLIENTS, args.memory_seconds, expected)
        growth = memory.growth()
    measured = summary(crowd, args) | {"memory_growth": growth, "memory_seconds": memory.seconds}
    errors = crowd.errors + steady.errors
    print(json.dumps(measured, indent=2))
    for error in sorted(set(errors)):
        print(f"error: {errors.count(error)} times: {error}", file=sys.stderr)
    if growth > MOST_GROWTH:
        print(f"error: memory grew by {growth:.1%}", file=sys.stderr)
    failed = bool(errors) or growth > MOST_GROWTH or not crowd.latencies
    if args.write and not failed:
        write_metrics(MODELS, "serving", measured, of_model(MODELS / INT8_NAME))
    return int(failed)


def put_load(
    app: RunningApp, clients: int, seconds: float, expected: dict[Path, dict[str, float]]
) -> Results:
    """That many clients at once, each calling again as soon as it has its answer.

    Args:
        app: the running app.
        clients: how many.
        seconds: for how long new calls are made.
        expected: the probabilities that a single client got for every scan.
    """
    results, lock, begun = Results(), threading.Lock(), time.monotonic()

    def visit(first: int) -> None:
        for scan in itertools.islice(itertools.cycle(SCANS), first, None):
            started = time.monotonic()
            if started > begun + seconds:
                return
            try:
                answer = predict(app, scan)
            except HTTPError as error:
                if error.code != BUSY:
                    raise
                with lock:
                    results.busy += 1
                time.sleep(1)
                continue
            with lock:
                results.latencies.append(time.monotonic() - started)
                if answer != expected[scan]:
                    results.errors.append(f"{scan.name}: another answer than a single client's")

    with ThreadPoolExecutor(clients) as pool:
        for visitor in [pool.submit(visit, number % len(SCANS)) for number in range(clients)]:
            if error := visitor.exception():
                results.errors.append(f"{type(error).__name__}: {error}")
    results.seconds = time.monotonic() - begun
    return results


def predict(app: RunningApp, scan: Path) -> dict[str, float]:
    """Upload and classify a scan, as the documented call does.

    Raises:
        urllib.error.HTTPError: refused; status 503 where too many are waiting.
        RuntimeError: the call's event is an error.
    """
    head = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{scan.name}"\r\n\r\n'
    body = head.encode() + scan.read_bytes() + b"\r\n--x--\r\n"
    (path,) = json.loads(
        _post(f"{app.url}/gradio_api/upload", body, "multipart/form-data; boundary=x")
    )
    data = json.dumps({"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}]}).encode()
    call = f"{app.url}/gradio_api/call/predict"
    event_id = json.loads(_post(call, data, "application/json"))["event_id"]
    with urlopen(f"{call}/{event_id}", timeout=300) as response:
        *_, event, answer = response.read().decode().strip().split("\n")
    if event != "event: complete":
        raise RuntimeError(answer)
    return json.loads(answer.removeprefix("data: "))[0]["probabilities"]


class Memory:
    """The server's memory, read every second in the background.

    Args:
        pid: of the server.
        seconds: for how long.
    """

    def __init__(self, pid: int, seconds: float) -> None:
        self.seconds = seconds
        self._pid = pid
        self._megabytes: list[float] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def growth(self) -> float:
        """From the median of its second fifth to that of its last, as a share of the former.

        Of a run of five minutes: from the second minute to the last.
        """
        self._reader.join()
        fifth = max(1, len(self._megabytes) // 5)
        second = statistics.median(self._megabytes[fifth : 2 * fifth])
        return statistics.median(self._megabytes[-fifth:]) / second - 1

    def _read(self) -> None:
        status = Path(f"/proc/{self._pid}/status")
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            line = next(
                line for line in status.read_text(encoding="utf-8").splitlines() if "VmRSS" in line
            )
            self._megabytes.append(int(line.split()[1]) / 1000)
            time.sleep(1)


def summary(crowd: Results, args: argparse.Namespace) -> dict[str, float]:
    """Latencies in seconds and answers a second, under the many clients."""
    if len(crowd.latencies) < 2:
        return {"clients": args.clients, "seconds": crowd.seconds, "answers": len(crowd.latencies)}
    return {
        "clients": args.clients,
        "seconds": crowd.seconds,
        "answers": len(crowd.latencies),
        "busy": crowd.busy,
        "errors": len(crowd.errors),
        "answers_per_second": len(crowd.latencies) / crowd.seconds,
        "median_seconds": statistics.median(crowd.latencies),
        "p95_seconds": statistics.quantiles(crowd.latencies, n=20)[-1],
        "cores": os.cpu_count(),
    }


def _post(address: str, body: bytes, kind: str) -> bytes:
    with urlopen(Request(address, body, {"Content-Type": kind}), timeout=300) as response:
        return response.read()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clients", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--memory-seconds", type=float, default=300)
    parser.add_argument("--no-write", dest="write", action="store_false", help="measure only")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
