"""detect-tumor (PyPI), the peer.

It has a virtual environment of its own: its onnxruntime cannot share one with onnxruntime-gpu.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from sklearn.metrics import accuracy_score
from tqdm import tqdm

from serve.names import LABELS

PEER = "detect-tumor"
PEER_WAY = "import sys; from detect_tumor.cli import main; sys.exit(main())"
PEER_VERSION = "from importlib.metadata import version; print(version('detect-tumor'))"
PEER_CLASSES = """
import sys
from detect_tumor import TumorDetector
detector = TumorDetector()
for line in sys.stdin:
    print(detector.predict(line.rstrip("\\n")).predicted_class, flush=True)
"""


def version_of(python: Path) -> str:
    """The version that an interpreter has installed."""
    done = subprocess.run([python, "-c", PEER_VERSION], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def images_of(data: Path) -> list[tuple[Path, str]]:
    """All of `data`/Testing, each with its class."""
    return [(path, name) for name in LABELS for path in sorted((data / "Testing" / name).iterdir())]


def accuracy_of(python: Path, data: Path) -> dict[str, Any]:
    """Its accuracy on all of `data`/Testing."""
    images = images_of(data)
    with subprocess.Popen(
        [python, "-c", PEER_CLASSES], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as peer:
        found = []
        for path, _ in tqdm(images, desc=PEER, unit="image"):
            peer.stdin.write(f"{path.resolve()}\n")
            peer.stdin.flush()
            found.append(peer.stdout.readline().strip())
        peer.stdin.close()
    return {
        "version": version_of(python),
        "images": len(images),
        "accuracy": accuracy_score([c for _, c in images], found),
    }
