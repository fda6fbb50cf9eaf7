"""The tables behind the pictures, as CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from serve.artifacts import replacing
from serve.metrics import OF
from train.evaluation.predictions import TABLES, Predictions
from train.report.figures import main_figures


def export(metrics: dict[str, Any], tested: Mapping[str, Predictions], folder: Path) -> list[Path]:
    """Write the tables behind the pictures as CSV, and say which they are."""
    tables = {
        name: [{"protocol": key} | row for key, own in tested.items() for row in rows_of(own)]
        for name, rows_of in TABLES.items()
    }
    columns = main_figures(metrics)
    figures = next(iter(columns.values()), {})
    tables["figures"] = [
        {"figure": figure} | {name: own.get(figure) for name, own in columns.items()}
        for figure in figures
    ]
    for name in ("hospitals", "unseen"):
        tables[name] = _pairs(metrics.get("protocols", {}).get(name, {}))
    tables["refusal"] = _pairs(metrics.get("ood", {}))
    tables["attention"] = _pairs(metrics.get("attention", {}))
    written = [folder / f"{name}.csv" for name, rows in tables.items() if rows]
    for path in written:
        _write_csv(tables[path.stem], path)
    return written


def _pairs(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row a figure; those of a part are named part.figure."""
    rows = []
    for name, value in figures.items():
        if name == OF:
            continue
        if isinstance(value, Mapping):
            rows += [{**row, "figure": f"{name}.{row['figure']}"} for row in _pairs(value)]
        else:
            rows.append({"figure": name, "value": value})
    return rows


def _write_csv(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Numbers to six digits, nothing for None."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
