"""Every kind of picture file gives the pixels that the same picture as RGB gives."""

from __future__ import annotations

import io
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, features

from serve.formats.raster import InvalidImageError, load_image, load_pixels


@pytest.fixture(scope="module")
def grey(scans) -> Image.Image:
    return Image.open(scans[0]).convert("L")


@pytest.fixture(scope="module")
def expected(grey) -> np.ndarray:
    return np.asarray(grey.convert("RGB"))


def encoded(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def sixteen_bits(grey: Image.Image, factor: int) -> Image.Image:
    return Image.fromarray(np.asarray(grey).astype(np.uint16) * factor)


KINDS = {
    "grey PNG": lambda grey: encoded(grey, "PNG"),
    "grey with alpha": lambda grey: encoded(grey.convert("LA"), "PNG"),
    "RGB PNG": lambda grey: encoded(grey.convert("RGB"), "PNG"),
    "RGBA": lambda grey: encoded(grey.convert("RGBA"), "PNG"),
    "palette": lambda grey: encoded(grey.convert("P"), "PNG"),
    "CMYK TIFF": lambda grey: encoded(grey.convert("RGB").convert("CMYK"), "TIFF"),
    "16-bit PNG": lambda grey: encoded(sixteen_bits(grey, 257), "PNG"),
    "16-bit TIFF": lambda grey: encoded(sixteen_bits(grey, 257), "TIFF"),
    "BMP": lambda grey: encoded(grey, "BMP"),
    "GIF": lambda grey: encoded(grey, "GIF"),
    "JPEG 2000": lambda grey: encoded(grey, "JPEG2000"),
    "16-bit RGB PNG": lambda grey: deep_png(np.stack([np.asarray(grey)] * 3, axis=2)),
    "16-bit RGB PNG, low": lambda grey: deep_png(np.stack([np.asarray(grey)] * 3, axis=2), 4),
    "16-bit grey PNG with alpha": lambda grey: deep_png(
        np.dstack([np.asarray(grey), np.full_like(grey, 255)])
    ),
    "MINISWHITE TIFF": lambda grey: white_is_zero(grey, 8),
    "16-bit MINISWHITE TIFF": lambda grey: white_is_zero(grey, 16),
    "float TIFF": lambda grey: encoded(
        Image.fromarray(np.asarray(grey).astype(np.float32) * 0.37 - 12), "TIFF"
    ),
    "TIFF with a preview": lambda grey: with_preview(grey),
    "lossless WebP": lambda grey: encoded(grey.convert("RGB"), "WEBP", lossless=True),
    "EXIF-rotated TIFF": lambda grey: encoded(
        grey.transpose(Image.Transpose.ROTATE_90), "TIFF", exif=orientation(6)
    ),
}


def deep_png(pixels: np.ndarray, factor: int = 257) -> bytes:
    """A PNG file of 16 bits a channel, grey with alpha or RGB, which Pillow cannot write."""
    height, width, channels = pixels.shape
    rows = (pixels.astype(np.uint16) * factor).astype(">u2")
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    colour = {2: 4, 3: 2}[channels]
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0),
        b"IDAT": zlib.compress(raw),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts.items()
    )


def white_is_zero(grey: Image.Image, bits: int) -> bytes:
    """An uncompressed TIFF file whose lowest level is white."""
    levels = 255 - np.asarray(grey).astype(np.uint16)
    data = levels.astype(np.uint8).tobytes() if bits == 8 else (levels * 257).tobytes()
    tags = {256: grey.width, 257: grey.height, 258: bits, 259: 1, 262: 0, 277: 1}
    tags |= {273: 8 + 2 + 12 * 8 + 4, 278: grey.height}
    entries = b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items())
    )
    entries += struct.pack("<HHII", 279, 4, 1, len(data))
    start = 8 + 2 + 12 * 9 + 4
    entries = entries.replace(struct.pack("<I", 8 + 2 + 12 * 8 + 4), struct.pack("<I", start))
    return b"II*\0" + struct.pack("<IH", 8, 9) + entries + struct.pack("<I", 0) + data


def with_preview(grey: Image.Image) -> bytes:
    """A TIFF file whose second page is the first, reduced."""
    preview = grey.resize((64, 64))
    preview.encoderinfo = {"tiffinfo": {254: 1}}
    return encoded(grey, "TIFF", save_all=True, append_images=[preview])


def orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


@pytest.mark.parametrize("kind", KINDS)
def test_same_pixels_from_every_kind_of_file(kind, grey, expected):
    assert np.array_equal(np.asarray(load_image(KINDS[kind](grey))), expected)


def test_twelve_bits_of_sixteen(grey, expected):
    """Scanners store 12 bits in a 16-bit file; it must not come out black."""
    found = np.asarray(load_image(encoded(sixteen_bits(grey, 16), "PNG"))).astype(int)
    assert np.abs(found - expected).max() <= 1


