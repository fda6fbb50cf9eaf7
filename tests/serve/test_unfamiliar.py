"""A scan that passes but is unlike the training scans is answered, and said to be unlike."""

from __future__ import annotations

import csv
import json
import re

import pytest
from PIL import Image

from serve import BrainTumorClassifier
from serve.track_record import HOSPITALS, PATIENTS, Bin, TrackRecord
from serve.unfamiliar import UNFAMILIAR
from tests.serve.models import with_metadata

OWN = [Bin(0.0, 1.0, 1000, 990)]
RECORD = TrackRecord({PATIENTS: OWN, HOSPITALS: [Bin(0.9, 1.0, 400, 380), Bin(0.0, 0.9, 200, 90)]})
SEEN = "patients that this model had never seen"
ELSEWHERE = "other hospitals' scans"


@pytest.fixture(scope="module")
def plain() -> BrainTumorClassifier:
    return BrainTumorClassifier("int8", "cpu")


@pytest.fixture(scope="module")
def between(plain, scans) -> float:
    """A warning that about half of the scans are above."""
    return sorted(one.ood_score for one in plain.predict(scans))[len(scans) // 2 - 1]


@pytest.fixture(scope="module")
def model(between, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    return with_metadata(folder, ood_warning=str(between), track_record=RECORD.to_json())


@pytest.fixture(scope="module")
def classifier(model) -> BrainTumorClassifier:
    return BrainTumorClassifier(model, "cpu")


def test_files_without_the_lower_threshold_say_nothing(scans, tmp_path):
    classifier = BrainTumorClassifier(with_metadata(tmp_path, ood_warning=None), "cpu")
    assert classifier.ood_warning == float("inf")
    assert not any(one.warnings for one in classifier.predict(scans))


def test_the_answer_stays_and_is_said_to_be_unlike(classifier, plain, between, scans, bar_chart):
    assert classifier.ood_warning == between
    answers = classifier.predict([*scans, bar_chart])
    for found, known in zip(answers, plain.predict([*scans, bar_chart]), strict=True):
        assert (found.label, found.probabilities) == (known.label, known.probabilities)
        unlike = found.brain_mri and found.ood_score > between
        assert len(found.warnings) == unlike
        if unlike:
            assert found.warnings[0].startswith(UNFAMILIAR)
            share = "95" if found.confidence >= 0.9 else "45"
            assert f"{share} in 100 were right on {ELSEWHERE}" in found.warnings[0]
            assert SEEN not in found.warnings[0]
        assert found.unsure == (unlike and found.confidence < 0.9)
    assert 0 < sum(bool(one.warnings) for one in answers) < len(scans)


def test_without_figures_of_other_hospitals_it_is_said_that_there_are_none(scans, tmp_path):
    record = TrackRecord({PATIENTS: OWN}).to_json()
    path = with_metadata(tmp_path, ood_warning="0", track_record=record)
    for answer in BrainTumorClassifier(path, "cpu").predict(scans):
        assert answer.warnings == (
            f"{UNFAMILIAR}; what its confidence is worth on such scans was not measured.",
        )
        assert not answer.unsure


def test_a_series_counts_its_unlike_slices(classifier, scans, tmp_path):
    pages = [Image.open(scan).convert("L").resize((224, 224)) for scan in scans]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    found = classifier.predict_series(tmp_path / "stack.tif")
    unlike = [one for one in found.slices if one.warnings]
    assert found.warnings == [f"{UNFAMILIAR}. ({len(unlike)} of {len(scans)} slices)"]
    assert all(ELSEWHERE in one.warnings[0] for one in unlike)


def test_every_output_says_it_and_quotes_own_patients_for_the_others(
    model, classifier, scans, cli, tmp_path
):
    table, report = tmp_path / "a.csv", tmp_path / "a.html"
    plain = ["--model", model, "--device", "cpu", *scans]
    status, _, _ = cli(*plain, "--csv", table, "--report", report)
    assert status == 0
    _, lines, _ = cli(*plain)
    _, objects, _ = cli("--json", *plain)
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    page = report.read_text(encoding="utf-8").replace("&#x27;", "'")
    cards = re.findall(r'<section class="card.*?</section>', page, re.DOTALL)
    answers = classifier.predict(scans)
    for answer, line, text, row, card in zip(answers, lines, objects, rows, cards, strict=True):
        assert tuple(json.loads(text)["warnings"]) == answer.warnings
        assert row["warnings"].startswith(UNFAMILIAR) == bool(answer.warnings)
        for said in (line, card):
            assert (UNFAMILIAR in said) == bool(answer.warnings)
            assert said.count(f"right on {ELSEWHERE}") == bool(answer.warnings)
        assert ("such answers: 99 in 100 right" in line) != bool(answer.warnings)
        assert (f"99 in 100 were right on {SEEN}" in card) != bool(answer.warnings)
