"""What small DICOM and NIfTI files unpack into is bounded, and told before it is unpacked."""

from __future__ import annotations

import gzip
import io
import struct
import time
import zlib

import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Image
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from serve.formats import budget, nifti
from serve.formats import dicom as headers
from serve.formats.codestream import bytes_of_runs, samples_of
from serve.formats.raster import InvalidImageError, load_image
from serve.formats.scans import File, read_scans
from tests.serve.formats.dicoms import content_of, dicom
from tests.serve.formats.test_dicom import compressed

LARGER = "compressed as a larger picture than it announces"
RUNS = struct.pack("<16I", 1, 64, *[0] * 14)
JPEG_LS = struct.pack(">HHHBHHB", 0xFFD8, 0xFFF7, 11, 8, 60_000, 60_000, 1) + bytes(9)


def stream(kind: str, mode: str, size: tuple[int, int], **options) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind, **options)
    return file.getvalue()


def packed(grey, content: bytes, syntax: str) -> bytes:
    dataset = dicom(grey)
    dataset.PixelData = encapsulate([content])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    return content_of(dataset)


@pytest.mark.parametrize("mode, channels", [("L", 1), ("RGB", 3)])
def test_a_codestream_says_how_large_it_is(mode, channels):
    for content in (
        stream("JPEG", mode, (50, 70)),
        stream("JPEG", mode, (50, 70), progressive=True),
        stream("JPEG2000", mode, (50, 70)),
        stream("JPEG2000", mode, (50, 70), no_jp2=True),
    ):
        assert samples_of(content) == 50 * 70 * channels
    assert samples_of(JPEG_LS) == 60_000**2


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\xff\xd8\xff\xc0\0", b"\xff\x4f\xff\x51"])
def test_one_that_is_none_says_nothing(content):
    assert samples_of(content) == 0


@pytest.mark.parametrize(
    "content, syntax",
    [
        (stream("JPEG2000", "L", (3000, 3000), no_jp2=True), JPEG2000Lossless),
        (stream("JPEG", "L", (3000, 3000)), JPEGBaseline8Bit),
        (JPEG_LS, JPEGLSLossless),
        (RUNS + b"\x81\0" * (128 * 128 * 16 // 128 + 1), RLELossless),
    ],
)
def test_a_frame_that_is_larger_than_its_slice_is_not_unpacked(content, syntax, grey):
    with pytest.raises(InvalidImageError, match=LARGER):
        load_image(packed(grey, content, syntax))


def test_runs_are_counted_until_they_are_too_many():
    for runs, size in ((b"\x02abc", 3), (b"\x81a\x00b", 129), (b"\xffa" * 9, 18), (b"", 0)):
        assert bytes_of_runs(RUNS + runs, 1000) == size
    assert bytes_of_runs(RUNS + b"\x81a" * 10**6, 1000) == 1024
    assert bytes_of_runs(b"short", 1000) == 0


def test_frames_of_their_slices_size_are_read(grey):
    for syntax in (JPEG2000Lossless, JPEGBaseline8Bit, RLELossless):
        assert load_image(content_of(compressed(dicom(grey), syntax))).size == (128, 128)


def test_a_deflated_file_may_go_on_after_its_end(grey):
    """pydicom pads it to an even length; others may add more."""
    large = np.tile(grey, (12, 12))
    dataset = dicom(large)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    for more in (b"", b"\0", b"\0" * 1000):
        assert np.array_equal(np.asarray(load_image(content_of(dataset) + more))[..., 0], large)


def test_a_file_that_inflates_too_far_is_not_inflated(grey, monkeypatch):
    dataset = dicom(grey)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    content = content_of(dataset)
    start = 144 + int.from_bytes(content[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    whole = zlib.decompress(content[start:], -zlib.MAX_WBITS) + bytes(50_000_000)
    bomb = content[:start] + packer.compress(whole) + packer.flush()
    assert load_image(content).size == load_image(bomb).size == (128, 128)
    monkeypatch.setattr(headers, "MAX_BYTES", 10_000_000)
    started = time.process_time()
    with pytest.raises(InvalidImageError, match="it is over the limit of 9 MiB"):
        load_image(bomb)
    assert time.process_time() - started < 1
    monkeypatch.setattr(headers, "MAX_BYTES", len(content) - 1)
    with pytest.raises(InvalidImageError, match="it is over the limit of 0 MiB"):
        load_image(content_of(dicom(grey)))


def test_no_more_frames_than_there_is_room_for(levels):
    dataset = dicom(levels[None])
    for frames in (2, 50_000, 10**9):
        dataset.NumberOfFrames = frames
        (error,) = read_scans([File("many", content_of(dataset))])
        assert str(error) == "many: the file ends too early for the frames that it announces"


@pytest.mark.parametrize("kind", ["DICOM", "NIfTI"])
def test_a_large_slice_is_brought_down(kind, levels, monkeypatch):
    content = {
        "DICOM": content_of(dicom(levels, RescaleSlope=2.0)),
        "NIfTI": Nifti1Image(levels[:, :, None], np.eye(4)).to_bytes(),
    }[kind]
    expected = np.asarray(load_image(content).reduce(2)).astype(int)
    monkeypatch.setattr(budget, "LARGE", 64 * 64)
    found = np.asarray(load_image(content))
    assert found.shape == (64, 64, 3)
    assert np.abs(found - expected).max() <= 2
    assert budget._taken == 0


def test_a_volume_may_not_be_too_large(monkeypatch):
    content = gzip.compress(Nifti1Image(np.zeros((40, 40, 40), "u1"), np.eye(4)).to_bytes())
    monkeypatch.setattr(nifti, "MAX_BYTES", 40**3 - 1)
    (error,) = read_scans([File("large", content)])
    assert str(error) == "large: a volume of 40x40x40 is over the limit of 0 MiB"
    monkeypatch.setattr(nifti, "MAX_BYTES", 40**3)
    monkeypatch.setattr(nifti, "CHUNK", 1000)
    (series,) = read_scans([File("large", content)])
    assert len(series) == 40
