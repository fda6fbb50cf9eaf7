"""A few faults are survived, a few calls take no memory; what would be wrong is noticed."""

from __future__ import annotations

import sys
from random import Random

import pytest

from tests.reliability.__main__ import found
from tests.reliability.faults import FAULTS, OLD, PICTURES, Run, expected_answers, faults
from tests.reliability.soak import growth, of_the_library

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and limits of files")


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path, Random(0))
    run.kind, run.table = "json", tmp_path / "answers.json"
    return run


@pytest.mark.slow
def test_a_fault_of_each_kind_is_survived(capfd):
    assert faults(len(FAULTS)) == {
        "runs": dict.fromkeys(FAULTS, 1),
        "half_written": 0,
        "lost_rows": 0,
    }
    assert capfd.readouterr().err == ""


def rows(names, label="glioma") -> str:
    return "".join(f'{{"path": "{name}", "label": "{label}"}}\n' for name in names)


def test_what_is_half_written_is_noticed(run):
    names = [f"{number:02}.jpg" for number in range(PICTURES)]
    for text, wrong in (
        (OLD, []),
        (rows(names), []),
        (rows(names[:-1]), [f"answers.json has {PICTURES - 1} rows"]),
        (rows(names)[:-1], ["answers.json: it ends within a row"]),
    ):
        run.table.write_text(text, encoding="utf-8")
        assert run.half_written() == wrong
    run.table.write_text(rows(names)[:-9], encoding="utf-8")
    assert len(run.half_written()) == 1
    run.table.unlink()
    run.page.write_text("<!doctype html>", encoding="utf-8")
    run.cams.mkdir()
    (run.cams / "scan.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert [one.split(":")[0] for one in run.half_written()] == [
        "report.html ends early",
        "scan.png",
    ]


def test_what_is_lost_is_noticed(run):
    expected = dict.fromkeys("abc", "glioma")
    run.table.write_text(rows("aac"), encoding="utf-8")
    assert run.lost_rows(expected) == ["a has 2 rows", "b has 0 rows"]
    run.table.write_text(rows("abc", "pituitary"), encoding="utf-8")
    assert len(run.lost_rows(expected)) == 3
    run.table.write_text(rows("abc"), encoding="utf-8")
    assert run.lost_rows(expected) == []
    run.table.unlink()
    assert len(run.lost_rows(expected)) == 1


def test_what_is_expected_is_an_answer_a_picture():
    assert len(expected_answers()) == PICTURES
    assert set(expected_answers().values()) == {"glioma", "meningioma", "notumor", "pituitary"}


def test_a_few_calls():
    figures = of_the_library(50)
    assert (figures["calls"], figures["refused"]) == (50, 5)
    assert figures["megabytes"] > 50  # of this process, whatever else it holds


def test_growth_is_from_the_second_fifth_to_the_last():
    assert growth([1, 9, 100, 100, 300, 300, 9, 9, 150, 150]) == 0.5
    assert growth([100.0] * 50) == 0


@pytest.mark.parametrize(
    ("figures", "wrong"),
    [
        ({"problems": 0, "errors": {"InvalidImageError": 7}}, ""),
        ({"problems": 2}, "2 problems"),
        ({"failures": 1}, "1 failures"),
        ({"half_written": 0, "lost_rows": 3}, "3 lost rows"),
        ({"memory_growth": 0.04}, ""),
        ({"memory_growth": 0.06}, "memory grew by 6.0%"),
    ],
)
def test_what_must_not_be_is_not_written(figures, wrong):
    assert found(figures) == wrong
