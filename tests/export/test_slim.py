"""The small model: made again in small, and its parts by hand."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from export import quantize, slim
from export.float32_against_int8 import answers_of
from export.metadata import beside, metadata_of
from export.slimming import distillation, pruning
from export.slimming.distillation import Lessons
from export.slimming.network import COMPARED, WIDTHS, arithmetic, convolutions, observed, resized
from export.slimming.sides import Folders, Scan, read_sides
from export.slimming.views import view
from serve.artifacts import KERAS_NAME, MODELS, ONNX_NAME, OOD_NAME, SMALL_NAME
from serve.classifier import BrainTumorClassifier
from serve.command import UserError
from serve.formats.raster import load_pixels
from serve.gradcam import KerasGradCam
from serve.metrics import read_metrics
from serve.track_record import read_track_record
from serve.trained_on import TrainedOn, write_trained_on

TINY = dict.fromkeys(WIDTHS, 8)


@pytest.fixture(scope="module")
def pixels(scans) -> np.ndarray:
    return np.stack([load_pixels(scan, 224) for scan in scans[:4]])


@pytest.fixture
def models(small_dataset, tmp_path) -> Path:
    """The committed checkpoint, as if it were trained on the small dataset's Training."""
    files = [path.relative_to(small_dataset) for path in sorted(small_dataset.rglob("*.jpg"))]
    rows = [
        TrainedOn(file.as_posix(), "test" if file.parts[0] == "Testing" else side, "")
        for side, part in (("training", files[::2]), ("validation", files[1::2]))
        for file in part
    ]
    write_trained_on(rows, tmp_path)
    for name in (KERAS_NAME, ONNX_NAME, OOD_NAME):
        shutil.copy(MODELS / name, tmp_path)
    return tmp_path


def test_a_fifth_of_the_arithmetic(checkpoint):
    assert arithmetic(checkpoint) == pytest.approx(15.35e9, rel=0.001)
    small = resized(checkpoint, WIDTHS)
    assert arithmetic(small) <= arithmetic(checkpoint) / 5
    assert len(convolutions(small)) == 13
    assert small.get_layer("block5_conv3").output.shape[1:3] == (14, 14)
    assert {layer.name for layer in small.layers} == {layer.name for layer in checkpoint.layers}


@pytest.mark.parametrize("fast", [False, True])
def test_resized_to_its_own_size_it_is_the_same_network(checkpoint, pixels, fast):
    same = resized(checkpoint, {}, fast)
    same.set_weights(checkpoint.get_weights())
    found, expected = (m.predict_on_batch(pixels.astype(float)) for m in (same, checkpoint))
    np.testing.assert_allclose(found, expected, atol=0.05 if fast else 1e-5)


def test_the_maps_are_grad_cam(checkpoint, pixels):
    maps = np.maximum(observed(checkpoint).predict_on_batch(pixels.astype(float))["maps"], 0)
    scaled = maps / np.maximum(maps.max(axis=(2, 3), keepdims=True), 1e-20)
    np.testing.assert_allclose(scaled, KerasGradCam(checkpoint)(pixels), atol=1e-3)


def test_patches_and_kernel_are_the_convolution(checkpoint):
    layer = checkpoint.get_layer("block5_conv1")
    features = np.random.default_rng(0).normal(size=(2, 14, 14, 512)).astype(np.float32)
    places = np.array([[0, 5, 13], [0, 13, 7]])
    kernel, bias = layer.get_weights()
    rows = pruning._patches(features, places).reshape(6, -1)
    found = np.maximum(rows @ kernel.reshape(-1, 512) + bias, 0).reshape(2, 3, 512)
    expected = np.asarray(layer(features))[:, places[0], places[1]]
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.fixture
def redundant() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Six channels of which the last three are made of the first three, seen by a convolution."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=(2000, 9, 3)).astype(np.float32)
    mixing = rng.normal(size=(3, 3)).astype(np.float32)
    seen = np.concatenate([first, first @ mixing], axis=2) + 1
    kernel = rng.normal(size=(3, 3, 6, 5)).astype(np.float32)
    bias = rng.normal(size=5).astype(np.float32)
    return seen, seen.reshape(2000, -1) @ kernel.reshape(-1, 5) + bias, kernel, bias


