"""detect-tumor (PyPI), the peer.

It has a virtual environment of its own: its onnxruntime cannot share one with onnxruntime-gpu.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from serve.command import UserError
from serve.names import LABELS

PEER = "detect-tumor"
PEER_WAY = "import sys; from detect_tumor.cli import main; sys.exit(main())"
PEER_VERSION = "from importlib.metadata import version; print(version('detect-tumor'))"
PEER_ANSWERS = """
import json
import sys
from detect_tumor import TumorDetector
detector = TumorDetector()
for line in sys.stdin:
    print(json.dumps(detector.predict(line.rstrip("\\n")).probabilities), flush=True)
"""


def version_of(python: Path) -> str:
    """The version that an interpreter has installed."""
    done = subprocess.run([python, "-c", PEER_VERSION], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def answers_of(python: Path, images: Sequence[Path]) -> np.ndarray:
    """Its probabilities, float (N, 4) in the order of LABELS, rounded to 0.0001 as it gives them.

    Raises:
        UserError: it gave none for an image.
    """
    with subprocess.Popen(
        [python, "-c", PEER_ANSWERS], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as peer:
        assert peer.stdin is not None
        assert peer.stdout is not None
        found = []
        for path in tqdm(images, desc=PEER, unit="image"):
            peer.stdin.write(f"{path.resolve()}\n")
            peer.stdin.flush()
            if not (line := peer.stdout.readline()):
                raise UserError(f"{path}: {PEER} gives no answer")
            answer = json.loads(line)
            found.append([answer[name] / 100 for name in LABELS])
        peer.stdin.close()
    return np.array(found)
