"""The block that says what did not break it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from train.report.writing import percent


def reliability(metrics: Mapping[str, Any]) -> str:
    """A sentence for each part that was measured; nothing where none was."""
    measured = metrics.get("reliability", {})
    sentences = [text(measured[name]) for name, text in PARTS.items() if name in measured]
    return f"{' '.join(sentences)}\n" if sentences else ""


def _fuzz(figures: Mapping[str, Any]) -> str:
    kinds = sorted(figures["inputs"].items(), key=lambda pair: -pair[1])
    errors = " and ".join(f"{count:,} `{name}`" for name, count in figures["errors"].items())
    return (
        f"{figures['total']:,} damaged inputs ({', '.join(f'{n:,} {kind}' for kind, n in kinds)}) "
        f"gave an answer, {errors}, and nothing else, not a line on standard error; the slowest "
        f"picture took {figures['worst_seconds']:.2f} s of processor time, the largest process "
        f"{figures['worst_megabytes']:.0f} MB (`python -m tests.fuzz`)."
    )


def _soak(figures: Mapping[str, Any]) -> str:
    return (
        f"Over {figures['calls']:,} calls of the library, memory changed by "
        f"{percent(figures['memory_growth'])}."
    )


def _app(figures: Mapping[str, Any]) -> str:
    return (
        f"While {figures['clients']} clients got {figures['answers']:,} answers of the app within "
        f"{figures['seconds'] / 60:.0f} minutes, its memory changed by "
        f"{percent(figures['memory_growth'])}, and every answer was that which a single client "
        "gets."
    )


def _faults(figures: Mapping[str, Any]) -> str:
    runs = figures["runs"]
    return (
        f"{sum(runs.values()):,} runs of the command with a fault at a random moment "
        f"({', '.join(f'{count} {name}' for name, count in runs.items())}) left no half-written "
        "file under its final name and lost no row (`python -m tests.reliability`)."
    )


PARTS = {"fuzz": _fuzz, "soak": _soak, "app": _app, "faults": _faults}
