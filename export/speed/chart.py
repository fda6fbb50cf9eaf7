"""The benchmark as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from serve.artifacts import replacing
from serve.names import ENGINES

OURS, OTHERS = "#1f5fa8", "#a0a7b0"


def plot_speed(figures: dict[str, Any], path: Path) -> None:
    """Milliseconds an image, median, by engine: batches of 1 and of 8, on all threads.

    Args:
        figures: benchmark.speed of models/metrics.json.
    """
    threads = max(row["threads"] for row in figures["rows"])
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, batch in zip(figure.subplots(1, 2), (1, 8), strict=True):
        rows = [r for r in figures["rows"] if (r["batch"], r["threads"]) == (batch, threads)]
        times = [row["milliseconds"] for row in rows]
        colours = [OURS if row["engine"].startswith("onnx") else OTHERS for row in rows]
        bars = axes.barh(
            [ENGINES[row["engine"]].replace("`", "") for row in rows], times, color=colours
        )
        axes.bar_label(bars, fmt="%.0f", padding=3)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.15 * max(times))
        axes.set_title("one image at a time" if batch == 1 else f"batches of {batch}", loc="left")
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(f"milliseconds an image, median, {threads} threads, {figures['cpu']}")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
