"""Small sound files of every format that is read, to be damaged."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
from PIL import Image, features
from pydicom import Dataset

from serve.artifacts import EXAMPLES
from tests.serve.formats.dicoms import content_of, dicom
from tests.serve.formats.test_dicom import compressed

SIDE = 48  # pixels
MOST = 64_000  # bytes of others' files


@cache
def scan(mode: str = "L") -> Image.Image:
    """One of the example scans, small."""
    whole = Image.open(min(EXAMPLES.glob("*.jpg"))).convert("L")
    return whole.resize((SIDE, SIDE - 8)).convert(mode)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """An image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def deep() -> Image.Image:
    """12 bits of grey."""
    return Image.fromarray(np.asarray(scan()).astype(np.uint16) * 16)


def pages(mode: str = "L") -> list[Image.Image]:
    """Two further pages of a stack."""
    return [scan(mode).rotate(90), scan(mode).transpose(Image.Transpose.FLIP_TOP_BOTTOM)]


def turned() -> Image.Exif:
    """What says that a picture is to be turned."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def png_chunk(name: bytes, body: bytes) -> bytes:
    """A part of a PNG file."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def deep_png(colour: int) -> bytes:
    """16 bits a channel, which Pillow does not write."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    grey = np.asarray(deep()).astype(">u2")
    levels = np.stack([grey] * channels, axis=2)
    rows = b"".join(b"\0" + row.tobytes() for row in levels)
    head = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 16, colour, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in parts)


def jpegs() -> Iterator[bytes]:
    """Grey, colour, progressive, for print, turned, with a second view."""
    for mode in ("L", "RGB", "CMYK"):
        yield saved(scan(mode), "JPEG")
        yield saved(scan(mode), "JPEG", progressive=True, restart_marker_rows=1)
    yield saved(scan("RGB"), "JPEG", exif=turned(), dpi=(72, 72), comment=b"a scan")
    yield saved(scan("RGB"), "MPO", save_all=True, append_images=pages("RGB")[:1])


def pngs() -> Iterator[bytes]:
    """Of every mode, transparent, animated, of 16 bits."""
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        yield saved(scan(mode), "PNG")
    yield saved(scan("P"), "PNG", transparency=bytes(range(256)))
    yield saved(scan("L"), "PNG", transparency=3, exif=turned(), dpi=(72, 72))
    yield saved(deep(), "PNG")
    yield saved(scan("RGBA"), "PNG", save_all=True, append_images=pages("RGBA"), duration=90)
    yield from map(deep_png, (2, 4, 6))


def bmps() -> Iterator[bytes]:
    """Of every mode."""
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield saved(scan(mode), "BMP")


def tiffs() -> Iterator[bytes]:
    """Of every compression and depth, stacks, large ones, negatives."""
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "lzma"):
        yield saved(scan("L"), "TIFF", compression=compression)
        yield saved(scan("RGB"), "TIFF", compression=compression)
    for compression in ("group3", "group4", "tiff_ccitt"):
        yield saved(scan("1"), "TIFF", compression=compression)
    for mode in ("P", "LA", "RGBA", "CMYK", "YCbCr", "LAB", "I", "F"):
        yield saved(scan("RGB" if mode == "LAB" else "L").convert(mode), "TIFF")
    for image in (deep(), scan("F")):
        yield saved(image, "TIFF", compression="tiff_adobe_deflate")
    yield saved(scan("L"), "TIFF", tiffinfo={262: 0, 274: 6})
    yield saved(scan("L"), "TIFF", big_tiff=True)
    yield saved(scan("L"), "TIFF", save_all=True, append_images=pages(), compression="tiff_lzw")
    yield saved(deep(), "TIFF", save_all=True, append_images=[deep(), deep()])


def gifs() -> Iterator[bytes]:
    """Still, transparent, animated."""
    yield saved(scan("P"), "GIF")
    yield saved(scan("P"), "GIF", transparency=0, interlace=1)
    yield saved(scan("P"), "GIF", save_all=True, append_images=pages("P"), duration=90, disposal=2)


def webps() -> Iterator[bytes]:
    """Lossy, exact, transparent, animated."""
    yield saved(scan("RGB"), "WEBP", exif=turned())
    yield saved(scan("RGB"), "WEBP", lossless=True)
    yield saved(scan("RGBA"), "WEBP")
    yield saved(scan("RGB"), "WEBP", save_all=True, append_images=pages("RGB"), duration=90)


def jpeg2000s() -> Iterator[bytes]:
    """Boxed and bare, grey, colour, 16 bits."""
    for image in (scan("L"), scan("RGB"), scan("RGBA"), deep()):
        yield saved(image, "JPEG2000")
        yield saved(image, "JPEG2000", no_jp2=True, irreversible=image.mode == "RGB")


def avifs() -> Iterator[bytes]:
    """Still, transparent, animated."""
    if not features.check("avif"):
        return
    yield saved(scan("RGB"), "AVIF", exif=turned())
    yield saved(scan("RGBA"), "AVIF")
    yield saved(scan("RGB"), "AVIF", save_all=True, append_images=pages("RGB"))


def heics() -> Iterator[bytes]:
    """Still, transparent, several."""
    from pillow_heif import from_pillow

    for mode in ("L", "RGB", "RGBA"):
        for more in ((), pages(mode)):
            file = from_pillow(scan(mode))
            for page in more:
                file.add_from_pillow(page)
            buffer = io.BytesIO()
            file.save(buffer, quality=50)
            yield buffer.getvalue()


def mr(levels: np.ndarray, **fields: object) -> Dataset:
    """A slice whose numbers are the same every time."""
    dataset = dicom(levels, **fields)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    return dataset


def dicoms() -> Iterator[bytes]:
    """Of every transfer syntax that can be written, and those that pydicom's own files have."""
    from pydicom import uid

    grey = np.asarray(scan())
    levels = np.asarray(deep())
    syntaxes = (
        *(uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.ExplicitVRLittleEndian),
        *(uid.DeflatedExplicitVRLittleEndian, uid.RLELossless, uid.JPEG2000Lossless),
    )
    for syntax in syntaxes:
        yield content_of(compressed(mr(levels), syntax))
    yield content_of(compressed(mr(grey), uid.JPEGBaseline8Bit))
    place = {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1], "ImagePositionPatient": [0, 0, 0]}
    window = {"WindowCenter": 300.0, "WindowWidth": 500.0, "RescaleSlope": 2.0}
    yield content_of(mr(levels, **place, **window, RescaleIntercept=-9.0, PixelSpacing=[2, 1]))
    yield content_of(mr(np.stack([levels] * 3)))
    yield content_of(compressed(mr(np.stack([levels] * 3)), uid.RLELossless))
    yield content_of(mr(grey, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0))
    yield from _others("pydicom", "*.dcm")


