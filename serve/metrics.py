"""models/metrics.json: every measured figure, and what it was measured on.

A section holds `of`: by kind (checkpoint, recipe, data) the SHA-256 of what its figures are of.
What is of another checkpoint than the one at hand must not be quoted as its.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .artifacts import METRICS_NAME, MODELS, replacing, sha256
from .command import UserError

OF = "of"
CHECKPOINT, RECIPE, DATA = "checkpoint", "recipe", "data"
# What is measured on the very files in models/, and the module whose command measures it.
OF_CHECKPOINT = {
    "model": "train.fit",
    "calibration.temperature": "train.fit",
    "calibration.published": "train.evaluate --protocol published",
    "protocols.published": "train.evaluate --protocol published",
    "protocols.hospitals": "train.evaluate --protocol hospitals",
    "ood": "train.ood",
    "export.float32": "export.to_onnx",
    "export.int8": "export.quantize",
    "export.small": "export.slim",
    "benchmark.cold_start": "export.benchmark",
    "benchmark.speed": "export.benchmark",
    "benchmark.folder": "export.benchmark",
    "benchmark.archive": "export.benchmark",
    "benchmark.gpu": "export.gpu_benchmark",
    "serving": "tests.serve.app.load",
    "page": "tests.serve.app.page_speed",
    "reliability.fuzz": "tests.reliability --only fuzz",
    "reliability.soak": "tests.reliability --only soak",
    "reliability.app": "tests.reliability --only app",
    "reliability.faults": "tests.reliability --only faults",
}


def read_metrics(models: Path = MODELS) -> dict[str, Any]:
    """Every measured figure, or {} where none was measured yet.

    Raises:
        UserError: the file holds no figures.
    """
    path = models / METRICS_NAME
    if not path.exists():
        return {}
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: no JSON ({error})") from None
    if not isinstance(metrics, dict):
        raise UserError(f"{path}: no JSON object")
    return metrics


def write_metrics(
    models: Path, section: str, value: Mapping[str, Any] | float, of: Mapping[str, str]
) -> None:
    """Set one section and leave all others as they are, whoever writes at the same time.

    Args:
        models: the folder of metrics.json.
        section: a dotted path ("protocols.seed").
        value: its figures; where it is a number, `of` stands beside it.
        of: what they were measured on, see the top of this file.
    """
    models.mkdir(parents=True, exist_ok=True)
    with _locked(models / f".{METRICS_NAME}.lock"):
        metrics = read_metrics(models)
        *parents, last = section.split(".")
        part = metrics
        for parent in parents:
            part = part.setdefault(parent, {})
        if isinstance(value, Mapping):
            part[last] = {**value, OF: dict(of)}
        else:
            part |= {last: value, OF: dict(of)}
        with replacing(models / METRICS_NAME) as temporary:
            text = json.dumps(metrics, indent=2, sort_keys=True)
            temporary.write_text(f"{text}\n", encoding="utf-8")


def of_checkpoint(checkpoint: Path) -> dict[str, str]:
    """`of` what is measured on a .keras file."""
    return {CHECKPOINT: sha256(checkpoint)}


def of_data(digests: Iterable[str]) -> dict[str, str]:
    """`of` what is measured on data: the SHA-256 of the list of their files' SHA-256, sorted."""
    return {DATA: hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()}


def require_current(
    metrics: Mapping[str, Any], checkpoint: str, sections: Iterable[str] | None = None
) -> None:
    """Refuse figures of another checkpoint, see `stale_sections`.

    Raises:
        UserError: names every such section, and the command that measures it anew.
    """
    if stale := stale_sections(metrics, checkpoint, sections):
        raise UserError(f"{METRICS_NAME}: {'; '.join(stale)}")


def stale_sections(
    metrics: Mapping[str, Any], checkpoint: str, sections: Iterable[str] | None = None
) -> list[str]:
    """What is of another checkpoint than the file or the section `model`, each in a few words.

    Args:
        metrics: see `read_metrics`.
        checkpoint: SHA-256 of the .keras file that is worked on.
        sections: those that are to be quoted; by default all that are of any checkpoint, but for
            those of other recipes. What was never measured is not stale.
    """
    current = {checkpoint, metrics.get("model", {}).get("sha256", checkpoint)}
    names = _sections_of_checkpoints(metrics) if sections is None else sections
    measured = {
        name: found for name in names if (found := _checkpoint_of(metrics, name)) is not None
    }
    return [
        f"{name} is of {_named(found)}, not of {min(others)[:12]}{_remedy(name)}"
        for name, found in measured.items()
        if (others := current - {found})
    ]


def _sections_of_checkpoints(metrics: Mapping[str, Any]) -> list[str]:
    """All that OF_CHECKPOINT names, and whatever else names a checkpoint itself."""
    own = {name: part for name, part in metrics.items() if name != "recipes"}
    parents = {name.rpartition(".")[0] for name in OF_CHECKPOINT}
    others = [name for name in _that_name_one(own) if name not in parents]
    return list(dict.fromkeys([*OF_CHECKPOINT, *others]))


def _that_name_one(part: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[str]:
    """The dotted paths of all sections whose `of` names a checkpoint."""
    for name, value in part.items():
        if name != OF and isinstance(value, Mapping):
            if CHECKPOINT in value.get(OF, {}):
                yield ".".join((*path, name))
            yield from _that_name_one(value, (*path, name))


def _checkpoint_of(metrics: Mapping[str, Any], name: str) -> str | None:
    """What the section says it is of, "" where it does not say; None if it was not measured."""
    part: Any = metrics
    of: Mapping[str, str] = {}
    for key in name.split("."):
        if not isinstance(part, Mapping) or key not in part:
            return None
        part = part[key]
        if isinstance(part, Mapping):
            of = part.get(OF, {})
    return of.get(CHECKPOINT, "")


def _named(checkpoint: str) -> str:
    return f"the checkpoint {checkpoint[:12]}" if checkpoint else "no checkpoint that it names"


def _remedy(name: str) -> str:
    return f" (python -m {OF_CHECKPOINT[name]} measures it)" if name in OF_CHECKPOINT else ""


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time is within such a block; filelock is not there where only NumPy is."""
    with path.open("a", encoding="utf-8") as file:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
