"""Nothing of the collection is among what is trained on."""

from __future__ import annotations

import pytest

from serve.command import UserError
from tests.conftest import BR35H, DATASET, needs_dataset
from train.data.br35h import read_br35h
from train.data.dataset import find_all_scans


def test_a_folder_without_the_table_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"br35h_tumour\.csv"):
        read_br35h(tmp_path, [])


def test_a_folder_without_the_images_is_an_error(tmp_path):
    (tmp_path / "br35h_tumour.csv").write_text("file,kaggle_duplicate\ny0.jpg,\n", encoding="utf-8")
    with pytest.raises(UserError, match="none of the files"):
        read_br35h(tmp_path, [])


@pytest.mark.parametrize("content", [b"\xff\xfe\0", b"x" * 200_000, b"other,columns\n1,2\n"])
def test_what_is_no_table_is_named(content, tmp_path):
    (tmp_path / "br35h_tumour.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"br35h_tumour\.csv: ") as refused:
        read_br35h(tmp_path, [])
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.slow
@needs_dataset
def test_copies_are_on_neither_side():
    scans = find_all_scans(DATASET)
    unseen = read_br35h(BR35H, scans)
    assert len(unseen.tumours) <= 1500 - 110
    assert unseen.copies <= {scan.name for scan in scans}
    assert len(unseen.copies) >= 100
    digests = {scan.digest for scan in scans if scan.name not in unseen.copies}
    assert not digests & {scan.digest for scan in unseen.tumours}
