"""The figures of other hospitals by hand, and who is asked for them."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from serve.artifacts import KERAS_NAME, MODELS, OOD_NAME
from serve.command import UserError
from serve.metrics import CHECKPOINT, of_checkpoint, write_metrics
from serve.names import LABELS, NOTUMOR
from train.data.collections import Collected
from train.data.dataset import UNKNOWN_TUMOUR, Scan, find_scans
from train.data.folds import Placed, Sides
from train.data.sides import without_each
from train.data.trained_on import record_sides
from train.evaluation import hospitals as module
from train.evaluation.hospitals import (
    MEASURES,
    Answers,
    answer_hospitals,
    by_sequence,
    healthy_of,
    published_on_hospitals,
    score_hospital,
    score_hospitals,
    unseen_hospitals,
)

NO = np.nan


def answers_of(labels, probabilities, refused=None, pointed=None, groups=None) -> Answers:
    count = len(labels)
    return Answers(
        np.array(labels),
        np.array(probabilities, float),
        np.zeros(count, bool) if refused is None else np.array(refused),
        np.full(count, NO) if pointed is None else np.array(pointed, float),
        np.arange(count) if groups is None else np.array(groups),
    )


@pytest.fixture
def by_hand() -> Answers:
    """Two gliomas, a meningioma, a tumour of unknown kind, four tumour-free."""
    return answers_of(
        [0, 0, 1, UNKNOWN_TUMOUR, *[NOTUMOR] * 4],
        [
            [0.95, 0.05, 0.0, 0.0],  # right
            [0.1, 0.5, 0.4, 0.0],  # a tumour, of another kind
            [0.1, 0.1, 0.8, 0.0],  # not found
            [0.0, 0.0, 0.08, 0.92],  # a tumour: right
            [0.0, 0.0, 1.0, 0.0],
            [0.05, 0.0, 0.95, 0.0],
            [0.1, 0.0, 0.9, 0.0],
            [0.7, 0.0, 0.3, 0.0],  # false alarm
        ],
        refused=[True, False, False, False, True, False, False, False],
        pointed=[1, 0, 1, NO, NO, NO, NO, NO],
        groups=["p", "p", "q", "r", "s", "s", "t", "t"],
    )


def test_figures_by_hand(by_hand):
    figures = score_hospital(by_hand)
    assert (figures["images"], figures["groups"]) == (8, 5)
    assert figures["sensitivity"] == pytest.approx(3 / 4)
    assert figures["specificity"] == pytest.approx(3 / 4)
    # tumours score 1, 0.6, 0.2 and 0.92, the others 0, 0.05, 0.1 and 0.7
    assert figures["auc"] == pytest.approx((4 + 3 + 3 + 4) / 16)
    assert figures["sensitivity_at_specificity_90"] == pytest.approx(3 / 4)  # above 0.52
    assert figures["named"] == pytest.approx(1 / 3)
    assert figures["share_above_90"] == pytest.approx(4 / 8)  # 0.9 is not above
    assert figures["accuracy_above_90"] == 1
    assert figures["refused"] == pytest.approx(2 / 8)
    assert figures["pointing_game"] == pytest.approx(2 / 3)


def test_calibration_by_hand():
    """Four answers at 0.8 of which three are right, one of a tumour of unknown kind."""
    rows = np.full((4, 4), 0.2 / 3)
    rows[np.arange(4), [0, 3, NOTUMOR, 1]] = 0.8
    answers = answers_of([0, UNKNOWN_TUMOUR, NOTUMOR, NOTUMOR], rows)
    assert score_hospital(answers)["ece"] == pytest.approx(0.05)


def test_every_interval_contains_its_figure(by_hand):
    figures = score_hospital(by_hand)
    for name in MEASURES:
        low, high = figures[f"{name}_ci"]
        assert low <= figures[name] <= high
    assert figures["sensitivity_ci"][0] < figures["sensitivity"] < figures["sensitivity_ci"][1]
    assert figures == score_hospital(by_hand)  # always the same draws
    json.dumps(figures)


def test_slices_of_one_patient_say_no_more_than_one():
    rng = np.random.default_rng(0)
    found = np.repeat(rng.random(25) < 0.8, 4)
    rows = np.where(found[:, None], [0.9, 0, 0.1, 0], [0.1, 0, 0.9, 0])
    alone, grouped = (
        score_hospital(answers_of([0] * 100, rows, groups=groups))["sensitivity_ci"]
        for groups in (np.arange(100), np.repeat(np.arange(25), 4))
    )
    assert grouped[1] - grouped[0] > 1.5 * (alone[1] - alone[0])


def test_what_cannot_be_had_is_none():
    figures = score_hospital(answers_of([UNKNOWN_TUMOUR] * 3, [[0.4, 0.3, 0.2, 0.1]] * 3))
    for name in (
        "auc",
        "specificity",
        "sensitivity_at_specificity_90",
        "named",
        "accuracy_above_90",
        "pointing_game",
    ):
        assert figures[name] is None
        assert figures[f"{name}_ci"] is None
    assert figures["sensitivity"] == 1
    assert figures["sensitivity_ci"] == [1, 1]


def test_draws_without_a_figure_do_not_count():
    """One of three groups is tumour-free: it is in most draws, not in all."""
    rows = [[0.6, 0, 0.4, 0], [0.3, 0, 0.7, 0], [0.5, 0, 0.5, 0]]
    figures = score_hospital(answers_of([0, 0, NOTUMOR], rows))
    assert figures["auc"] == pytest.approx(0.5)
    assert figures["auc_ci"] == [0, 1]


def scan_of(name: str, part: str, label: int) -> Scan:
    return Scan(Path(f"{name}.jpg"), part, label, digest=name)


def test_sequences_are_told_by_the_name():
    names = ["Glioma_T1C+_1", "Glioma_T1_2", "Glioma_T2__3_T1x", "a_T1"]
    scans = [scan_of(name, "here", 0) for name in names]
    rows = np.eye(4)[[0, 1, 2, 0]]
    figures = by_sequence(answers_of([0] * 4, rows), scans)
    assert list(figures) == ["T1", "T1C+", "T2"]
    assert [one["images"] for one in figures.values()] == [1, 1, 1]
    assert [one["named"] for one in figures.values()] == [0, 1, 0]


def knowing(scans) -> Answers:
    """What a model that knows everything says."""
    labels = [scan.label for scan in scans]
    return answers_of(labels, np.eye(4)[[max(label, 0) for label in labels]])


def test_a_hospital_of_tumours_alone_is_held_against_the_datasets_healthy(monkeypatch):
    monkeypatch.setattr(module, "RESAMPLES", 10)
    healthy = [scan_of(f"n{i}", "Testing", NOTUMOR) for i in range(5)]
    tested = [
        *(scan_of(f"x_T1_{i}", "both", label) for i, label in enumerate([0, NOTUMOR])),
        *(scan_of(f"y{i}", "tumours", UNKNOWN_TUMOUR) for i in range(3)),
    ]
    figures = score_hospitals(answer_hospitals(tested, healthy, knowing))
    assert figures.keys() == {"both", "tumours"}
    assert figures["both"]["images"] == 2
    assert figures["both"]["by_sequence"]["T1"]["images"] == 2
    assert figures["tumours"]["images"] == 8
    assert figures["tumours"]["auc"] == 1
    assert "by_sequence" not in figures["tumours"]


def test_healthy_are_those_of_the_dataset_by_the_radiologists():
    tested = [scan_of("a", "Testing", NOTUMOR), scan_of("b", "Testing", 0)]
    tested += [scan_of("c", "here", NOTUMOR), scan_of("d", "Training", 1)]
    sides = Sides([], [], tested, [NOTUMOR, NOTUMOR, NOTUMOR, 1])
    assert healthy_of(sides) == tested[:2]


@pytest.fixture
def asked(monkeypatch):
    """Trains nothing; keeps the sides, and what each model is asked with."""
    kept = SimpleNamespace(sides=[], fitted=[], temperatures=[])

    def train(training, validation):
        kept.sides.append((training, validation))
        return SimpleNamespace(validation=validation, features=None)

    def answer(done, scans, collected, temperature, pooled, detector):
        kept.temperatures.append(temperature)
        return knowing(scans)

    monkeypatch.setattr(module, "validation_temperature", lambda done: 1.5)
    monkeypatch.setattr(module, "plain_pooled", lambda cache, done: None)
    monkeypatch.setattr(module, "fit_to_sides", lambda _, sides, views: kept.fitted.append(sides))
    monkeypatch.setattr(module, "answer_hospital", answer)
    monkeypatch.setattr(module, "RESAMPLES", 2)
    kept.train = train
    return kept


@pytest.mark.parametrize(("broad", "temperature"), [(True, 0.7), (False, None)])
def test_each_hospital_is_tested_by_the_training_without_it(
    broad, temperature, placed_scans, hospitals, asked, tmp_path
):
    expected = list(without_each(placed_scans, hospitals, broad, ()))
    figures = unseen_hospitals(expected, hospitals, asked.train, temperature, tmp_path)
    assert set(figures) == {"feltrin44", "tcga_lgg_t1c", "tcga_lgg_flair", "br35h"}
    assert asked.sides == [(sides.training, sides.validation) for sides, _ in expected]
    assert asked.temperatures == [temperature or 1.5] * 4
    for sides, (training, _) in zip(asked.fitted, asked.sides, strict=True):
        assert sides.validation, "the refusal's threshold needs a side of its own"
        assert {scan.name for scan in sides.training} <= {scan.name for scan in training}
    counts = {scan.part: 0 for scan in hospitals.scans}
    for scan in hospitals.scans:
        counts[scan.part] += 1
    healthy = len(healthy_of(expected[0][0]))
    assert figures["br35h"]["images"] == counts["br35h"] + healthy
    assert figures["feltrin44"]["images"] == counts["feltrin44"]
    assert set(figures["feltrin44"]["by_sequence"]) == {"T1", "T1C+", "T2"}


@pytest.fixture
def published(small_dataset, outlines, tmp_path):
    """The committed checkpoint, said to have left out five scans each of the dataset and of a
    hospital, and that hospital's scans."""
    models = tmp_path / "models"
    models.mkdir()
    for name in (KERAS_NAME, OOD_NAME):
        shutil.copy(MODELS / name, models)
    of = of_checkpoint(models / KERAS_NAME)
    write_metrics(models, "model", {"sha256": of[CHECKPOINT]}, of)
    scans = find_scans(small_dataset, "Testing")[::3]
    theirs = [dataclasses.replace(scan, part="here") for scan in scans]
    placed = {
        scan.name: Placed(0, scan.label, conflict=False, person=f"p{i // 2}")
        for i, scan in enumerate(theirs)
    }
    outline = next(iter(outlines.values()))
    known = {scan.name: outline for scan in theirs if scan.label == LABELS.index("glioma")}
    tested = [*scans[1:], *theirs]
    record_sides(Sides([], scans[:1], tested, [s.label for s in tested]), {}, models)
    return models, scans, Collected(theirs, placed, known)


