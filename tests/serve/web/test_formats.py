"""Archives and compressed DICOM on the page, read as in Python."""

from __future__ import annotations

import base64
import io
import shutil
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("pydicom", reason="needs pydicom")

from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    RLELossless,
)

from serve.formats.raster import load_image
from serve.formats.scans import File, read_scans
from tests.conftest import label_of
from tests.serve.formats.dicoms import LOUD, content_of, dicom, volume_of
from tests.serve.formats.test_dicom_series import enhanced
from tests.serve.web.visits import BOX
from tests.serve.web.visits import address as address
from tests.serve.web.visits import classifier as classifier
from tests.serve.web.visits import scans as scans
from tests.serve.web.visits import visited as visited

pytestmark = [
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node.js and npm"),
]


def test_an_archive_is_read_like_a_folder(visited, scans, tmp_path):
    grey = np.asarray(Image.open(scans[3]).convert("L")).astype(np.uint16) * 7 + 200
    files = volume_of(grey, tmp_path / "series", 4)
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(scans[0], "pictures/one.jpg")
        archive.writestr("pictures/damaged.png", b"these are words")
        archive.writestr("letter.txt", "Dear colleague")
        archive.writestr("__MACOSX/pictures/._one.jpg", b"litter")
        for file in files:
            archive.write(file, f"series/{file.name}", zipfile.ZIP_STORED)
    visited.page.set_input_files(BOX, path)
    visited.page.get_by_text("2 of 3 files answered").wait_for()
    cards = visited.page.locator(".cards > li")
    said = [one.inner_text() for one in cards.all()]
    assert "study.zip/pictures/damaged.png" in said[0]
    assert "study.zip/pictures/one.jpg" in said[1]
    assert "DICOM series, " in said[2]
    assert not any(word in visited.page.content() for word in LOUD)


@pytest.mark.parametrize(
    "kind, said",
    [
        ("leaves", "the path of a file in it leaves the archive"),
        ("tight", "a file in it is packed too tightly to be a scan"),
        ("encrypted", "it is encrypted"),
        ("link", "a file in it is a link"),
        ("within", "an archive within an archive is not opened"),
        ("damaged", "it is damaged in the archive"),
        ("cut", "the archive is damaged"),
        ("liar", "it is damaged in the archive"),
        ("nothing", "it holds no picture that is read here"),
    ],
)
def test_archives_are_bounded(visited, scans, tmp_path, kind, said):
    path = tmp_path / "in.zip"
    path.write_bytes(_archive(kind, scans[0].read_bytes()))
    visited.page.set_input_files(BOX, path)
    visited.page.locator("#answer", has_text=said).wait_for()


def _archive(kind: str, scan: bytes) -> bytes:
    entries: dict[str | zipfile.ZipInfo, bytes] = {"scan.jpg": scan}
    if kind == "leaves":
        entries = {"../scan.jpg": scan}
    if kind == "tight":
        entries = {"scan.bmp": bytes(10**7)}
    if kind == "within":
        entries = {"in.zip": _archive("", scan)}
    if kind == "nothing":
        entries = {"letter.txt": b"Dear colleague"}
    if kind == "link":
        link = zipfile.ZipInfo("scan.jpg")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        entries = {link: b"/etc/passwd"}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    content = bytearray(file.getvalue())
    directory = content.rindex(b"PK\x01\x02")
    if kind == "encrypted":
        content[6] = content[directory + 8] = 1
    if kind == "damaged":
        content[200:220] = bytes(20)
    if kind == "liar":
        for at in (22, directory + 24):
            content[at : at + 4] = struct.pack("<I", 1000)
    return bytes(content[:-40] if kind == "cut" else content)


@pytest.mark.parametrize("kind", ["rle", "jpeg2000", "lossless", "baseline", "frames"])
def test_compressed_dicom_is_read_as_in_python(visited, classifier, scans, tmp_path, kind):
    grey = np.asarray(Image.open(scans[3]).convert("L"))
    deep = grey.astype(np.uint16) * 11 + 200
    path = tmp_path / f"{kind}.dcm"
    path.write_bytes(content_of(_compressed(kind, grey, deep)))
    answer = visited.file(path)
    if kind == "frames":
        expected = classifier.predict_series(path)
        assert answer["labels"] == [one.label for one in expected.slices]
        assert answer["tumour"] == pytest.approx(expected.tumour, abs=2e-2)
    else:
        expected = classifier.predict(path)
        assert answer["label"] == expected.label == label_of(scans[3])
        assert answer["probabilities"] == pytest.approx(expected.probabilities, abs=2e-2)
        assert answer["oodScore"] == pytest.approx(expected.ood_score, rel=3e-2)


