"""The blocks of README.md and of the model card, filled from models/metrics.json.

They stand between marks that name them: <!-- figures: NAME --> ... <!-- end of figures -->
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from serve.artifacts import METRICS_NAME, MODELS
from serve.command import UserError
from train.report.audits import copied
from train.report.hospitals import hospitals
from train.report.quality import (
    attention,
    audit,
    honest,
    kaggle,
    papers,
    protocols,
    refusal,
    seed,
    temperature,
)
from train.report.reliability import reliability
from train.report.speed import (
    archive,
    cold_start,
    folder,
    gpu,
    int8,
    parity,
    serving,
    small,
    speed,
    training,
)
from train.report.terms import terms
from train.report.writing import NOT_MEASURED

Block = Callable[[dict[str, Any]], str]

README, CARD = MODELS.parent / "README.md", MODELS / "README.md"
BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)

# Every block, and the sections of metrics.json that it quotes.
BLOCKS: dict[str, tuple[Block, tuple[str, ...]]] = {
    "audit": (audit, ("audit.pairs",)),
    "copied": (copied, ("audit.against",)),
    "hospitals": (hospitals, ("protocols.patient",)),
    "kaggle": (kaggle, ("protocols.kaggle", "benchmark.peer")),
    "seed": (seed, ("protocols.seed",)),
    "honest": (honest, ("protocols.patient", "attention", "ood")),
    "papers": (papers, ("protocols.patient.papers",)),
    "cold_start": (cold_start, ("benchmark.cold_start",)),
    "training": (training, ("benchmark.training",)),
    "parity": (parity, ("export.float32",)),
    "int8": (int8, ("export.int8",)),
    "small": (small, ("export.small",)),
    "speed": (speed, ("benchmark.speed",)),
    "folder": (folder, ("benchmark.folder",)),
    "archive": (archive, ("benchmark.archive",)),
    "gpu": (gpu, ("benchmark.gpu",)),
    "serving": (serving, ("serving",)),
    "protocols": (protocols, ("protocols",)),
    "attention": (attention, ("attention",)),
    "refusal": (refusal, ("ood",)),
    "temperature": (temperature, ("model", "calibration.temperature")),
    "terms": (terms, ("model",)),
    "reliability": (reliability, ()),  # says by itself what was measured
}


def render(name: str, metrics: dict[str, Any]) -> str:
    """The text of a block, NOT_MEASURED where the metrics lack a section that it quotes.

    Raises:
        UserError: there is no such block, or a section lacks a figure.
    """
    if name not in BLOCKS:
        raise UserError(f"a mark names a block that does not exist: {name}")
    block, sections = BLOCKS[name]
    if not all(_is_measured(metrics, section) for section in sections):
        return NOT_MEASURED
    try:
        return block(metrics)
    except KeyError as error:
        raise UserError(f"block {name}: {METRICS_NAME} has no figure {error}") from error


def _is_measured(metrics: Mapping[str, Any], section: str) -> bool:
    part: Any = metrics
    for key in section.split("."):
        if key not in part:
            return False
        part = part[key]
    return True


def fill(text: str, metrics: dict[str, Any]) -> str:
    """Replace what stands between the marks by what the metrics say.

    Raises:
        UserError: a mark names no block, or see `render`.
    """
    return BLOCK.sub(lambda match: match[1] + render(match[2], metrics) + match[3], text)
