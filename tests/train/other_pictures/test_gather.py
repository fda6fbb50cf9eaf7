"""The pictures made on the spot: enough of each kind, readable, and the same every time."""

from __future__ import annotations

import pytest
from PIL import Image

from train.other_pictures import __main__ as command
from train.other_pictures import shipped
from train.other_pictures.gather import KINDS, gather
from train.other_pictures.picture import MAX_SIDE, MIN_SIDE
from train.other_pictures.shipped import Source

MADE = ("text", "plots", "blank", "noise", "handwriting")
TAKEN = ("PHOTOGRAPHS", "DRAWINGS", "SCREENSHOTS", "MEDICAL", "DICOM")
ABSENT = Source("no-such-package", "apt-get install no-such-package", "no_such_module", ("*",))


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.slow
def test_made_pictures_open_and_are_the_same_twice(tmp_path):
    counts = gather(MADE, tmp_path / "first")
    assert tuple(counts) == MADE
    for kind, count in counts.items():
        files = list((tmp_path / "first" / kind).iterdir())
        assert len(files) == count >= command.MIN_OF_A_KIND
        for file in files:
            with Image.open(file) as image:
                image.load()
                assert image.mode == "RGB"
                assert MIN_SIDE <= max(image.size) <= MAX_SIDE
    gather(MADE, tmp_path / "second")
    assert contents(tmp_path / "first") == contents(tmp_path / "second")


def test_absent_packages_are_named_and_the_rest_is_gathered(tmp_path, monkeypatch, capsys):
    for sources in TAKEN:
        monkeypatch.setattr(shipped, sources, (ABSENT,))
    monkeypatch.setattr(shipped, "HEAD_CT", ABSENT)
    kinds = {kind: make for kind, make in KINDS.items() if kind == "plots" or kind not in MADE}
    monkeypatch.setattr(command, "KINDS", kinds)
    assert command.main(["--output", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    line = "no-such-package is not installed: apt-get install no-such-package"
    assert printed.err.splitlines().count(line) == len(TAKEN) + 1
    assert "0 photographs" in printed.out
    assert "1 kinds" in printed.out


def test_namesakes_of_one_kind_are_all_kept(tmp_path, monkeypatch):
    def shades():
        return (("a.png", Image.new("RGB", (120, 120), colour)) for colour in ("red", "blue"))

    monkeypatch.setattr("train.other_pictures.gather.KINDS", {"shades": shades})
    assert gather(["shades"], tmp_path) == {"shades": 2}
    assert {path.name for path in (tmp_path / "shades").iterdir()} == {"a.png", "a_2.png"}