def _compressed(kind: str, grey: np.ndarray, deep: np.ndarray):
    if kind == "baseline":
        return _packed(dicom(grey), JPEGBaseline8Bit, _jpeg(grey))
    if kind == "lossless":
        return _packed(dicom(deep), JPEGLossless, lossless(deep))
    if kind == "frames":
        frames = [grey, grey // 2, grey // 2 + 60, grey]
        return _packed(dicom(np.stack(frames)), JPEGBaseline8Bit, *map(_jpeg, frames))
    dataset = dicom(deep)
    try:
        dataset.compress({"rle": RLELossless, "jpeg2000": JPEG2000Lossless}[kind])
    except RuntimeError:
        pytest.skip("no plugin writes it")
    return dataset


def _packed(dataset, syntax: str, *frames: bytes):
    dataset.PixelData = encapsulate(list(frames))
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def _jpeg(grey: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=100)
    return file.getvalue()


def lossless(levels: np.ndarray) -> bytes:
    """A lossless JPEG of 16 bits: each level's difference from its left neighbour, the first of
    a row from the one above. Every Huffman code has five bits."""
    wide = levels.astype(int)
    before = np.empty_like(wide)
    before[:, 1:] = wide[:, :-1]
    before[1:, 0], before[0, 0] = wide[:-1, 0], 1 << 15
    bits = []
    for step in (wide - before).ravel().tolist():
        size = abs(step).bit_length()
        bits.append(f"{size:05b}")
        if size:
            bits.append(f"{step if step > 0 else step + (1 << size) - 1:0{size}b}")
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    scan = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\x00")
    height, width = levels.shape
    table = bytes([0, 0, 0, 0, 0, 17, *[0] * 11]) + bytes(range(17))
    parts = {
        0xC3: struct.pack(">BHHBBBB", 16, height, width, 1, 1, 0x11, 0),
        0xC4: table,
        0xDA: bytes([1, 1, 0, 1, 0, 0]),
    }
    segments = b"".join(
        bytes([0xFF, marker]) + struct.pack(">H", 2 + len(body)) + body
        for marker, body in parts.items()
    )
    return b"\xff\xd8" + segments + scan + b"\xff\xd9"


@pytest.mark.parametrize(
    "name",
    [
        *("MR_small_jpeg_ls_lossless.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm"),
        *("examples_jpeg2k.dcm", "examples_palette.dcm"),
    ],
)
def test_files_of_others(visited, classifier, name):
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip("comes with another pydicom")
    expected, answer = classifier.predict(path), visited.file(path)
    assert answer["label"] == expected.label
    assert answer["oodScore"] == pytest.approx(expected.ood_score, rel=5e-2)


def _deep(grey: np.ndarray) -> np.ndarray:
    return grey.astype(np.uint16) * 9 + 200


def _table(entries: np.ndarray, first: int = 0, **fields: object) -> Sequence:
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, 8 * entries.dtype.itemsize]
    item.add_new("LUTData", "OW", entries.tobytes())
    for keyword, value in fields.items():
        setattr(item, keyword, value)
    return Sequence([item])


def _palette(
    levels: np.ndarray,
    kind: type,
    count: int = 256,
    first: int = 0,
    bits: int | None = None,
    **fields: object,
):
    """A file whose levels are coloured: green falls as red rises, and blue is steeper."""
    share = np.linspace(0, 1, count)
    dataset = dicom(levels, PhotometricInterpretation="PALETTE COLOR", **fields)
    colours = {"Red": share, "Green": 1 - share, "Blue": share**2}
    for colour, shares in colours.items():
        bits = bits or np.iinfo(kind).bits
        entries = (shares * (2**bits - 1)).astype(kind)
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [count, first, bits])
        setattr(dataset, f"{colour}PaletteColorLookupTableData", entries.tobytes())
    return dataset


def _in_syntax(dataset: Dataset, syntax: str) -> Dataset:
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


