"""The engines run in their processes, and the table says what was timed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from export.speed import timing
from export.speed.chart import plot_speed
from export.speed.engines import ENGINES, MATRIX, NEEDED, PRODUCTS
from export.speed.timing import Timing
from serve import names
from serve.artifacts import MODELS, ONNX_NAME, SMALL_NAME
from serve.command import UserError

PRODUCTS_HERE = [name for name in PRODUCTS if name not in NEEDED]


def timed(engine: str, milliseconds: float, batch: int = 1) -> Timing:
    return Timing(engine, batch, 2, milliseconds, milliseconds, 1000 / milliseconds, 1.0, 100.0)


@pytest.mark.parametrize(
    "name", ["onnx_int8_maps", pytest.param("keras_maps", marks=pytest.mark.slow), *PRODUCTS_HERE]
)
def test_an_engine_answers(name, scans, monkeypatch):
    monkeypatch.setattr(timing, "ROUNDS", {1: 1})
    monkeypatch.setattr(timing.os, "sched_getaffinity", lambda _: {0})
    (found,) = timing.measure([name], {name: Path(sys.executable)}, scans[:1])
    assert (found.engine, found.batch, found.threads) == (name, 1, 1)
    assert found.milliseconds > 0
    assert found.images_per_second == pytest.approx(1000 / found.milliseconds)
    assert 20 < found.peak_megabytes < 4000


@pytest.mark.slow
@pytest.mark.parametrize("name", NEEDED)
def test_a_peer_answers_where_it_is_installed(name, scans, monkeypatch):
    pytest.importorskip(NEEDED[name], reason="needs requirements-bench.txt")
    monkeypatch.setattr(timing, "ROUNDS", {1: 1})
    monkeypatch.setattr(timing.os, "sched_getaffinity", lambda _: {0})
    (found,) = timing.measure([name], {name: Path(sys.executable)}, scans[:1])
    assert found.milliseconds > 0


def test_an_engine_that_does_not_run_says_why(scans):
    with pytest.raises(UserError, match="nonsense: KeyError"):
        timing.measure(["nonsense"], {"nonsense": Path(sys.executable)}, scans[:1])


def test_table_by_hand():
    operations = 2 * MATRIX**3  # an image costs just what a matrix product does
    timings = [
        timed("keras_call", 40),
        timed("onnx_int8", 10),
        timed("onnx_small", 10),
        timed("product_numpy_float32", 5),
        timed("product_onnx_float32", 4),
        timed("product_onnx_int8", 1),
    ]
    rows = timing.table(timings, operations, operations // 5)
    assert [row["engine"] for row in rows] == ["keras_call", "onnx_int8", "onnx_small"]
    assert [row["times_keras"] for row in rows] == [1, 4, 4]
    assert [row["share_of_limit"] for row in rows] == pytest.approx([0.1, 0.1, 0.02])
    limits = timing.limits(timings)
    assert limits["float32"]["2"] == {"gigaops": operations / 4e6, "by": "onnx"}
    assert limits["int8"]["2"]["by"] == "onnx"


def test_operations_are_vgg16s():
    """15.3 thousand million multiply-adds in its convolutions (Simonyan and Zisserman, 2015)."""
    assert timing.operations_of(MODELS / ONNX_NAME) == pytest.approx(2 * 15.35e9, rel=0.002)
    assert timing.operations_of(MODELS / SMALL_NAME) == pytest.approx(2 * 2.84e9, rel=0.002)


def test_chart_names_every_engine(tmp_path):
    assert set(names.ENGINES) == set(ENGINES) - set(PRODUCTS)
    rows = timing.table(
        [timed(name, 10, batch) for batch in (1, 8) for name in ("keras_call", "onnx_int8")]
        + [timed("product_numpy_float32", 5), timed("product_onnx_int8", 5)],
        10**9,
        10**8,
    )
    plot_speed({"rows": rows, "cpu": "a processor"}, tmp_path / "speed.png")
    assert (tmp_path / "speed.png").stat().st_size > 10_000


def test_a_missing_peer_is_one_line(run_here, tmp_path):
    done = run_here("export.benchmark", "--peer", tmp_path / "python")
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "python" in error
