"""The engines run in their processes, and the table says what was timed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from export.speed import timing
from export.speed.chart import plot_speed
from export.speed.engines import ENGINES, MATRIX
from export.speed.timing import Timing
from serve import names
from serve.artifacts import MODELS, ONNX_NAME
from serve.command import UserError


def timed(engine: str, milliseconds: float, batch: int = 1) -> Timing:
    return Timing(engine, batch, 2, milliseconds, milliseconds, 1000 / milliseconds, 1.0, 100.0)


@pytest.mark.parametrize(
    "name", ["onnx_int8_maps", pytest.param("keras_maps", marks=pytest.mark.slow), "matrix_product"]
)
def test_an_engine_answers(name, scans, monkeypatch):
    monkeypatch.setattr(timing, "ROUNDS", {1: 1})
    monkeypatch.setattr(timing.os, "sched_getaffinity", lambda _: {0})
    (found,) = timing.measure([name], {name: Path(sys.executable)}, scans[:1])
    assert (found.engine, found.batch, found.threads) == (name, 1, 1)
    assert found.milliseconds > 0
    assert found.images_per_second == pytest.approx(1000 / found.milliseconds)
    assert 20 < found.peak_megabytes < 4000


def test_an_engine_that_does_not_run_says_why(scans):
    with pytest.raises(UserError, match="nonsense: KeyError"):
        timing.measure(["nonsense"], {"nonsense": Path(sys.executable)}, scans[:1])


def test_table_by_hand():
    operations = 2 * MATRIX**3  # an image costs just what the matrix product does
    rows = timing.table(
        [timed("keras_predict", 40), timed("onnx_int8", 10), timed("matrix_product", 5)],
        operations,
    )
    assert [row["engine"] for row in rows] == ["keras_predict", "onnx_int8"]
    assert [row["times_keras_predict"] for row in rows] == [1, 4]
    assert [row["share_of_limit"] for row in rows] == [0.125, 0.5]


def test_operations_are_vgg16s():
    """15.3 thousand million multiply-adds in its convolutions (Simonyan and Zisserman, 2015)."""
    assert timing.operations_of(MODELS / ONNX_NAME) == pytest.approx(2 * 15.35e9, rel=0.002)


def test_chart_names_every_engine(tmp_path):
    assert set(names.ENGINES) == set(ENGINES) - {timing.LIMIT}
    rows = timing.table(
        [timed(name, 10, batch) for batch in (1, 8) for name in ("keras_predict", "onnx_int8")]
        + [timed("matrix_product", 5)],
        10**9,
    )
    plot_speed({"rows": rows, "cpu": "a processor"}, tmp_path / "speed.png")
    assert (tmp_path / "speed.png").stat().st_size > 10_000


def test_a_missing_peer_is_one_line(run_here, tmp_path):
    done = run_here("export.benchmark", "--peer", tmp_path / "python")
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "python" in error