def niftis() -> Iterator[bytes]:
    """Of every type of voxel, several volumes, both versions, both byte orders; packed by
    `kinds`."""
    from nibabel.nifti1 import Nifti1Image
    from nibabel.nifti2 import Nifti2Image

    volume = np.stack([np.asarray(scan().resize((20, 24)))] * 6, axis=2)
    affine = np.diag([1.0, 1.2, 3.0, 1.0])
    for kind in ("u1", "i2", "u2", "i4", "f4", "f8", ">i2", ">f4"):
        yield Nifti1Image(volume.astype(kind), affine).to_bytes()
    yield Nifti2Image(volume.astype("i2"), affine).to_bytes()
    yield Nifti1Image(np.stack([volume] * 2, axis=3), affine).to_bytes()
    colour = np.zeros(volume.shape, [(name, "u1") for name in "RGB"])
    yield Nifti1Image(colour, affine).to_bytes()
    yield from _others("nibabel", "*.nii")


def archives() -> Iterator[bytes]:
    """Of pictures, of DICOM, of folders; stored and packed."""
    some = [next(make()) for make in (jpegs, pngs, tiffs, gifs, dicoms, niftis)]
    for packing in (ZIP_STORED, ZIP_DEFLATED):
        for files in (some, some[:1], [], [*dicoms()][:3]):
            buffer = io.BytesIO()
            with ZipFile(buffer, "w", packing) as archive:
                for number, content in enumerate(files):
                    archive.writestr(f"folder/scan{number}", content)
            yield buffer.getvalue()


def large() -> Iterator[bytes]:
    """Of several formats, of many pixels in few bytes: to see what memory they take."""
    from nibabel.nifti1 import Nifti1Image
    from pydicom import uid

    grey = scan().resize((3000, 3000), Image.Resampling.NEAREST)
    levels = np.asarray(grey).astype(np.uint16) * 16
    yield saved(grey, "PNG")
    yield saved(grey.convert("RGBA"), "PNG")
    yield saved(Image.fromarray(levels), "PNG")
    yield saved(grey.convert("RGB"), "JPEG", progressive=True)
    yield saved(grey.convert("RGB"), "WEBP", lossless=True, method=0)
    yield saved(grey.convert("P"), "GIF")
    yield saved(Image.fromarray(levels), "TIFF", compression="tiff_lzw")
    yield saved(grey.convert("F"), "TIFF", compression="tiff_adobe_deflate")
    yield saved(grey.resize((1500, 1500)), "JPEG2000", no_jp2=True)
    yield content_of(compressed(mr(levels), uid.DeflatedExplicitVRLittleEndian))
    yield gzip.compress(Nifti1Image(levels[:, :, None], np.eye(4)).to_bytes(), 9, mtime=0)


FORMATS: dict[str, Callable[[], Iterator[bytes]]] = {
    "JPEG": jpegs,
    "PNG": pngs,
    "BMP": bmps,
    "TIFF": tiffs,
    "GIF": gifs,
    "WebP": webps,
    "JPEG 2000": jpeg2000s,
    "AVIF": avifs,
    "HEIC": heics,
    "DICOM": dicoms,
    "NIfTI": niftis,
    "ZIP": archives,
    "large": large,
}


@cache
def seeds(kind: str) -> tuple[bytes, ...]:
    """The sound files of a format, always in the same order."""
    return tuple(FORMATS[kind]())


def _others(package: str, names: str) -> Iterator[bytes]:
    """The small files that come with a package, of kinds that nothing here writes."""
    module = __import__(package)
    for path in sorted(Path(module.__file__).parent.rglob(names)):
        if path.stat().st_size <= MOST:
            yield path.read_bytes()
