"""Every kind of picture file gives the pixels that the same picture as RGB gives."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

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
    "animated GIF": lambda grey: encoded(
        grey, "GIF", save_all=True, append_images=[grey.point(lambda p: 255 - p)]
    ),
    "lossless WebP": lambda grey: encoded(grey.convert("RGB"), "WEBP", lossless=True),
    "EXIF-rotated TIFF": lambda grey: encoded(
        grey.transpose(Image.Transpose.ROTATE_90), "TIFF", exif=orientation(6)
    ),
}


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
