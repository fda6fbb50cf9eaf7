"""Run the tests with the oldest and the newest versions that the requirements admit.

python -m tests.package.versions tests/serve -m "not network"

Resolves requirements.txt and requirements-dev.txt with uv, once to the lowest version of each
package that they name and once to the highest, installs both sets into cache/versions and runs
pytest with the given arguments in either.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from serve.command import run
from tests.conftest import ROOT

REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")
RESOLUTIONS = {"oldest": "lowest-direct", "newest": "highest"}
ENVIRONMENTS = ROOT / "cache" / "versions"


def install(name: str) -> Path:
    """The interpreter of an environment that holds the "oldest" or the "newest" versions.

    Raises:
        subprocess.CalledProcessError: they cannot be resolved or installed; uv has said why.
    """
    pins, environment = ENVIRONMENTS / f"{name}.txt", ENVIRONMENTS / name
    python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    if not python.exists():
        _uv("venv", "--quiet", "--python", sys.executable, str(environment))
    target = ("--quiet", "--python", str(python))
    resolution = ("--resolution", RESOLUTIONS[name], "--no-annotate", "--no-header")
    _uv("pip", "compile", *target, *resolution, *REQUIREMENTS, "--output-file", str(pins))
    _uv("pip", "sync", *target, str(pins))
    return python


def _uv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", *arguments], cwd=ROOT, check=True)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else argv
    statuses = {}
    for name in RESOLUTIONS:
        python = install(name)
        statuses[name] = subprocess.run([python, "-m", "pytest", *arguments], cwd=ROOT).returncode
    for name, status in statuses.items():
        print(f"{name}: {'failed' if status else 'passed'}, with {ENVIRONMENTS / name}.txt")
    return int(any(statuses.values()))


if __name__ == "__main__":
    sys.exit(run(main))