def test_jpegs_differ_by_their_compression_only(grey, expected):
    cmyk = encoded(grey.convert("RGB").convert("CMYK"), "JPEG", quality=100)
    turned = encoded(
        grey.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=100, exif=orientation(6)
    )
    for content in (cmyk, turned):
        found = np.asarray(load_image(content)).astype(int)
        assert found.shape == expected.shape
        assert np.abs(found - expected).mean() < 1


@pytest.mark.parametrize(
    "convert",
    [
        lambda a: a,
        lambda a: a[:, :, :1],
        lambda a: a[:, :, 0],
        lambda a: (a / 255).astype(np.float32),
        lambda a: a.astype(np.uint16) * 257,
        lambda a: a.astype(np.float64),
    ],
)
def test_arrays(convert, expected):
    assert np.array_equal(np.asarray(load_image(convert(expected))), expected)


@pytest.mark.parametrize("form", ["GIF", "TIFF", "WEBP", "PNG"])
def test_a_stack_of_pages_is_no_picture(form, grey):
    content = encoded(grey, form, save_all=True, append_images=[grey.point(lambda p: 255 - p)])
    with pytest.raises(InvalidImageError, match=r"holds 2 slices.*predict_series"):
        load_image(content)


def test_the_second_view_of_a_photograph_is_no_page(grey, expected):
    content = encoded(grey, "MPO", save_all=True, append_images=[grey], quality=100)
    found = np.asarray(load_image(content)).astype(int)
    assert np.abs(found - expected).mean() < 1


@pytest.mark.parametrize("form", ["AVIF", "HEIF"])
def test_compressed_as_phones_do(form, grey, expected):
    if form == "HEIF":
        pytest.importorskip("pillow_heif", reason="needs pillow-heif").register_heif_opener()
    elif not features.check("avif"):
        pytest.skip("needs a Pillow with AVIF")
    found = np.asarray(load_image(encoded(grey.convert("RGB"), form, quality=95))).astype(int)
    assert np.abs(found - expected).mean() < 3


def test_heic_names_what_to_install(grey, monkeypatch):
    heif = pytest.importorskip("pillow_heif", reason="needs pillow-heif")
    heif.register_heif_opener()
    content = encoded(grey.convert("RGB"), "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(InvalidImageError, match="pip install pillow-heif"):
        load_image(content)


def test_a_picture_without_pixels_is_refused():
    with pytest.raises(InvalidImageError, match="no pixels"):
        load_image(Image.new("L", (0, 5)))


def test_a_frame_of_a_users_own_is_taken_as_it_stands(grey):
    stack = Image.open(
        io.BytesIO(encoded(grey, "GIF", save_all=True, append_images=[grey.rotate(90)]))
    )
    stack.seek(1)
    assert np.array_equal(np.asarray(load_image(stack))[:, :, 0], np.asarray(grey.rotate(90)))


def test_transparent_pixels_are_black(grey):
    image = grey.convert("RGBA")
    image.putalpha(0)
    assert not np.asarray(load_image(image)).any()


def test_pixels_have_the_model_size(scans):
    pixels = load_pixels(scans[0], 224)
    assert pixels.shape == (224, 224, 3)
    assert pixels.dtype == np.uint8


BAD = {
    "empty.jpg": (b"", "empty"),
    "text.jpg": (b"not a picture at all", "not a picture"),
    "truncated.jpg": (None, "truncated"),
    "folder.jpg": ("folder", "folder"),
    "missing.jpg": ("missing", "no such file"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_named_with_the_reason(name, tmp_path, scans):
    content, reason = BAD[name]
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif content != "missing":
        path.write_bytes(scans[0].read_bytes()[:5000] if content is None else content)
    with pytest.raises(InvalidImageError, match=reason) as caught:
        load_image(path)
    assert caught.value.name == str(path)
    assert "\n" not in str(caught.value)


def test_every_cut_of_a_jpeg_is_an_invalid_image(scans):
    content = scans[0].read_bytes()
    for length in range(0, len(content) - 1000, 1511):
        with pytest.raises(InvalidImageError):
            load_image(content[:length])


def test_decompression_bomb():
    content = encoded(Image.new("1", (20_000, 10_000)), "PNG")
    with pytest.raises(InvalidImageError, match="pixels"):
        load_image(content)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 5), np.uint8),
        np.zeros((5, 5, 2), np.uint8),
        np.zeros(5, np.uint8),
        np.full((5, 5), np.nan),
        np.full((5, 5), -1.0),
        np.full((5, 5), 1 << 20),
        np.full((5, 5), "x"),
        np.zeros((5, 5), complex),
    ],
)
def test_arrays_that_are_no_pictures(array):
    with pytest.raises(InvalidImageError, match="<ndarray>"):
        load_image(array)


def test_things_that_are_no_pictures():
    with pytest.raises(InvalidImageError, match="NoneType"):
        load_image(None)
