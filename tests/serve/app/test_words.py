"""What the app says, and what it counts that from."""

from __future__ import annotations

import csv

import pytest

from serve.app.track_record import ENOUGH, FEWEST, PREDICTIONS, TrackRecord, read_track_record
from serve.app.words import heading, in_100, model_card, what_it_rests_on
from serve.classifier import Prediction
from serve.measures import percent


def test_bins_are_those_of_the_published_predictions():
    record = read_track_record()
    with PREDICTIONS.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert sum(one.answers for one in record.bins) == len(rows)
    assert all(one.answers >= FEWEST for one in record.bins)
    labels = [name for name in rows[0] if name not in ("file", "label", "temperature")]
    for one in record.bins:
        inside = right = 0
        for row in rows:
            best = max(labels, key=lambda label: float(row[label]))
            if one.low <= float(row[best]) and (float(row[best]) < one.high or one.high == 1):
                inside += 1
                right += best == row["label"]
        assert (one.answers, one.right) == (inside, right)


def test_a_confidence_finds_its_bin():
    record = TrackRecord([(0.955, True)] * 190 + [(0.951, False)] * 10 + [(0.4, False)] * 50)
    sure = record.at(0.99)
    assert (sure.low, sure.high, sure.answers, sure.share) == (0, 1, 250, 0.76)
    record = TrackRecord([(0.955, True)] * 190 + [(0.951, False)] * 10 + [(0.4, False)] * 300)
    assert record.at(0.97).share == 0.95
    assert record.at(0.3).share == 0
    assert record.unsure_below == 0.95


def test_unsure_where_too_few_were_right():
    record = read_track_record()
    assert 0.25 < record.unsure_below < 1
    assert all(one.share >= ENOUGH for one in record.bins if one.low >= record.unsure_below)
    assert record.at(record.unsure_below - 0.001).share < ENOUGH


def test_an_unsure_answer_names_the_two_likeliest_classes():
    record = read_track_record()
    first = record.unsure_below - 0.01
    shares = {"glioma": 0.0, "meningioma": first, "notumor": 1 - first, "pituitary": 0.0}
    answer = Prediction("a.jpg", "meningioma", first, shares, True, 1.0, "a.onnx", "CPU", 1.0)
    assert heading(answer, record) == "Unsure: meningioma or no tumour"
    assert "no single class is named" in what_it_rests_on(answer, record)


def test_nothing_measured_nothing_said(tmp_path):
    record = read_track_record(tmp_path / "none.csv")
    assert record.at(0.9) is None
    assert record.unsure_below == 0


@pytest.mark.parametrize(
    ("share", "words"), [(0.994, "99"), (0.9999, "99"), (1, "100"), (0.001, "1"), (0.805, "81")]
)
def test_all_and_none_are_said_of_all_and_none_only(share, words):
    assert in_100(share) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.98, "98.0 %"), (0.99999, "over 99.9 %"), (1, "100.0 %"), (1e-5, "under 0.1 %")],
)
def test_percent(share, words):
    assert percent(share) == words.replace(" %", "\u00a0%")


def test_the_model_card_without_what_only_files_need():
    card = model_card()
    words = "".join(part for part in card if isinstance(part, str))
    assert "license: mit" not in words
    assert "<!--" not in words
    assert "](report/" not in words
    assert "## Limits" in words
    assert all(part[1].is_file() for part in card if not isinstance(part, str))