@pytest.mark.slow
def test_the_published_file_is_tested_on_what_it_left_out(published, tmp_path):
    models, scans, collected = published
    figures, answers = published_on_hospitals(models, scans, collected, tmp_path / "cache")
    assert [scan.part for scan in answers.scans] == ["here"] * len(collected.scans)
    assert answers.labels.tolist() == [scan.label for scan in answers.scans]
    tumours = answers.labels != NOTUMOR
    right = answers.calibrated.argmax(axis=1) == answers.labels
    assert figures["here"]["named"] == pytest.approx(right[tumours].mean())
    assert figures.keys() == {"here"}
    own = figures["here"]
    assert own["images"] == len(collected.scans)
    assert own["groups"] == len({at.person for at in collected.placed.values()})
    assert own["auc"] > 0.5  # the examples are of the collection it knows
    assert own["pointing_game"] is not None
    assert 0 <= own["refused"] <= 1


@pytest.mark.slow
def test_a_file_that_left_no_hospital_out_is_not_tested(published, tmp_path):
    models, scans, collected = published
    elsewhere = [dataclasses.replace(scan, part="elsewhere") for scan in collected.scans]
    with pytest.raises(UserError, match="left out no scan"):
        published_on_hospitals(models, scans, Collected(elsewhere), tmp_path / "cache")
