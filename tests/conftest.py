"""Real scans and the committed model, for every test."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageOps

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROOT = Path(__file__).parent.parent
SCANS = ROOT / "tests" / "data" / "scans"
SHARED = ROOT.parent / "shared"
DATASET = SHARED / "data" / "brain_tumor_mri"
SLICES = SHARED / "data" / "figshare_slices.csv"
PATIENTS = SHARED / "data" / "figshare_patients.csv"
BR35H = SHARED / "data" / "br35h_tumour"
COLLECTIONS = SHARED / "data" / "collections"
CLASS_OF = {"gl": "glioma", "me": "meningioma", "no": "notumor", "pi": "pituitary"}

BROWSER_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# As sitecustomize.py on PYTHONPATH it hides the training packages from an interpreter.
HIDE_TENSORFLOW = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tensorflow", "keras"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
"""

needs_dataset = pytest.mark.skipif(
    not DATASET.is_dir(), reason="needs the whole dataset in ../shared/data"
)
needs_collections = pytest.mark.skipif(
    not COLLECTIONS.is_dir(), reason="needs the collections in ../shared/data"
)


def label_of(scan: Path) -> str:
    """The class of an example, which its file name states: Te-gl_0010.jpg."""
    return CLASS_OF[scan.stem.split("-")[1][:2]]


def run(*command: str | Path, **kwargs) -> subprocess.CompletedProcess[str]:
    """Run `python ...` in the project's folder."""
    return subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, cwd=ROOT, **kwargs
    )


@pytest.fixture
def run_here(capsys, monkeypatch) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`python -m MODULE ...` within this process, which has TensorFlow loaded already."""

    def run_module(module: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", [module, *map(str, arguments)])
        monkeypatch.delitem(sys.modules, module, raising=False)
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(module, run_name="__main__")
        return subprocess.CompletedProcess(sys.argv, ended.value.code, *capsys.readouterr())

    return run_module


@pytest.fixture
def without_tensorflow(tmp_path_factory) -> dict[str, str]:
    """The environment of an interpreter that finds neither TensorFlow nor Keras."""
    folder = tmp_path_factory.mktemp("hooks")
    (folder / "sitecustomize.py").write_text(HIDE_TENSORFLOW, encoding="utf-8")
    return os.environ | {"PYTHONPATH": str(folder)}


@pytest.fixture(scope="session")
def scans() -> list[Path]:
    return sorted(SCANS.glob("*.jpg"))


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory, scans) -> Path:
    """Five dozen images of the eight example scans, mirrored and turned, as a dataset."""
    data = tmp_path_factory.mktemp("dataset")
    for scan in scans:
        image = Image.open(scan).convert("RGB")
        variants = [image.rotate(angle) for angle in (-6, -3, 0, 3)]
        variants += [ImageOps.mirror(variant) for variant in variants]
        for part, few in (("Training", variants[:6]), ("Testing", variants[6:])):
            folder = data / part / label_of(scan)
            folder.mkdir(parents=True, exist_ok=True)
            for number, variant in enumerate(few):
                variant.save(folder / f"{scan.stem}_{number}.jpg", quality=95)
    return data


@pytest.fixture(scope="session")
def base_weights(tmp_path_factory) -> Path:
    """A VGG16 no-top weights file, of the committed checkpoint's convolutions."""
    import keras

    from serve.artifacts import KERAS_NAME, MODELS

    model = keras.models.load_model(MODELS / KERAS_NAME, compile=False)
    vgg16 = keras.applications.VGG16(include_top=False, weights=None, input_shape=(224, 224, 3))
    for layer in vgg16.layers[1:]:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    path = tmp_path_factory.mktemp("weights") / "vgg16_notop.weights.h5"
    vgg16.save_weights(path)
    return path


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium, driven by Playwright: one for all tests."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=BROWSER_FLAGS)
        yield running
        running.close()


def peak_of(*command: str | Path) -> tuple[int, int]:
    """Run `python ...`: its exit status, and the largest resident set in bytes.

    What wait4 says begins with what the parent held when it forked, here all of these tests.
    """
    process = subprocess.Popen(
        [sys.executable, *map(str, command)], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    status, peak = Path(f"/proc/{process.pid}/status"), 0
    while process.poll() is None:
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"))
        peak = int(found[1]) * 1024 if found else peak
        time.sleep(0.02)
    return process.returncode, peak
