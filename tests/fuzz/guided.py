"""Damage files as their readers' coverage leads: python -m tests.fuzz.guided --seconds 60

What `python -m tests.fuzz` tries blindly atheris (https://github.com/google/atheris) tries by which
lines of the readers in Python an input reaches: serve/formats/, pydicom and nibabel. What must not
come of an input (tests/fuzz/reading.py) ends the run with status 77, and the input is kept in
cache/fuzz/.
"""

from __future__ import annotations

import argparse
import resource
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["serve.formats", "pydicom", "nibabel"]):
    from tests.fuzz.__main__ import FOUND
    from tests.fuzz.kinds import Input
    from tests.fuzz.reading import tried
    from tests.fuzz.seeds import seeds

READ_BY_PYTHON = ("DICOM", "NIfTI", "PNG", "TIFF", "ZIP")  # at least in part
MOST_SECONDS = 60  # an input, whose slices may be many
MOST_MEMORY = 4 * 10**9  # bytes that it may ask for


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.guided", description=(__doc__ or "").split(":")[0] + "."
    )
    parser.add_argument("--seconds", type=int, required=True, help="for so long")
    args = parser.parse_args()
    FOUND.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        for kind in READ_BY_PYTHON:
            for number, content in enumerate(seeds(kind)):
                Path(folder, f"{kind}-{number}").write_bytes(content)
        path = Path(folder) / "input"

        def once(content: bytes) -> None:
            tried(Input("guided", content), path)

        limits = (f"-max_total_time={args.seconds}", f"-timeout={MOST_SECONDS}")
        memory = "-rss_limit_mb=0"  # what libFuzzer sees includes the parent's before the fork
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
        atheris.Setup(
            [sys.argv[0], folder, *limits, memory, f"-artifact_prefix={FOUND}/guided-"], once
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
