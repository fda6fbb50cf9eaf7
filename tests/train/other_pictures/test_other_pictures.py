"""The pictures made on the spot: enough of each kind, readable, and the same every time."""

from __future__ import annotations

import pytest
from PIL import Image

from train.other_pictures import gather as module
from train.other_pictures.gather import (
    KINDS,
    MAX_SIDE,
    MIN_OF_A_KIND,
    MIN_SIDE,
    Source,
    gather,
    main,
)

MADE = ("text", "plots", "blank", "noise", "handwriting")
TAKEN = ("PHOTOGRAPHS", "DRAWINGS", "SCREENSHOTS", "MEDICAL", "DICOM")
ABSENT = Source("no-such-package", "apt-get install no-such-package", "no_such_module", ("*",))


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_made_pictures_open_and_are_the_same_twice(tmp_path):
    counts = gather(MADE, tmp_path / "first")
    assert tuple(counts) == MADE
    for kind, count in counts.items():
        files = list((tmp_path / "first" / kind).iterdir())
        assert len(files) == count >= MIN_OF_A_KIND
        for file in files:
            with Image.open(file) as image:
                image.load()
                assert image.mode == "RGB"
                assert MIN_SIDE <= max(image.size) <= MAX_SIDE
    gather(MADE, tmp_path / "second")
    assert contents(tmp_path / "first") == contents(tmp_path / "second")


def test_absent_packages_are_named_and_the_rest_is_gathered(tmp_path, monkeypatch, capsys):
    for sources in TAKEN:
        monkeypatch.setattr(module, sources, (ABSENT,))
    monkeypatch.setattr(module, "HEAD_CT", ABSENT)
    kinds = {kind: make for kind, make in KINDS.items() if kind == "plots" or kind not in MADE}
    monkeypatch.setattr(module, "KINDS", kinds)
    assert main(["--output", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    line = "no-such-package is not installed: apt-get install no-such-package"
    assert printed.err.splitlines().count(line) == len(TAKEN) + 1
    assert "0 photographs" in printed.out
    assert "1 kinds" in printed.out


def test_large_and_transparent_pictures(tmp_path, monkeypatch):
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    Image.new("RGBA", (1600, 400)).save(shipped / "clear.png")
    Image.new("RGB", (1600, 99)).save(shipped / "toolbar.png")
    Image.new("I;16", (120, 120), 40000).save(shipped / "deep.tif")
    source = Source("shipped", "", str(shipped), ("*.png", "*.tif"))
    monkeypatch.setattr(module, "DRAWINGS", (source,))
    assert gather(["drawings"], tmp_path) == {"drawings": 2}
    with Image.open(tmp_path / "drawings" / "shipped_clear.png") as image:
        assert image.size == (800, 200)
        assert image.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("modality", "part", "taken"),
    [
        ("CT", "HEAD", True),
        ("US", None, True),
        ("MR", "ABDOMEN", True),
        ("MR", "HEAD", False),
        ("MR", None, False),
        ("SEG", None, False),
    ],
)
def test_no_brain_mri_is_taken(modality, part, taken):
    dataset = {"PixelData": b"", "Modality": modality, "BodyPartExamined": part}
    assert module._other_than_brain_mri(dataset) is taken
