"""What is decoded at once is bounded, and a large picture gets the answer that a small one gets."""

from __future__ import annotations

import io
import struct
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serve import BrainTumorClassifier, InvalidImageError
from serve.formats import budget
from serve.formats.raster import load_image, load_pixels
from tests.conftest import peak_of

MOST_MEMORY = 1_000_000_000  # bytes
SIDE = 9459  # its square is the largest that may be decoded


def bomb(side: int, colour: int, depth: int) -> bytes:
    """A black PNG of side x side pixels in a few hundred kilobytes."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = bytes(1 + side * channels * depth // 8)
    packer = zlib.compressobj(1)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0))]
    if colour == 3:
        chunks += [(b"PLTE", bytes(768)), (b"tRNS", bytes(256))]
    chunks += [(b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def enlarged(scan: Path, side: int, mode: str = "L") -> Image.Image:
    return (
        Image.open(scan).convert("L").resize((side, side), Image.Resampling.BICUBIC).convert(mode)
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, which says what a process took")
@pytest.mark.parametrize(
    "colour, depth", [(0, 8), (2, 8), (6, 8), (3, 8), (0, 16), (6, 16)], ids=str
)
def test_eight_bombs_take_less_than_a_gigabyte(colour, depth, tmp_path):
    content = bomb(SIDE, colour, depth)
    assert len(content) < 4_000_000
    for number in range(8):
        (tmp_path / f"{number}.png").write_bytes(content)
    status, peak = peak_of("serve/infer.py", tmp_path)
    assert status == 0
    assert peak < MOST_MEMORY


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
def test_a_large_picture_gets_the_answer_of_the_scan(kind, scans):
    scan = scans[0]
    large = encoded(enlarged(scan, 2600), kind)
    found = load_pixels(large, 224)
    assert load_image(large).width < 2600
    expected = load_pixels(enlarged(scan, 2600).resize((1024, 1024)), 224)
    assert np.abs(found.astype(int) - expected).mean() < 1.5
    classifier = BrainTumorClassifier()
    answers = classifier.predict([large, scan])
    assert answers[0].label == answers[1].label
    assert answers[0].confidence == pytest.approx(answers[1].confidence, abs=0.05)


@pytest.mark.parametrize(
    "mode, becomes, step",
    [
        *(("L", "L", 1), ("LA", "RGBA", 1), ("RGB", "RGB", 1), ("RGBA", "RGBA", 1)),
        *(("CMYK", "CMYK", 1), ("I", "I", 1), ("F", "F", 1), ("I;16", "I", 200)),
        *(("P", "RGB", 4), ("1", "L", 30)),  # dithered
    ],
)
def test_every_mode_is_brought_down(mode, becomes, step, scans):
    """By the mean of squares, into a mode that has room for it."""
    grey = enlarged(scans[0], 2200)
    if mode == "I;16":
        large = Image.fromarray(np.asarray(grey).astype(np.uint16) * step)
    else:
        large = grey.convert("RGB" if mode in ("P", "CMYK") else "L").convert(mode)
    with budget.decoded(large, own=False) as small:
        assert (small.size, small.mode) == ((1100, 1100), becomes)
        found = np.asarray(small.convert("RGB") if becomes == "CMYK" else small, np.float64)
    expected = np.asarray(grey.reduce(2), np.float64) * (step if mode == "I;16" else 1)
    assert np.abs((found if found.ndim == 2 else found[..., 0]) - expected).mean() < step


def test_transparency_survives(scans):
    large = enlarged(scans[0], 2200, "RGBA")
    large.putalpha(0)
    assert not np.asarray(load_image(encoded(large, "PNG"))).any()
    palette = enlarged(scans[0], 2200).convert("P")
    content = encoded(palette, "PNG", transparency=bytes(256))
    assert not np.asarray(load_image(content)).any()


def test_a_large_photograph_stays_upright(scans):
    turned = enlarged(scans[0], 2600).crop((0, 0, 2600, 2000))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    for kind in ("JPEG", "PNG", "WEBP"):
        found = load_image(encoded(turned, kind, exif=exif))
        assert found.width < found.height


def test_a_picture_of_a_scans_size_keeps_every_pixel(scans):
    grey = np.asarray(enlarged(scans[0], 2048))
    assert grey.size == budget.LARGE
    assert np.array_equal(
        np.asarray(load_image(encoded(Image.fromarray(grey), "PNG")))[..., 0], grey
    )
    jpeg = encoded(Image.fromarray(grey), "JPEG")
    assert load_image(jpeg).tobytes() == Image.open(io.BytesIO(jpeg)).convert("RGB").tobytes()


@pytest.mark.parametrize(
    "kind, options, bytes_a_pixel",
    [
        ("PNG", {}, 4),
        ("JPEG", {}, 4),
        ("JPEG", {"progressive": True}, 10),
        ("TIFF", {}, 12),
        ("WEBP", {}, 16),
        ("JPEG2000", {}, 25),
    ],
)
def test_a_format_that_takes_much_memory_may_have_fewer_pixels(
    kind, options, bytes_a_pixel, monkeypatch
):
    content = encoded(Image.new("RGB", (30, 20)), kind, **options)
    monkeypatch.setattr(budget, "MAX_BYTES", 600 * bytes_a_pixel)
    assert load_image(content).size == (30, 20)
    monkeypatch.setattr(budget, "MAX_BYTES", 600 * bytes_a_pixel - 1)
    with pytest.raises(InvalidImageError, match="30x20 is over the limit of 599 pixels"):
        load_image(content)


def test_a_tile_may_be_no_larger_than_a_picture():
    """A small TIFF file of one huge tile, which its decoder would make room for."""
    data = zlib.compress(bytes(1000))
    tags = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: 20_000, 323: 20_000}
    tags |= {324: 8, 325: len(data)}  # where the tile lies, and its length
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    header = struct.pack("<2sHI", b"II", 42, 8 + len(data))
    content = header + data + struct.pack("<H", len(tags)) + entries + bytes(4)
    with pytest.raises(
        InvalidImageError, match=r"64x64, with its tiles, is over the limit of [\d,]+ pixels"
    ):
        load_image(content)


def test_a_lower_limit_is_for_the_whole_process(monkeypatch):
    monkeypatch.setattr(budget, "_most_pixels", budget.MAX_PIXELS)
    budget.lower_limit(budget.MAX_UPLOAD_PIXELS)
    black = bomb(5001, 0, 8)
    with pytest.raises(InvalidImageError, match="5001x5001 is over the limit of 25,000,000 pixels"):
        load_image(black)
    assert load_image(bomb(5000, 0, 8)).size == (1667, 1667)


def test_who_would_exceed_it_waits(monkeypatch):
    """Never more than the bound at once, and all get their turn."""
    monkeypatch.setattr(budget, "MAX_BYTES", 1000)
    most, lock = 0, threading.Lock()

    def take(size: int) -> None:
        nonlocal most
        with budget.room(size):
            with lock:
                most = max(most, budget._taken)
            time.sleep(0.005)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(take, [100, 400, 999, 1000, 5000, 1] * 8))
    assert 0 < most <= 1000
    assert budget._taken == 0


def test_a_picture_that_fails_gives_its_room_back(scans):
    content = scans[0].read_bytes()
    for length in (200, 1000, 5000):
        with pytest.raises(InvalidImageError):
            load_image(content[:length])
    assert budget._taken == 0
