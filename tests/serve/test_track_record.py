"""What a confidence has meant, on answers that can be counted by hand."""

from __future__ import annotations

import pytest

from serve.command import UserError
from serve.track_record import (
    FEWEST,
    HOSPITALS,
    PATIENTS,
    Bin,
    TrackRecord,
    bins_of,
    read_track_record,
)


def test_wilsons_interval():
    # R: prop.test(81, 100, correct = FALSE)$conf.int
    assert Bin(0.8, 0.9, 100, 81).interval == pytest.approx((0.7222, 0.8749), abs=1e-4)
    assert Bin(0.9, 1, 100, 100).interval == pytest.approx((0.9630, 1.0), abs=1e-4)


def test_bins_hold_enough_answers_and_every_answer_once():
    answers = [(0.995, True)] * 150 + [(0.9, True)] * 60 + [(0.7, False)] * 60 + [(0.3, False)] * 20
    bins = bins_of(answers)
    assert [(b.low, b.high, b.answers, b.right) for b in bins] == [
        (0.99, 1.0, 150, 150),
        (0.0, 0.99, 140, 60),
    ]
    assert all(b.answers >= FEWEST for b in bins)
    assert bins_of([]) == []


def test_unsure_is_where_the_interval_reaches_below_enough():
    sure, unsure = Bin(0.9, 1, 200, 180), Bin(0, 0.9, 100, 85)  # 85 of 100: 76.7 to 90.7 %
    record = TrackRecord({PATIENTS: [sure, unsure]})
    assert not record.unsure(0.95)
    assert record.unsure(0.89)
    assert record.at(0.89) == unsure
    assert record.at(0.89, HOSPITALS) is None
    assert not TrackRecord().unsure(0.3)  # nothing was measured


def test_the_record_comes_back_from_its_json():
    record = TrackRecord({PATIENTS: [Bin(0.9, 1, 200, 180), Bin(0, 0.9, 100, 85)]})
    assert read_track_record(record.to_json()) == record


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"x": []}', '{"patients": [[0, 1, 2]]}', '{"patients": [[0, 1, 2, 3]]}'],
)
def test_something_else_is_one_line(text):
    with pytest.raises(UserError, match="no track record"):
        read_track_record(text)
