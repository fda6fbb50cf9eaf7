"""Folders, archives, stacks and bytes: each is taken for what it holds."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serve.formats import archive
from serve.formats.raster import InvalidImageError
from serve.formats.scans import File, Series, read_scans
from tests.conftest import SHARED


def kinds(*sources: object, **options: object) -> list[tuple[str, str, int]]:
    return [(one.name, one.kind, len(one)) for one in read_scans(sources, **options)]


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return buffer.getvalue()


def only_error(source: object) -> str:
    (error,) = read_scans([source])
    assert isinstance(error, InvalidImageError), error
    assert "\n" not in str(error)
    return str(error)


def test_a_picture_is_a_series_of_one(scans):
    (series,) = read_scans([scans[0]])
    assert (series.name, series.kind, len(series)) == (str(scans[0]), "picture", 1)
    (one,) = series
    assert np.array_equal(one.pixels, np.asarray(Image.open(scans[0]).convert("RGB")))
    assert (one.name, one.index, one.warnings) == (str(scans[0]), 0, ())
    assert [part.name for part in series] == [one.name]  # and once more


def test_pictures_arrays_bytes_and_named_bytes(scans):
    image = Image.open(scans[0])
    sources = [image, np.asarray(image), scans[0].read_bytes(), File("-", scans[0].read_bytes())]
    found = list(read_scans(sources))
    assert [one.name for one in found] == ["<JpegImageFile>", "<ndarray>", "<bytes>", "-"]
    for series in found:
        (one,) = series
        assert np.array_equal(one.pixels, np.asarray(image.convert("RGB")))


def test_a_folder_is_read_by_content(scans, tmp_path):
    (tmp_path / "b" / ".hidden").mkdir(parents=True)
    shutil.copy(scans[0], tmp_path / "b" / "no_suffix")
    shutil.copy(scans[1], tmp_path / "a.txt")
    shutil.copy(scans[2], tmp_path / "c.jfif")
    for name in ("._a.jpg", "Thumbs.db", ".DS_Store", "b/.hidden/x.jpg"):
        shutil.copy(scans[0], tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")
    (tmp_path / "empty").touch()
    (tmp_path / "report.docx").write_bytes(zipped({"word/media/image1.jpg": scans[3].read_bytes()}))
    (tmp_path / "damaged.png").write_bytes(b"no picture either")
    skipped: Counter[str] = Counter()
    found = list(read_scans([tmp_path], skipped=skipped))
    names = [str(Path(one.name).relative_to(tmp_path)) for one in found]
    assert names == ["a.txt", "c.jfif", "damaged.png", "b/no_suffix"]
    assert [isinstance(one, Series) for one in found] == [True, True, False, True]
    assert skipped == {"no picture": 3}


def test_what_is_ignored_is_not_looked_at(scans, tmp_path):
    for name in ("in/a.jpg", "out/b.jpg", "c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(scans[0], tmp_path / name)
    found = read_scans([tmp_path], ignore=lambda path: path.name in ("out", "c.jpg"))
    assert [Path(one.name).name for one in found] == ["a.jpg"]


def test_what_is_named_must_be_a_picture(tmp_path):
    text = tmp_path / "a.txt"
    text.write_text("no picture", encoding="utf-8")
    assert "not a picture" in only_error(text)
    assert "no such file" in only_error(tmp_path / "missing")
    assert "empty" in only_error(b"")


STACKS = {"TIFF": {}, "GIF": {}, "WEBP": {"lossless": True}, "PNG": {}}


@pytest.mark.parametrize("form", STACKS)
def test_every_page_of_a_stack(form, scans, tmp_path):
    pages = [Image.open(scan).convert("L").resize((96, 96)) for scan in scans[:3]]
    path = tmp_path / "stack"
    pages[0].save(path, form, save_all=True, append_images=pages[1:], **STACKS[form])
    (series,) = read_scans([path])
    assert (series.kind, len(series)) == ("stack", 3)
    found = list(series)
    assert [one.name for one in found] == [f"{path}[{number}]" for number in range(3)]
    for one, page in zip(found, pages, strict=True):
        assert np.abs(one.pixels[:, :, 0].astype(int) - np.asarray(page)).max() <= 4


def test_a_stack_of_deep_pages_without_the_empty_ones(scans, tmp_path):
    grey = np.asarray(Image.open(scans[0]).convert("L").resize((128, 128))).astype(np.uint16) * 7
    noise = np.random.default_rng(0).integers(0, 15, grey.shape).astype(np.uint16)
    pages = [Image.fromarray(one) for one in (noise, grey, grey // 2, grey // 3, noise * 0)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    (series,) = read_scans([tmp_path / "a.tif"])
    assert [one.index for one in series] == [1, 2, 3]
    assert series.skipped == {"without enough brain": 2}


def test_a_damaged_page_does_not_end_the_stack(scans, tmp_path):
    pages = [Image.open(scan).convert("L").resize((96, 96)) for scan in scans[:4]]
    pages[0].save(
        tmp_path / "a.tif", save_all=True, append_images=pages[1:], compression="tiff_lzw"
    )
    content = bytearray((tmp_path / "a.tif").read_bytes())
    with Image.open(tmp_path / "a.tif") as image:
        image.seek(1)
        start = image.tag_v2[273][0]
    content[start : start + 500] = b"\xff" * 500
    (series,) = read_scans([bytes(content)])
    found = list(series)
    assert len(found) == 4
    assert [isinstance(one, InvalidImageError) for one in found].count(True) <= 1


def test_an_archive_is_read_like_a_folder(scans):
    content = zipped(
        {
            "scans/b.jpg": scans[1].read_bytes(),
            "scans/a": scans[0].read_bytes(),
            "__MACOSX/._a": b"x",
            "scans/.hidden.jpg": scans[2].read_bytes(),
            "notes.txt": b"no picture",
        }
    )
    skipped: Counter[str] = Counter()
    found = kinds(File("disc.zip", content), skipped=skipped)
    assert [(name, kind) for name, kind, _ in found] == [
        ("disc.zip/scans/a", "picture"),
        ("disc.zip/scans/b.jpg", "picture"),
    ]
    assert skipped == {"no picture": 1}


@pytest.mark.parametrize("name", ["../a.jpg", "/a.jpg", "x/../../a.jpg", "..\\a.jpg", "C:/a.jpg"])
def test_no_path_leaves_an_archive(name, scans):
    assert "leaves the archive" in only_error(zipped({name: scans[0].read_bytes()}))


def test_archives_are_bounded(scans, monkeypatch):
    scan = scans[0].read_bytes()
    assert "an archive within an archive" in only_error(zipped({"in.zip": zipped({"a": scan})}))
    assert "packed too tightly" in only_error(zipped({"a": bytes(10_000_000)}, zipfile.ZIP_BZIP2))
    monkeypatch.setattr(archive, "MAX_ENTRIES", 1)
    assert "over 1" in only_error(zipped({"a": scan, "b": scan}))
    monkeypatch.setattr(archive, "MAX_ENTRIES", 9)
    monkeypatch.setattr(archive, "MAX_ENTRY", 1000)
    assert "too large" in only_error(zipped({"a": scan}))


def test_damaged_archives(scans):
    content = zipped({"a.jpg": scans[0].read_bytes()}, zipfile.ZIP_STORED)
    assert "damaged" in only_error(content[:-30])
    broken = bytearray(content)
    broken[5000] ^= 1
    assert "damaged in the archive" in only_error(bytes(broken))
    encrypted = content.replace(b"PK\x01\x02\x14\x03\x14\0\0\0", b"PK\x01\x02\x14\x03\x14\0\1\0")
    assert "encrypted" in only_error(encrypted)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared")
@pytest.mark.parametrize("name", ["multipage.tiff", "animated.gif"])
def test_stacks_as_people_have_them(name):
    path = SHARED / "cases" / "files" / name
    assert kinds(path) == [(str(path), "stack", 8)]
    (series,) = read_scans([path])
    assert len(list(series)) == 8
