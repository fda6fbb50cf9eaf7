"""The blocks of README.md and of the model card, filled from models/metrics.json.

They stand between marks that name them: <!-- figures: NAME --> ... <!-- end of figures -->
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from serve.artifacts import MODELS
from serve.command import UserError
from train.report.quality import attention, audit, honest, kaggle, protocols, refusal, seed
from train.report.speed import cold_start, folder, int8, parity, serving, speed, training
from train.report.writing import NOT_MEASURED

README, CARD = MODELS.parent / "README.md", MODELS / "README.md"
BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)

BLOCKS: dict[str, Callable[[dict[str, Any]], str]] = {
    block.__name__: block
    for block in (
        audit,
        kaggle,
        seed,
        honest,
        cold_start,
        training,
        parity,
        int8,
        speed,
        folder,
        serving,
        protocols,
        attention,
        refusal,
    )
}


def render(name: str, metrics: dict[str, Any]) -> str:
    """The text of a block, NOT_MEASURED where the metrics lack what it quotes.

    Raises:
        UserError: there is no such block.
    """
    if name not in BLOCKS:
        raise UserError(f"a mark names a block that does not exist: {name}")
    block = BLOCKS[name]
    try:
        return block(metrics)
    except KeyError:
        return NOT_MEASURED


def fill(text: str, metrics: dict[str, Any]) -> str:
    """Replace what stands between the marks by what the metrics say.

    Raises:
        UserError: a mark names no block.
    """
    return BLOCK.sub(lambda match: match[1] + render(match[2], metrics) + match[3], text)
