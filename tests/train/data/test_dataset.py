"""Reading a dataset folder, whole or damaged."""

from __future__ import annotations

import shutil

import pytest

from serve.command import UserError
from tests.conftest import DATASET, needs_dataset
from train.data.dataset import class_counts, find_scans, read_slices


@pytest.fixture
def data(small_dataset, tmp_path):
    return shutil.copytree(small_dataset, tmp_path / "data")


def test_scans_are_counted_by_class(small_dataset):
    scans = find_scans(small_dataset, "Training")
    assert class_counts(scans) == "12 glioma, 12 meningioma, 12 notumor, 12 pituitary"
    assert scans[0].pixels().shape == (224, 224, 3)


def test_unreadable_files_are_named_and_left_out(data, scans, capsys):
    folder = data / "Training" / "glioma"
    (folder / "cut.jpg").write_bytes(scans[0].read_bytes()[:3000])
    (folder / "notes.txt").write_text("not an image", encoding="utf-8")
    (folder / "empty.png").touch()
    found = find_scans(data, "Training")
    assert len(found) == 48
    shown = "".join(capsys.readouterr())
    for name in ("cut.jpg", "notes.txt", "empty.png"):
        assert name in shown


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, "no such folder"),
        (lambda f: [p.unlink() for p in f.iterdir()], "empty"),
        (lambda f: [p.write_bytes(b"x") for p in f.iterdir()], "none of its files"),
    ],
)
def test_a_class_without_images_is_an_error(data, damage, message):
    damage(data / "Training" / "notumor")
    with pytest.raises(UserError, match=f"notumor.*{message}"):
        find_scans(data, "Training")


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\0",
        b"x" * 200_000,
        b"split,class,file\n1,2,3\n",
        b"split,class,file,figshare_index,figshare_class,mirrored\nTraining,glioma\n",
        b"split,class,file,figshare_index,figshare_class,mirrored\na,b,c,1,other,0\n",
    ],
)
def test_what_is_no_table_of_slices_is_named(content, tmp_path):
    path = tmp_path / "slices.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"slices\.csv: ") as refused:
        read_slices(path)
    assert len(str(refused.value).splitlines()) == 1


@needs_dataset
def test_the_published_dataset():
    assert class_counts(find_scans(DATASET, "Testing")) == (
        "300 glioma, 306 meningioma, 405 notumor, 300 pituitary"
    )