@pytest.mark.parametrize("count", [3, 6])
def test_what_follows_from_the_rest_can_go(redundant, count):
    seen, given, kernel, bias = redundant
    kept, (fitted, new_bias) = pruning._choose(seen.copy(), given, kernel, bias, count)
    assert len(set(kept.tolist())) == count and fitted.shape == (3, 3, count, 5)
    found = seen[:, :, kept].reshape(2000, -1) @ fitted.reshape(-1, 5) + new_bias
    assert np.abs(found - given).mean() < 0.02 * np.abs(given - given.mean(axis=0)).mean()


def test_a_channel_that_nothing_needs_goes_first(redundant):
    seen, given, kernel, bias = redundant
    kernel[:, :, 1] = 0
    kept, _ = pruning._choose(seen, given, kernel, bias, 5)
    assert kept.tolist() == [0, 2, 3, 4, 5]


@pytest.mark.slow
def test_pruning_keeps_the_published_answers(checkpoint, scans):
    pixels = np.stack([load_pixels(scan, 224) for scan in scans])
    pruned = pruning.prune(checkpoint, WIDTHS, pixels, seed=0)
    assert {name: len(own) for name, own in pruned.channels.items()} == WIDTHS
    found = observed(pruned.model).predict_on_batch(pixels.astype(float))
    expected = observed(checkpoint, pruned.channels).predict_on_batch(pixels.astype(float))
    assert found.keys() == expected.keys() >= COMPARED.keys()
    assert all(found[name].shape == expected[name].shape for name in found)
    assert (found["logits"].argmax(1) == expected["logits"].argmax(1)).mean() >= 0.75
    error = ((found["block3_pool"] - expected["block3_pool"]) ** 2).mean()
    assert error < 0.15 * (expected["block3_pool"] ** 2).mean()


def test_views_differ_and_follow_from_the_draw(pixels):
    views = [view(pixels[0], pixels[1], np.random.default_rng(seed)) for seed in range(40)]
    again = [view(pixels[0], pixels[1], np.random.default_rng(seed)) for seed in range(40)]
    np.testing.assert_array_equal(views, again)
    plain = sum(np.array_equal(one, pixels[0]) for one in views)
    assert 2 <= plain <= 18
    assert {(one.shape, one.dtype.name) for one in views} == {((224, 224, 3), "uint8")}
    assert all(one.max() > 40 for one in views)  # something is still to be seen


