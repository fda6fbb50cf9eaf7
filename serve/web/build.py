"""Make serve/web/site/, a static website that classifies scans in the browser.

It needs npm, which fetches ONNX Runtime Web.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from ..command import UserError

WEB = Path(__file__).resolve().parent
ROOT = WEB.parent.parent
SITE = WEB / "site"
RUNTIME = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
MODELS = ("brain_tumor_vgg16.int8.onnx", "brain_tumor_vgg16.onnx")  # the first that is there


def choose_model(models: Path) -> Path:
    """The int8 model of a folder where there is one, else the float32 model.

    Raises:
        UserError: neither is there.
    """
    for name in MODELS:
        if (models / name).is_file():
            return models / name
    raise UserError(f"{models}: neither {' nor '.join(MODELS)} is there")


def build(model: Path, site: Path = SITE) -> None:
    """Put the page, the runtime, the model and the example scans into `site`, anew.

    Raises:
        UserError: npm is missing or fails.
    """
    runtime = _fetch_runtime()
    shutil.rmtree(site, ignore_errors=True)
    shutil.copytree(WEB / "page", site)
    shutil.copytree(ROOT / "serve" / "app" / "examples", site / "examples")
    shutil.copy(model, site / "model.onnx")
    for name in RUNTIME:
        shutil.copy(runtime / name, site)


def _fetch_runtime() -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError("npm is not installed (it comes with Node.js)")
    done = subprocess.run([npm, "install", "--silent"], cwd=WEB, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"npm install failed: {' '.join((done.stdout + done.stderr).split())}")
    return WEB / "node_modules" / "onnxruntime-web" / "dist"


def main() -> int:
    try:
        model = choose_model(ROOT / "models")
        build(model)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{SITE} with {model.name}; python serve/web/server.py shows it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
