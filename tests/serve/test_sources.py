"""What the words of a command line name."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from serve.formats.raster import InvalidImageError
from serve.sources import expand, find, skipped_line

HIDDEN = ("._scan.jpg", ".hidden.jpg", ".git/scan.jpg", "Thumbs.db", "desktop.ini")


@pytest.fixture
def folder(scans, tmp_path) -> Path:
    """Scans and litter."""
    for name in ("b.jpg", "a/c.JPG", "a/no_suffix", "d.jfif", "e.pjpeg", *HIDDEN):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(scans[0], target)
    (tmp_path / "notes.txt").write_text("words", encoding="utf-8")
    (tmp_path / "a" / "table.csv").write_text("a,b", encoding="utf-8")
    return tmp_path


def names(words, skipped=None, ignore=lambda path: False) -> list[str]:
    found = find(words, "auto", None, Counter() if skipped is None else skipped, ignore)
    return [str(one) if isinstance(one, InvalidImageError) else one.name for one in found]


def test_a_folder_is_searched_by_content(folder):
    skipped = Counter()
    found = names([str(folder)], skipped)
    expected = ("b.jpg", "d.jfif", "e.pjpeg", "a/c.JPG", "a/no_suffix")
    assert found == [str(folder / name) for name in expected]
    assert skipped_line(skipped) == "2 files skipped: 2 no pictures"


def test_what_is_to_be_ignored_is_not_looked_at(folder):
    found = names([str(folder)], ignore=lambda path: path.name != "b.jpg")
    assert found == [str(folder / "b.jpg")]


def test_the_line_about_skipped_files():
    counted = Counter({"no picture": 10, "unreadable folder": 2})
    assert skipped_line(counted) == "12 files skipped: 10 no pictures, 2 unreadable folders"
    assert skipped_line(Counter({"overlay": 1})) == "1 file skipped: 1 overlay"


def test_wildcards_that_no_shell_has_expanded(folder, scans):
    assert list(expand([str(folder / "*.j*")])) == [str(folder / n) for n in ("b.jpg", "d.jfif")]
    assert list(expand([str(folder / "**" / "c.*")])) == [str(folder / "a" / "c.JPG")]
    (error,) = expand([str(folder / "*.dcm")])
    assert str(error) == f"{folder / '*.dcm'}: no file matches"
    shutil.copy(scans[0], folder / "scan[1].jpg")
    assert list(expand([str(folder / "scan[1].jpg")])) == [str(folder / "scan[1].jpg")]


def test_lists_of_names(folder, monkeypatch):
    monkeypatch.chdir(folder)
    Path("list.txt").write_bytes("\ufeffb.jpg\r\n\r\n*.jfif\n-\nmissing.jpg".encode())
    assert list(expand(["@list.txt"])) == ["b.jpg", "d.jfif", "-", "missing.jpg"]
    shutil.copy("b.jpg", "@b.jpg")
    assert list(expand(["@b.jpg"])) == ["@b.jpg"]
    Path("empty.txt").write_bytes(b"\n")
    for word, reason in (
        ("@none.txt", "the list cannot be read (No such file or directory)"),
        ("@b.jpg.jpg", "the list cannot be read"),
        ("@d.jfif", "not a list of names, one a line"),
        ("@empty.txt", "not a list of names, one a line"),
    ):
        (error,) = expand([word])
        assert str(error).startswith(f"{word}: {reason}")


def test_errors_keep_their_place_among_what_is_found(folder, scans):
    words = [str(scans[0]), "none*", str(folder / "b.jpg"), "@none", "missing.jpg"]
    found = names(expand(words))
    assert found == [
        str(scans[0]),
        "none*: no file matches",
        str(folder / "b.jpg"),
        "@none: the list cannot be read (No such file or directory)",
        "missing.jpg: no such file",
    ]