class Echo:
    """A teacher that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def predict_on_batch(self, batch):
        self.asked += 1
        return {"logits": batch.mean(axis=(1, 2))}


def test_lessons_follow_from_the_seed(scans, monkeypatch, tmp_path):
    monkeypatch.setattr(distillation, "BATCH", 3)
    own = [Scan(scan, "", "glioma") for scan in scans]
    first, again, other = (
        Lessons(own, Echo(), tmp_path / name, 7, seed)
        for name, seed in (("first", 0), ("again", 0), ("other", 1))
    )
    assert len(first) == 3 and len(first[2][0]) == 1
    np.testing.assert_array_equal(first[1][0], again[1][0])
    assert not np.array_equal(first[1][0], other[1][0])
    watched = Lessons(own, Echo(), tmp_path / "watched")
    np.testing.assert_array_equal(watched[0][0][1], load_pixels(scans[1], 224))


def test_the_teacher_says_once_what_a_lesson_is(scans, monkeypatch, tmp_path):
    monkeypatch.setattr(distillation, "BATCH", 2)
    teacher = Echo()
    lessons = Lessons([Scan(scan, "", "glioma") for scan in scans], teacher, tmp_path, 8)
    plain = [lessons[number][0] for number in range(4)]
    shuffled = lessons.shuffled(1)
    orders = [
        [_which(plain, lessons.shuffled(epoch)[at][0]) for at in range(4)] for epoch in range(9)
    ]
    assert teacher.asked == 4
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert len(set(map(tuple, orders))) > 1
    pixels, said = shuffled[0]
    assert pixels.dtype == said["logits"].dtype == np.float32
    np.testing.assert_allclose(said["logits"], pixels.mean(axis=(1, 2)), rtol=1e-3)


def _which(batches: list[np.ndarray], batch: np.ndarray) -> int:
    (number,) = (at for at, one in enumerate(batches) if np.array_equal(one, batch))
    return number


def test_scans_of_all_folders_are_found(tmp_path, scans):
    data, collections, br35h = (tmp_path / name for name in ("data", "collections", "br35h"))
    files = {
        "Training/glioma/a.jpg": data / "Training/glioma/a.jpg",
        "Training/notumor/b.jpg": data / "Training/notumor/b.jpg",
        "Testing/glioma/c.jpg": data / "Testing/glioma/c.jpg",
        "lgg/notumor/d.jpg": collections / "lgg/tumour_free/d.jpg",
        "br35h/tumour/e.jpg": br35h / "images/e.jpg",
    }
    for path in files.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(scans[0], path)
    with (collections / "collections.csv").open("w", newline="") as file:
        rows = [("collection", "class", "file"), ("lgg", "tumour_free", "lgg/tumour_free/d.jpg")]
        csv.writer(file).writerows(rows)
    folds = dict(zip(files, "12012", strict=True))
    rows = [TrainedOn(f, "test" if "Testing" in f else "training", folds[f]) for f in files]
    write_trained_on([*rows, TrainedOn("lgg/notumor/gone.jpg", "training", "1")], tmp_path)

    sides = read_sides(tmp_path, Folders(data, collections, br35h))
    # no validation side: the first fold of the training side takes its place
    assert [scan.cell for scan in sides.validation] == [" glioma", "lgg notumor"]
    assert [scan.cell for scan in sides.training] == [" notumor", "br35h tumour"]
    assert [scan.path for scan in sides.tested] == [files["Testing/glioma/c.jpg"]]
    with pytest.raises(UserError, match="holds no scan of the model's training side"):
        read_sides(tmp_path, Folders(tmp_path / "elsewhere"))


@pytest.mark.slow
def test_made_again_in_small(small_dataset, scans, models, monkeypatch, capsys, tmp_path):
    for module, name, value in (
        (distillation, "EPOCHS", 2),
        (distillation, "PICTURES", 8),
        (distillation, "BATCH", 4),
        (distillation, "WARM_UP", 1),
        (distillation, "WATCHED", 4),
        (slim, "SCANS_TO_PRUNE_ON", 4),
        (slim, "WIDTHS", TINY),
        (slim, "LEAST_SAME", 0.0),
        (quantize, "SCANS_A_CLASS", 1),
    ):
        monkeypatch.setattr(module, name, value)
    output = models / SMALL_NAME
    words = ["--data", small_dataset, "--checkpoint", models / KERAS_NAME, "--output", output]
    words = [str(word) for word in [*words, "--cache", tmp_path / "cache"]]
    assert slim.main(words) == 0

    figures = read_metrics(models)["export"]["small"]
    assert figures["images"] == 16 and figures["bytes"] == output.stat().st_size
    assert figures["of"] == {"checkpoint": slim.sha256(models / KERAS_NAME)}
    properties = metadata_of(onnx.load(output))
    assert properties["precision"] == "int8"
    assert properties["track_record"] == figures["track_record"]
    assert beside(output).is_file()
    assert np.isfinite(answers_of(output, scans).scores).all()
    monkeypatch.setattr("serve.classifier.MODELS", models)
    small, full = (BrainTumorClassifier(name, "cpu") for name in ("small", "fp32"))
    assert small.model == SMALL_NAME
    assert small.metadata["source_sha256"] == full.metadata["source_sha256"]
    assert small.explain(scans[0]).maps.keys() == full.explain(scans[0]).maps.keys()
    first = output.read_bytes()

    (run,) = (tmp_path / "cache").iterdir()
    assert sorted(path.name for path in run.iterdir()) == ["epoch-02.weights.h5", "pruned.npz"]
    capsys.readouterr()
    monkeypatch.setattr(slim, "prune", None)  # is not called again
    monkeypatch.setattr(slim, "LEAST_SAME", 1.1)
    with pytest.raises(UserError, match="not written, too many"):
        slim.main(words)
    assert "resuming after epoch 2 of 2" in capsys.readouterr().out
    assert output.read_bytes() == first  # what was there is still there
    (run / "epoch-02.weights.h5").write_bytes(b"no weights")
    with pytest.raises(UserError, match="the checkpoint is damaged"):
        slim.main(words)


def test_the_committed_one_answers_explains_and_refuses(scans):
    small, full = (BrainTumorClassifier(name, "cpu") for name in ("small", "int8"))
    assert [one.label for one in small.predict(scans)] == [one.label for one in full.predict(scans)]
    maps, others = small.explain(scans[0]).maps, full.explain(scans[0]).maps
    label = small.predict(scans[0]).label
    assert np.corrcoef(maps[label].ravel(), others[label].ravel())[0, 1] > 0.8
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    assert not small.predict(noise).brain_mri
    assert small.track_record == read_track_record(small.metadata["track_record"])


def test_no_data_is_one_line(run_here, tmp_path):
    done = run_here("export.slim", "--data", tmp_path, "--output", tmp_path / "small.onnx")
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert error == f"error: {tmp_path}: holds no scan of the model's training side"
