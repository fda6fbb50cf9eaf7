"""The two folders that export/publish.py uploads: the Space's and the model repository's."""

from __future__ import annotations

import re
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from string import Template

from huggingface_hub import SpaceCardData, SpaceHardware

from serve.artifacts import (
    INT8_NAME,
    KERAS_NAME,
    METRICS_NAME,
    MODELS,
    ONNX_NAME,
    OOD_NAME,
    SMALL_NAME,
    TRAINED_ON_NAME,
)
from serve.command import UserError
from serve.names import INTENDED_USE
from serve.terms import card_license, weights_terms
from serve.trained_on import collections_of

ROOT = MODELS.parent
README = Path(__file__).with_name("space_readme.md")
APP = "space_app.py"
CARD = "README.md"
LEFT_OUT = ("__pycache__", ".*", "web", "archive")  # the last two are no part of the app
MAX_BYTES = 100_000_000  # of one file

# Artifacts that must be there, and what makes them.
MADE_BY = {
    KERAS_NAME: "python -m train.fit",
    OOD_NAME: "python -m train.ood",
    ONNX_NAME: "python -m export.to_onnx",
    METRICS_NAME: "python -m train.evaluate",
    TRAINED_ON_NAME: "python -m train.fit",
    "predictions": "python -m train.evaluate",
    "report": "python -m train.report",
}

# What to install on a Space, and the package here whose version it gets.
PACKAGES = {
    "gradio": "gradio",
    "keras": "keras",
    "nibabel": "nibabel",
    "numpy": "numpy",
    "pillow": "pillow",
    "pillow-heif": "pillow-heif",
    "pydicom": "pydicom",
    "pylibjpeg": "pylibjpeg",
    "pylibjpeg-libjpeg": "pylibjpeg-libjpeg",
    "pylibjpeg-openjpeg": "pylibjpeg-openjpeg",
    "tensorflow-cpu": "tensorflow",
}
RUNTIME_CPU = "onnxruntime"
RUNTIME_GPU = "onnxruntime-gpu[cuda,cudnn]"

GITATTRIBUTES = "".join(
    f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n"
    for suffix in (".jpg", ".keras", ".npz", ".onnx", ".png")
)
LINK_OUT = re.compile(r"\[([^\]]*)\]\(\.\./[^)]*\)")


def build_space(folder: Path, model_repo: str | None, gpu: bool) -> None:
    """Write everything that the Space runs on into `folder`, and nothing else.

    Args:
        folder: new, or written by this function before; what was in it goes.
        model_repo: the model repository that the Space's page links to.
        gpu: install ONNX Runtime with CUDA, and suggest a GPU to who duplicates the Space.

    Raises:
        UserError: something is missing, too large, or `folder` holds other things.
    """
    _start(folder)
    for name in (APP, "LICENSE", "serve"):
        _copy(ROOT / name, folder / name)
    _copy_artifacts(folder / "models")
    (folder / "requirements.txt").write_text(requirements(gpu), encoding="utf-8")
    (folder / CARD).write_text(space_readme(model_repo, gpu), encoding="utf-8")
    _check_sizes(folder)


def build_model(folder: Path) -> None:
    """Write the artifacts, with the model card as README.md; `folder` as for `build_space`.

    Raises:
        UserError: see `build_space`.
    """
    _start(folder)
    _copy(ROOT / "LICENSE", folder / "LICENSE")
    _copy_artifacts(folder)
    _check_sizes(folder)


def requirements(gpu: bool) -> str:
    """The Space's requirements.txt, pinned to the versions installed here.

    Raises:
        UserError: one of the packages is not installed here.
    """
    pins = {name: _version(installed) for name, installed in PACKAGES.items()}
    pins[RUNTIME_GPU if gpu else RUNTIME_CPU] = _version("onnxruntime-gpu", "onnxruntime")
    return "".join(f"{name}=={pins[name]}\n" for name in sorted(pins))


def space_readme(model_repo: str | None, gpu: bool) -> str:
    """The Space's README.md. Its front matter is the Space's configuration.

    https://huggingface.co/docs/hub/spaces-config-reference
    """
    collections = collections_of()
    hardware = SpaceHardware.T4_SMALL if gpu else SpaceHardware.CPU_BASIC
    configuration = SpaceCardData(
        title="Brain tumour MRI classifier",
        emoji="🧠",
        colorFrom="indigo",
        colorTo="gray",
        sdk="gradio",
        sdk_version=_version("gradio"),
        python_version=f"{sys.version_info.major}.{sys.version_info.minor}",
        app_file=APP,
        suggested_hardware=hardware.value,
        short_description="Four classes of brain MRI slices, never a diagnosis",
        models=[model_repo] if model_repo else None,
        tags=["medical-imaging", "mri", "brain-tumor", "vgg16", "onnx", "grad-cam"],
        **card_license(collections),
        pinned=False,
    )
    text = Template(README.read_text(encoding="utf-8")).substitute(
        intended_use=INTENDED_USE, weights_terms=weights_terms(collections)
    )
    return f"---\n{configuration.to_yaml()}\n---\n\n{text}"


def _start(folder: Path) -> None:
    """Empty `folder`, unless someone else's files are in it."""
    mark = folder / ".gitattributes"
    if folder.is_dir() and any(folder.iterdir()):
        if not mark.is_file() or mark.read_text(encoding="utf-8") != GITATTRIBUTES:
            raise UserError(f"{folder}: has other files in it, give another --output")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(GITATTRIBUTES, encoding="utf-8")


def _copy_artifacts(folder: Path) -> None:
    for name in MADE_BY:
        _copy(MODELS / name, folder / name)
    for name in (INT8_NAME, SMALL_NAME):
        if (MODELS / name).exists():
            _copy(MODELS / name, folder / name)
    for path in MODELS.glob("*.json"):
        _copy(path, folder / path.name)
    _copy(MODELS / CARD, folder / CARD)
    # Links to the project's source have nothing to lead to there: their text stays.
    card = (folder / CARD).read_text(encoding="utf-8")
    (folder / CARD).write_text(LINK_OUT.sub(r"\1", card), encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    """Copy a file, or a folder but for what is left out."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(*LEFT_OUT))
    elif source.is_file():
        shutil.copy(source, target)
    else:
        maker = MADE_BY.get(source.name)
        raise UserError(f"{source}: not there" + (f" ({maker} makes it)" if maker else ""))


def _check_sizes(folder: Path) -> None:
    for path in folder.rglob("*"):
        if (size := path.stat().st_size) > MAX_BYTES:
            raise UserError(f"{path}: {size / 1e6:.0f} MB, at most {MAX_BYTES / 1e6:.0f} MB")


def _version(*names: str) -> str:
    """The version of the first of these packages that is installed."""
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    raise UserError(f"{names[0]}: not installed, and the Space gets the version installed here")
