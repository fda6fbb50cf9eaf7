"""A volume's slices are answered one by one, and together."""

from __future__ import annotations

import dataclasses
import json
import resource
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serve import BrainTumorClassifier, InvalidImageError
from serve.formats.scans import read_scans
from serve.series import cam_volume, most_suspicious, one_series, pooled, write_volume
from tests.conftest import SHARED, label_of, peak_of

nibabel = pytest.importorskip("nibabel", reason="needs nibabel")

VOLUMES = SHARED / "data" / "volumes"
MOST_SECONDS, MOST_MEMORY = 20, 600_000_000  # of 180 slices of 256 x 256 on two cores

needs_volumes = pytest.mark.skipif(not VOLUMES.is_dir(), reason="needs ../shared/data/volumes")


@pytest.fixture(scope="module")
def classifier() -> BrainTumorClassifier:
    return BrainTumorClassifier("int8", "cpu")


@pytest.fixture(scope="module")
def stack(scans, tmp_path_factory) -> Path:
    """The eight scans as the pages of a file, between two empty ones."""
    pages = [Image.open(scan).convert("L").resize((224, 224)) for scan in scans]
    path = tmp_path_factory.mktemp("stack") / "stack.tif"
    empty = Image.new("L", (224, 224))
    empty.save(path, save_all=True, append_images=[*pages, empty])
    return path


def test_a_stack_gets_an_answer_a_page(classifier, stack, scans):
    found = classifier.predict_series(stack)
    assert (found.name, found.kind) == (str(stack), "stack")
    assert [one.label for one in found.slices] == [label_of(scan) for scan in scans]
    assert [one.path for one in found.slices] == [f"{stack}[{number}]" for number in range(1, 9)]
    assert found.indices == list(range(1, 9))
    assert found.skipped == {"without enough brain": 2}
    assert found.classes == {"glioma": 2, "meningioma": 2, "notumor": 2, "pituitary": 2}
    assert found.run == (1, 4)
    assert len(found.suspicious) == 3
    assert not {5, 6} & set(found.suspicious)
    assert found.tumour > 0.9
    assert (found.errors, found.warnings) == ([], [])


def test_the_answer_is_ready_for_json(classifier, stack):
    found = classifier.predict_series(stack)
    read = json.loads(json.dumps(dataclasses.asdict(found)))
    assert read["slices"][0]["label"] == found.slices[0].label
    assert read["run"] == [1, 4]


def test_each_page_gets_the_answer_of_its_picture(classifier, stack, scans):
    pages = [Image.open(scan).convert("L").resize((224, 224)) for scan in scans]
    expected = classifier.predict(pages)
    for one, other in zip(classifier.predict_series(stack).slices, expected, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)


def test_a_picture_is_a_series_of_one(classifier, scans):
    found = classifier.predict_series(scans[0])
    assert (found.kind, len(found.slices)) == ("picture", 1)
    assert found.tumour == pytest.approx(1 - found.slices[0].probabilities["notumor"])


def test_predict_names_predict_series(classifier, stack):
    with pytest.raises(InvalidImageError, match=r"stack\.tif: it holds 10 slices.*predict_series"):
        classifier.predict(stack)


def test_a_negative_is_said_to_look_inverted(classifier, scans):
    grey = 255 - np.asarray(Image.open(scans[0]).convert("L"))
    found = classifier.predict_series(grey)
    assert found.warnings == ["It looks inverted: the background is bright."]


def test_several_series_are_not_one(classifier, stack, scans, tmp_path):
    for number, scan in enumerate(scans[:2]):
        (tmp_path / f"{number}.jpg").write_bytes(scan.read_bytes())
    with pytest.raises(InvalidImageError, match=r"it holds 2 series.*read_scans"):
        classifier.predict_series(tmp_path)
    given = [classifier.predict_series(one) for one in read_scans([tmp_path, stack])]
    assert [len(one.slices) for one in given] == [1, 1, 8]


def test_unreadable_series(classifier, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidImageError, match="it holds 0 series"):
        classifier.predict_series(tmp_path / "empty")
    with pytest.raises(InvalidImageError, match="no such file"):
        classifier.predict_series(tmp_path / "missing.nii")


