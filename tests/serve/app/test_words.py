"""What the app says, and what it counts that from."""

from __future__ import annotations

import pytest

from serve.app.words import heading, model_card, what_it_rests_on
from serve.classifier import Prediction
from serve.measures import in_100, percent
from serve.track_record import PATIENTS, Bin, TrackRecord

SURE, UNSURE = Bin(0.9, 1, 200, 190), Bin(0, 0.9, 120, 90)
RECORD = TrackRecord({PATIENTS: [SURE, UNSURE]})


def answer_of(confidence: float) -> Prediction:
    shares = {"glioma": 0.0, "meningioma": confidence, "notumor": 1 - confidence, "pituitary": 0.0}
    return Prediction(
        path="a.jpg",
        label="meningioma",
        confidence=confidence,
        probabilities=shares,
        brain_mri=True,
        unsure=RECORD.unsure(confidence),
        ood_score=1.0,
        model="a.onnx",
        provider="CPU",
        milliseconds=1.0,
    )


def test_a_sure_answer_names_its_class_and_what_its_confidence_has_meant():
    assert heading(answer_of(0.95)) == "Meningioma"
    words = what_it_rests_on(answer_of(0.95), RECORD).replace("\u00a0", " ")
    assert words.startswith("Of answers this confident, 95 in 100 were right on patients")
    assert "(95 % interval 91 % to 97 %; 200 answers of 90 % to 100 % confidence)" in words


def test_an_unsure_answer_names_the_two_likeliest_classes():
    assert heading(answer_of(0.85)) == "Unsure: meningioma or no tumour"
    words = what_it_rests_on(answer_of(0.85), RECORD)
    assert "75 in 100" in words
    assert words.endswith("That may be fewer than 80 in 100, so no single class is named.")


def test_nothing_measured_nothing_said():
    assert what_it_rests_on(answer_of(0.95), TrackRecord()) == ""


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
