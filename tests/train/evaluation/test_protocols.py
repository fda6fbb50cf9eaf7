"""What a protocol trains on and what it tests, without training anything."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from serve.names import NOTUMOR
from train.data.dataset import Scan, Slice
from train.data.duplicates import Pairs
from train.data.folds import patient_sides
from train.evaluation import protocols
from train.evaluation.calibration import fit_temperature
from train.evaluation.predictions import Tested as Answers
from train.evaluation.protocols import (
    as_papers_count,
    by_patient,
    cross_validation,
    protocol_figures,
    published_split,
    together,
    without_copies,
)

RIGHT = 5.0  # a logit


def scan_of(name: str, part: str, label: int) -> Scan:
    return Scan(Path(f"{name}.jpg"), part, label, digest=name)


def pairs_of(*pairs: tuple[int, int]) -> Pairs:
    first, second = np.array(pairs).reshape(-1, 2).T
    return Pairs(first, second, np.ones(len(first)), np.zeros(len(first), bool))


@pytest.fixture
def trainer(monkeypatch):
    """Trains nothing and keeps what it is given; what it trains answers with the file's label."""
    sides = []

    def train(training, validation):
        sides.append((training, validation))
        return SimpleNamespace(validation=validation)

    def logits(_, scans):
        return np.eye(4, dtype=np.float32)[[scan.label for scan in scans]] * RIGHT

    monkeypatch.setattr(protocols, "predict_logits", logits)
    train.sides = sides
    return train


def test_test_images_of_which_no_copy_was_trained_on():
    trained = [scan_of(name, "Training", 0) for name in "abc"]
    tested = [scan_of(name, "Testing", 0) for name in "vwxyz"]
    logits = np.eye(4)[[0, 0, 1, 0, 1]] * RIGHT  # v, w and y are right
    answers = Answers(tested, np.zeros(5, int), logits, np.ones((5, 1)))
    pairs = pairs_of((0, 3), (1, 2), (4, 5), (1, 6))  # v and y have a copy, w and x are alike
    assert without_copies(answers, trained + tested, pairs) == {
        "accuracy_without_duplicates": pytest.approx(1 / 3),  # w, x and z
        "images_without_duplicates": 3,
    }


def test_without_a_fresh_image_there_is_no_accuracy():
    scans = [scan_of("a", "Training", 0), scan_of("b", "Testing", 0)]
    answers = Answers(scans[1:], np.zeros(1, int), np.eye(4)[:1], np.ones((1, 1)))
    figures = without_copies(answers, scans, pairs_of((0, 1)))
    assert figures == {"accuracy_without_duplicates": None, "images_without_duplicates": 0}


def test_every_patient_is_tested_by_the_training_without_it(placed_scans, trainer):
    folds = patient_sides(placed_scans)
    found = cross_validation(folds, trainer)
    assert trainer.sides == [(sides.training, sides.validation) for sides in folds]
    assert [one.scans for one in found] == [sides.tested for sides in folds]
    tested = together(found)
    assert tested.scans == [scan for sides in folds for scan in sides.tested]
    assert tested.labels.tolist() == [label for sides in folds for label in sides.labels]
    assert tested.temperature.shape == (len(placed_scans), 1)


def noisy_logits(scans) -> np.ndarray:
    """Of every other scan's answer the logits are sharper; a few are wrong."""
    wrong = np.arange(len(scans)) % 7 == 0
    labels = [(scan.label + one) % 4 for scan, one in zip(scans, wrong, strict=True)]
    return np.eye(4, dtype=np.float32)[labels] * (1 + np.arange(len(scans)) % 2)[:, None]


def test_a_fold_without_validation_is_calibrated_by_all_others(placed_scans, trainer, monkeypatch):
    monkeypatch.setattr(protocols, "predict_logits", lambda _, scans: noisy_logits(scans))
    folds = patient_sides(placed_scans, validated=False)
    found = cross_validation(folds, trainer)
    assert [validation for _, validation in trainer.sides] == [[]] * len(folds)
    for own in found:
        others = together([one for one in found if one is not own])
        expected = fit_temperature(others.logits, others.labels)
        assert set(own.temperature[:, 0].tolist()) == {np.float32(expected)}
    assert len({one.temperature[0, 0] for one in found}) == len(folds)


def test_a_fold_that_is_alone_stays_as_it_is(placed_scans, trainer):
    (own,) = cross_validation(patient_sides(placed_scans, validated=False)[:1], trainer)
    assert (own.temperature == 1).all()


def test_the_published_split_trains_on_one_folder_alone(placed_scans, trainer):
    trained, tested = (
        [s for s in placed_scans if s.part == part] for part in ("Training", "Testing")
    )
    answers = published_split(trained, tested, 0.2, 0, trainer)
    ((training, validation),) = trainer.sides
    assert {s.name for s in training + validation} == {s.name for s in trained}
    assert len(validation) == pytest.approx(0.2 * len(trained), rel=0.02)
    assert answers.scans == tested


def test_copies_widen_the_interval():
    scans = [scan_of(str(i), "Testing", i % 4) for i in range(40)]
    labels = np.array([scan.label for scan in scans])
    answers = np.where(np.arange(40) < 8, (labels + 1) % 4, labels)
    tested = Answers(scans, labels, np.eye(4)[answers] * RIGHT, np.ones((40, 1)))
    copies = pairs_of(*((i, i + 1) for i in range(39) if (i + 1) % 8))  # groups of eight
    alone, grouped = (
        protocol_figures(tested, scans, pairs, {})["accuracy_ci"] for pairs in (pairs_of(), copies)
    )
    assert grouped[0] < alone[0] < 0.8 < alone[1] < grouped[1]


def test_a_patients_images_answer_together():
    scans = [scan_of(name, "Training", 0) for name in "abcde"]
    labels = np.array([0, 0, 0, 1, 1])
    logits = np.eye(4)[[0, 1, 1, 1, 3]] * [[5], [1], [1], [9], [5]]  # a outweighs b and c, d e
    tested = Answers(scans, labels, logits, np.ones((5, 1)))
    persons = {scan.name: person for scan, person in zip(scans, "ppprr", strict=True)}
    assert by_patient(tested, persons) == {"accuracy": 1, "patients": 2}
    del persons[scans[0].name]
    assert by_patient(tested, persons) == {"accuracy": 0.5, "patients": 2}


def test_papers_count_each_slice_once_in_three_classes():
    scans = [scan_of(name, "Training", 0) for name in "abcdn"]
    labels = np.array([0, 0, 1, 3, NOTUMOR])
    logits = np.zeros((5, 4))
    logits[:, NOTUMOR] = 9  # not an answer there
    logits[[0, 1, 2, 3], [1, 0, 1, 1]] = 5  # of a and b, one slice, b counts; d is wrong
    tested = Answers(scans, labels, logits, np.ones((5, 1)))
    slices = {
        scans[0].name: Slice(1, 0, mirrored=True),
        scans[1].name: Slice(1, 0, mirrored=False),
        scans[2].name: Slice(2, 1, mirrored=True),
        scans[3].name: Slice(3, 3, mirrored=False),
    }
    persons = dict(zip(slices, "ppqr", strict=True))
    figures = as_papers_count(tested, slices, persons)
    assert (figures["images"], figures["accuracy"]) == (3, pytest.approx(2 / 3))
    assert figures["per_class"].keys() == {"glioma", "meningioma", "pituitary"}
    assert figures["per_class"]["meningioma"] == pytest.approx(
        {"precision": 0.5, "recall": 1, "f1": 2 / 3}
    )