@pytest.mark.parametrize(
    ("tumour", "expected"),
    [
        ([0.1, 0.9, 0.9, 0.9, 0.1], 0.9),  # a tumour shows in neighbours
        ([0.0, 0.9, 0.0, 0.0, 0.9], 0.3),  # single slices count a third
        ([0.4, None, 0.4, None, 0.4], 0.4),
        ([0.7, 0.5], 0.6),
        ([0.7], 0.7),
        ([None, None], None),
        ([], None),
    ],
)
def test_pooling(tumour, expected):
    assert pooled(tumour) == (expected if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("tumour", "expected"),
    [
        ([0.9, 0.99, 0.98, 0.97, 0.1, 0.6, 0.1, 0.8], [1, 7, 5]),  # one of each place
        ([0.9, 0.99, 0.98, 0.1, 0.7], [1, 2, 4]),  # then the next worst
        ([0.9, None, 0.8, 0.7], [0, 2, 3]),
        ([0.1, 0.6], [1]),
        ([0.1, None], []),
    ],
)
def test_the_most_suspicious_slices_are_of_different_places(tumour, expected):
    assert most_suspicious(tumour, range(len(tumour))) == expected


@needs_volumes
@pytest.mark.parametrize("name", ["gbm_01", "gbm_02"])
def test_a_suspicious_slice_of_a_volume_holds_its_tumour(classifier, name):
    series = one_series(VOLUMES / f"{name}_t1.nii.gz")
    found = classifier.predict_series(series)
    mask = np.asarray(nibabel.load(VOLUMES / f"{name}_mask.nii.gz").dataobj)
    assert any(series.space.cut(mask, index).any() for index in found.suspicious)


@needs_volumes
def test_the_map_of_a_volume_lies_on_its_tumour(classifier, tmp_path):
    path = VOLUMES / "gbm_01_t1.nii.gz"
    series = one_series(path)
    answers, maps = classifier.explain_series(series)
    assert len(answers.slices) == len(maps) == 20
    assert answers.tumour > 0.5
    volume = cam_volume(series.space, answers, maps, classifier.labels)
    mask = np.asarray(nibabel.load(VOLUMES / "gbm_01_mask.nii.gz").dataobj) > 0
    assert volume[mask].mean() > 3 * volume[~mask].mean()
    write_volume(tmp_path / "cam.nii.gz", volume, series.space)
    written, scan = nibabel.load(tmp_path / "cam.nii.gz"), nibabel.load(path)
    assert written.shape == scan.shape
    assert np.allclose(written.affine, scan.affine)
    assert np.array_equal(written.get_fdata(), volume)


def test_a_volume_of_maps_lies_in_the_space_of_the_input(classifier, scans, tmp_path):
    """However the voxels are stored, the evidence lies where the tumour is."""
    grey = np.asarray(Image.open(scans[2]).convert("L").resize((96, 96))).astype(np.int16)
    voxels = np.stack([grey.T[::-1, ::-1]] * 4, axis=2)  # to the right, to the front, up
    plain = nibabel.Nifti1Image(voxels, np.diag([2, 2, 5, 1]))
    found = {}
    for order in ("RAS", "LPS", "SAR"):
        to = nibabel.orientations.axcodes2ornt(order)
        turn = nibabel.orientations.ornt_transform(nibabel.io_orientation(plain.affine), to)
        nibabel.save(plain.as_reoriented(turn), tmp_path / f"{order}.nii.gz")
        series = one_series(tmp_path / f"{order}.nii.gz")
        answers, maps = classifier.explain_series(series)
        volume = cam_volume(series.space, answers, maps, classifier.labels)
        write_volume(tmp_path / f"cam-{order}.nii.gz", volume, series.space)
        written = nibabel.as_closest_canonical(nibabel.load(tmp_path / f"cam-{order}.nii.gz"))
        found[order] = written.get_fdata()
    assert found["RAS"].max() > 0.5
    assert np.allclose(found["RAS"], found["LPS"])
    assert np.allclose(found["RAS"], found["SAR"])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, which says what a process took")
def test_a_volume_of_180_slices_is_answered_in_little_memory_and_time(scans, tmp_path):
    grey = np.asarray(Image.open(scans[0]).convert("L").resize((256, 256))).astype(np.int16)
    voxels = np.stack([grey.T * (4 + number % 3) for number in range(180)], axis=2)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / "a.nii.gz")
    command = (
        "import sys; from serve import BrainTumorClassifier as C; "
        "assert len(C('int8', 'cpu', 2).predict_series(sys.argv[1]).slices) == 180"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    status, peak = peak_of("-c", command, tmp_path / "a.nii.gz")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert status == 0
    assert peak < MOST_MEMORY
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < 2 * MOST_SECONDS  # of two cores
