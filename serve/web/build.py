"""Make serve/web/site/, a static website that classifies scans in the browser.

It needs npm, which fetches ONNX Runtime Web, the readers of DICOM and what compresses its pixels,
of NIfTI, TIFF, PNG and ZIP, and esbuild, which bundles these.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from string import Template

if not __package__:  # run as a script
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    __package__ = "serve.web"

from ..artifacts import EXAMPLES, INT8_NAME, MODELS, ONNX_NAME
from ..command import UserError, run
from ..metrics import read_metrics

WEB = Path(__file__).resolve().parent
SITE = WEB / "site"
APP = WEB.parent / "app"
RUNTIME, WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
MODEL = "model.onnx"
SHARED = ("style.css", "answer.css", "viewer.css", "cards.css")  # of the app
SCRIPTS = ("viewer.js", "framing.js", "choose.js")  # of the app, too
BUNDLED = (
    "decode",
    "files",
    "raster",
    "nifti",
    "dicom",
    "planes",
    "grey",
    "space",
    "view",
    "crop",
    "surround",
    "boxes",
    "sheet",
    "archive",
    "codecs",
    "frames",
)
LATER = (f"{MODEL}.gz", f"{WASM}.gz", "examples/")  # kept when they are first asked for
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
    from .wording import page_parts, wording

    modules = _fetch_modules()
    runtime = modules / "onnxruntime-web" / "dist"
    shutil.rmtree(SITE, ignore_errors=True)
    bundled = shutil.ignore_patterns(*(f"{name}.js" for name in BUNDLED))
    shutil.copytree(WEB / "page", SITE, ignore=bundled)
    shutil.copytree(EXAMPLES, SITE / "examples")
    shutil.copy(runtime / RUNTIME, SITE)
    for script in SCRIPTS:
        shutil.copy(APP / script, SITE)
    compressed = [_compress(model, MODEL), _compress(runtime / WASM, WASM)]
    _bundle(modules)
    styles = [(APP / name).read_text(encoding="utf-8") for name in SHARED]
    _write("shared.css", "\n".join(styles))
    _write("index.html", Template(_read("index.html")).substitute(page_parts()))
    words = wording(read_metrics()) | {"bytes": sum(compressed)}
    _write("words.json", json.dumps(words, ensure_ascii=False))
    _write("sw.js", Template(_read("sw.js")).safe_substitute(_kept()))


def _compress(file: Path, name: str) -> int:
    """Its size; static hosts compress neither ONNX nor, all of them, WebAssembly."""
    content = gzip.compress(file.read_bytes(), 9, mtime=0)
    (SITE / f"{name}.gz").write_bytes(content)
    return len(content)


def _bundle(modules: Path) -> None:
    """decode.js, and codecs.js, which it loads when it needs it, with the packages that they lean
    on."""
    program = str(modules / "esbuild" / "bin" / "esbuild")
    options = ["--bundle", "--splitting", "--minify", "--format=esm", "--log-level=error"]
    options += ["--loader:.wasm=binary", "--external:fs", "--external:path", "--external:node:*"]
    entries = [str(WEB / "page" / name) for name in ("decode.js", "codecs.js")]
    command = ["node", program, *entries, *options, f"--outdir={SITE}"]
    done = subprocess.run(command, cwd=WEB, capture_output=True)
    if done.returncode:
        raise UserError(f"esbuild failed: {_words(done)}")


def _kept() -> dict[str, str]:
    """What sw.js fills in: the files that it keeps from the start, and their version."""
    files = sorted(path for path in SITE.rglob("*") if path.is_file() and path.name != "sw.js")
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    names = [path.relative_to(SITE).as_posix() for path in files]
    kept = ["./", *(name for name in names if not name.startswith(LATER))]
    return {"version": digest.hexdigest()[:16], "files": json.dumps(kept)}


def _read(name: str) -> str:
    return (WEB / "page" / name).read_text(encoding="utf-8")


def _write(name: str, content: str) -> None:
    (SITE / name).write_text(content, encoding="utf-8")


def _fetch_modules() -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise UserError("npm is not installed (it comes with Node.js)")
    done = subprocess.run([npm, *INSTALL], cwd=WEB, capture_output=True)
    if done.returncode:
        raise UserError(f"npm install failed: {_words(done) or f'exit status {done.returncode}'}")
    return WEB / "node_modules"


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