BENT = (np.sqrt(np.linspace(0, 1, 2300)) * 65_000).astype(np.uint16)
SAGITTAL = [0, 1, 0, 0, 0, -1]
LEVELS = {
    "a window": lambda grey: dicom(_deep(grey), WindowCenter=1200, WindowWidth=1500),
    "an exact window": lambda grey: dicom(
        _deep(grey), WindowCenter=1200, WindowWidth=1600, VOILUTFunction="LINEAR_EXACT"
    ),
    "a sigmoid": lambda grey: dicom(
        _deep(grey), WindowCenter=1200, WindowWidth=900, VOILUTFunction="SIGMOID"
    ),
    "the lowest is white": lambda grey: dicom(
        _deep(255 - grey), PhotometricInterpretation="MONOCHROME1"
    ),
    "inverted": lambda grey: dicom(_deep(255 - grey), PresentationLUTShape="INVERSE"),
    "inverted twice": lambda grey: dicom(
        _deep(grey), PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE"
    ),
    "padding, rescaled": lambda grey: dicom(
        np.pad(_deep(grey), 9, constant_values=40_000),
        RescaleSlope=2,
        RescaleIntercept=-500,
        PixelPaddingValue=40_000,
    ),
    "rescaled to the same": lambda grey: dicom(grey // 2 + 20, RescaleSlope=1, RescaleIntercept=0),
    "an old overlay above": lambda grey: dicom(
        np.hstack([_deep(grey)[:, :99] | 0xA000, _deep(grey)[:, 99:]]), BitsStored=12, HighBit=11
    ),
    "a modality's table": lambda grey: dicom(
        _deep(grey), ModalityLUTSequence=_table(BENT, 200, ModalityLUTType="US")
    ),
    "a table of values of interest": lambda grey: dicom(
        _deep(grey), VOILUTSequence=_table(BENT, 300), WindowCenter=9, WindowWidth=9
    ),
    "of 8 bits": lambda grey: dicom(
        grey, VOILUTSequence=_table((255 - np.arange(256)).astype(np.uint8))
    ),
    "both, after levels of halves": lambda grey: dicom(
        _deep(grey), RescaleSlope=0.5, VOILUTSequence=_table(BENT[::2], 100)
    ),
    "of signed levels, implicit": lambda grey: _in_syntax(
        dicom(
            _deep(grey).astype(np.int16) - 1000,
            VOILUTSequence=_table(BENT, -800),
            ModalityLUTSequence=_table(np.arange(3000, dtype=np.uint16), -1000),
        ),
        ImplicitVRLittleEndian,
    ),
    "a palette": lambda grey: _palette(grey, np.uint8),
    "a palette of 16 bits": lambda grey: _palette(_deep(grey), np.uint16, 2000, 300),
    "a palette of 8 bits in 16": lambda grey: _palette(grey, np.uint16, bits=8),
    "a palette, signed": lambda grey: _palette(grey.astype(np.int16) - 99, np.uint16, 240, -90),
    "a palette, turned": lambda grey: _palette(
        grey[:, :200], np.uint8, ImageOrientationPatient=SAGITTAL, PixelSpacing=[1, 1]
    ),
}


@pytest.mark.parametrize("kind", LEVELS)
def test_levels_are_shown_as_in_python(visited, scans, kind):
    content = content_of(LEVELS[kind](np.asarray(Image.open(scans[3]).convert("L"))))
    expected = np.asarray(load_image(content)).astype(int)
    found = _pixels(visited, content)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1
    assert expected.std() > 20


def test_frames_have_their_own_place_and_window(visited, scans):
    grey = Image.open(scans[3]).convert("L").resize((96, 96))
    content = content_of(enhanced(np.asarray(grey).astype(np.uint16), 4))
    (series,) = read_scans([File("scan.dcm", content)])
    found = _slices(visited, content)
    assert len(found) == 4
    for ours, theirs in zip(found, series, strict=True):
        assert np.abs(ours - theirs.pixels).max() <= 1


def _pixels(visited, content: bytes) -> np.ndarray:
    """What the page reads of a file of one slice, RGB (H, W, 3)."""
    (found,) = _slices(visited, content)
    return found


def _slices(visited, content: bytes) -> list[np.ndarray]:
    """What the page reads of a file, RGB (H, W, 3) each."""
    slices = visited.page.evaluate(
        """async (text) => {
          const { readFiles, slicesOf } = await import(new URL("decode.js", location));
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          const [series] = await readFiles([new File([bytes], "scan.dcm")]);
          const found = [];
          for await (const one of slicesOf(series, {}, [])) {
            found.push({ ...one, rgb: [...one.rgb] });
          }
          return found;
        }""",
        base64.b64encode(content).decode(),
    )
    return [np.reshape(one["rgb"], (one["height"], one["width"], 3)) for one in slices]


def test_compressed_pixels_that_cannot_be_read_are_said(visited, scans, tmp_path):
    grey = np.asarray(Image.open(scans[3]).convert("L"))
    large = _jpeg(np.zeros((2000, 2000), np.uint8))
    path = tmp_path / "scan.dcm"
    for dataset, words in (
        (_packed(dicom(grey), JPEGBaseline8Bit, large), "a larger picture than it announces"),
        (_packed(dicom(grey), JPEGBaseline8Bit, b"these are words"), "damaged"),
        (_packed(dicom(grey), RLELossless, bytes(80)), "damaged"),
        (_packed(dicom(grey), JPEG2000Lossless, b"\xff\x4f\xff\x51" + bytes(80)), "announces"),
        (
            dicom(grey, PhotometricInterpretation="PALETTE COLOR"),
            "a table of its levels or colours",
        ),
        (dicom(grey, PhotometricInterpretation="YBR_FULL"), "colours are stored in a way"),
        (_packed(dicom(grey), "1.2.840.10008.1.2.4.102", b"a film"), "this page does not read"),
    ):
        path.write_bytes(content_of(dataset))
        visited.file(path)
        assert words in visited.said()
