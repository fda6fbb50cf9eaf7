"""Make serve/web/site/, a static website that classifies scans in the browser.

It needs npm, which fetches ONNX Runtime Web.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

if not __package__:  # run as a script
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    __package__ = "serve.web"

from ..artifacts import EXAMPLES, INT8_NAME, MODELS, ONNX_NAME
from ..command import UserError, run

WEB = Path(__file__).resolve().parent
SITE = WEB / "site"
RUNTIME = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
# Errors are said, and nothing else; npm asks its registry for packages and reports nothing to it.
INSTALL = ("install", "--loglevel=error", "--no-audit", "--no-fund", "--no-update-notifier")


def choose_model(models: Path) -> Path:
    """The int8 model of a folder where there is one, else the float32 model.

    Raises:
        UserError: neither is there.
    """
    names = (INT8_NAME, ONNX_NAME)
    for name in names:
        if (models / name).is_file():
            return models / name
    raise UserError(f"{models}: neither {' nor '.join(names)} is there")


def build(model: Path) -> None:
    """Put the page, the runtime, the model and the example scans into `SITE`, anew.

    Raises:
        UserError: npm is missing or fails.
    """
    runtime = _fetch_runtime()
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.copytree(WEB / "page", SITE)
    shutil.copytree(EXAMPLES, SITE / "examples")
    shutil.copy(model, SITE / "model.onnx")
    for name in RUNTIME:
        shutil.copy(runtime / name, SITE)


def _fetch_runtime() -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError("npm is not installed (it comes with Node.js)")
    done = subprocess.run([npm, *INSTALL], cwd=WEB, capture_output=True)
    if done.returncode:
        raise UserError(f"npm install failed: {_words(done) or f'exit status {done.returncode}'}")
    return WEB / "node_modules" / "onnxruntime-web" / "dist"


def _words(done: subprocess.CompletedProcess[bytes]) -> str:
    """What npm says, without its own stack."""
    lines = (done.stderr + done.stdout).decode(errors="replace").splitlines()
    said = [line.removeprefix("npm error").removeprefix("npm ERR!").strip() for line in lines]
    return " ".join(" ".join(line for line in said if not line.startswith("at ")).split())


def main() -> int:
    model = choose_model(MODELS)
    build(model)
    print(f"{SITE} with {model.name}; python serve/web/server.py shows it")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
