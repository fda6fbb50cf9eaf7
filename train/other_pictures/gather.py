"""Pictures that are no brain MRI, to test a refusal with: python -m train.other_pictures

Gathers what visitors of a public demo upload instead of a scan, as DIR/KIND/NAME.png or .jpg:
photographs, drawings, screenshots, text, plots, blank, noise, handwriting, and medical images of
other kinds. They are for testing only; nothing is to be fitted on them.

Nothing is downloaded. Half of the kinds are made on the spot, always the same, and the others
are taken from packages that ship pictures; what is not installed is named and left out:

    apt-get install --no-install-recommends lomiri-wallpapers-16.04 mate-backgrounds
    apt-get install --no-install-recommends pysiogame wireshark-doc texstudio-doc
    apt-get install --no-install-recommends invesalius-examples
    pip install scikit-image pydicom pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg
    pip install --no-deps mahotas stardist pynetdicom

Exit status: 0, or 1 if fewer than 300 pictures or fewer than 8 kinds of 25 came together.
"""

from __future__ import annotations

import argparse
import hashlib
import plistlib
import sys
import tarfile
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from pydoc_data.topics import topics

import matplotlib
import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont, ImageOps
from sklearn.datasets import load_digits
from tqdm import tqdm

MIN_PICTURES = 300
MIN_KINDS = 8
MIN_OF_A_KIND = 25
MAX_SIDE = 800
MIN_SIDE = 100  # smaller ones are icons
MOST_OF_A_SOURCE = 60

Pictures = Iterator[tuple[str, Image.Image]]  # file names and pictures


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


def text() -> Pictures:
    """Pages, dark pages, signs and code: the Python language reference, which Python ships."""
    rng = np.random.default_rng(0)
    fonts = ["DejaVuSans", "DejaVuSerif", "DejaVuSansMono", "DejaVuSans-Bold", "STIXGeneral"]
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for number, topic in enumerate(sorted(topics)[:40]):
        points = int(rng.choice([12, 16, 24, 48]))
        font = ImageFont.truetype(folder / f"{rng.choice(fonts)}.ttf", points)
        width, height = rng.integers(300, MAX_SIDE, 2).tolist()
        ink, paper = _readable_colours(rng) if number % 2 else ("black", "white")
        page = Image.new("RGB", (width, height), paper)
        lines = textwrap.wrap(topics[topic], max(8, 2 * width // points))
        ImageDraw.Draw(page).multiline_text(
            (points, points), "\n".join(lines[: height // points]), ink, font
        )
        yield f"{number:02}_{topic}.png", page


def _readable_colours(rng: np.random.Generator) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A dark and a light colour, either of them first."""
    dark, light = rng.integers(0, 90, 3), rng.integers(165, 256, 3)
    colours = [tuple(dark.tolist()), tuple(light.tolist())]
    first = int(rng.integers(2))
    return colours[first], colours[1 - first]


def plots() -> Pictures:
    """Charts of made-up data, each in three of Matplotlib's styles."""
    rng = np.random.default_rng(0)
    for name, draw in CHARTS.items():
        for look in ("default", "dark_background", "ggplot"):
            with style.context(look):
                figure = Figure(figsize=tuple(rng.uniform(4, 8, 2)), dpi=80)
                projection = {"surface": "3d", "polar": "polar"}.get(name)
                axes = figure.add_subplot(projection=projection)
                draw(axes, rng)
                axes.set_title(name)
                canvas = FigureCanvasAgg(figure)
                canvas.draw()
            yield f"{name}_{look}.png", Image.fromarray(np.asarray(canvas.buffer_rgba()))


def _lines(axes: Axes, rng: np.random.Generator) -> None:
    axes.plot(rng.normal(size=(100, 3)).cumsum(0), label=["a", "b", "c"])
    axes.legend()


def _scatter(axes: Axes, rng: np.random.Generator) -> None:
    x, y, colours, sizes = rng.uniform(size=(4, 80))
    axes.scatter(x, y, 300 * sizes, colours, alpha=0.6)


def _surface(axes: Axes, rng: np.random.Generator) -> None:
    x, y = np.meshgrid(np.linspace(-3, 3, 30), np.linspace(-3, 3, 30))
    axes.plot_surface(x, y, np.sin(x * rng.uniform(1, 2)) * np.cos(y), cmap="viridis")


def _contour(axes: Axes, rng: np.random.Generator) -> None:
    axes.contourf(_octaves(rng, 60, 60), cmap="terrain")


def _polar(axes: Axes, rng: np.random.Generator) -> None:
    angles = np.linspace(0, 2 * np.pi, 200)
    axes.plot(angles, np.abs(np.sin(rng.integers(2, 6) * angles)))


CHARTS: Mapping[str, Callable[[Axes, np.random.Generator], object]] = {
    "lines": _lines,
    "scatter": _scatter,
    "bars": lambda axes, rng: axes.bar(list("abcdefgh"), rng.uniform(size=8)),
    "histogram": lambda axes, rng: axes.hist(rng.normal(size=1000), bins=30),
    "pie": lambda axes, rng: axes.pie(rng.uniform(0.2, 1, 5), labels=list("abcde")),
    "heatmap": lambda axes, rng: axes.imshow(rng.uniform(size=(9, 12)), cmap="magma"),
    "boxes": lambda axes, rng: axes.boxplot(rng.normal(size=(50, 6))),
    "violins": lambda axes, rng: axes.violinplot(rng.normal(size=(50, 6))),
    "stems": lambda axes, rng: axes.stem(rng.normal(size=30)),
    "surface": _surface,
    "contour": _contour,
    "polar": _polar,
}


def blank() -> Pictures:
    """One colour, and linear and radial gradients between two."""
    rng = np.random.default_rng(0)
    for grey in (0, 32, 64, 128, 192, 224, 255):
        yield f"grey_{grey:03}.png", Image.new("RGB", _size(rng), (grey,) * 3)
    for number in range(9):
        colour = tuple(rng.integers(0, 256, 3).tolist())
        yield f"colour_{number}.png", Image.new("RGB", _size(rng), colour)
    for number in range(24):
        width, height = _size(rng)
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        angle = rng.uniform(0, 2 * np.pi)
        radial = number % 3 == 0
        ramp = np.hypot(x, y) if radial else x * np.cos(angle) + y * np.sin(angle)
        share = ((ramp - ramp.min()) / np.ptp(ramp))[..., None]
        ends = rng.uniform(0, 255, (2, 3 if number % 2 else 1))
        pixels = np.broadcast_to(ends[0] + share * (ends[1] - ends[0]), (height, width, 3))
        name = "radial" if radial else "linear"
        yield f"{name}_{number:02}.png", Image.fromarray(pixels.astype(np.uint8))


def noise() -> Pictures:
    """Six sorts of noise and patterns, grey and in colour."""
    rng = np.random.default_rng(0)
    for number in range(6):
        width, height = _size(rng)
        shape = (height, width, 3 if number % 2 else 1)
        contrast = rng.uniform(20, 80)
        salt, pepper = (rng.uniform(size=(2, *shape)) < rng.uniform(0.02, 0.2)).astype(float)
        cell = int(rng.integers(2, 64))
        y, x = np.mgrid[:height, :width] // cell
        smooth = [_octaves(rng, height, width) for _ in range(shape[2])]
        coarse = rng.uniform(0, 255, (-(-height // cell), -(-width // cell), shape[2]))
        sorts = {
            "gaussian": rng.normal(128, contrast, shape),
            "uniform": rng.uniform(0, 255, shape),
            "salt_and_pepper": 128 + 127 * (salt - pepper),
            "octaves": 255 * np.stack(smooth, axis=-1),
            "checkerboard": ((x + y) % 2 * 255)[..., None] * rng.uniform(0.5, 1, shape[2]),
            "mosaic": coarse.repeat(cell, 0).repeat(cell, 1)[:height, :width],
        }
        for name, values in sorts.items():
            pixels = np.broadcast_to(values.clip(0, 255), (height, width, 3)).astype(np.uint8)
            yield f"{name}_{number}.png", Image.fromarray(pixels)


def _octaves(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Cloud-like noise from 0 to 1: random grids, ever finer and fainter, smoothly enlarged.

    After value noise: Ebert et al., "Texturing and modeling: a procedural approach", 2003.
    """
    total = np.zeros((height, width))
    for octave in range(2, 7):
        grid = Image.fromarray(rng.uniform(size=(2**octave, 2**octave)).astype(np.float32))
        total += np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC)) / 2**octave
    return (total - total.min()) / np.ptp(total)


def handwriting() -> Pictures:
    """Digits that people wrote, one or a sheet of them, as ink on paper or chalk on a board.

    E. Alpaydin and C. Kaynak, "Optical recognition of handwritten digits", UCI Machine Learning
    Repository, 1998; scikit-learn ships its test part.
    """
    rng = np.random.default_rng(0)
    digits = load_digits().images * (255 / 16)
    for number in range(40):
        rows, columns = rng.integers(2, 9, 2) if number % 2 else (1, 1)
        chosen = digits[rng.integers(len(digits), size=(rows, columns))]
        sheet = np.pad(chosen, ((0, 0), (0, 0), (1, 1), (1, 1))).swapaxes(1, 2)
        sheet = sheet.reshape(rows * 10, columns * 10).astype(np.uint8)
        image = Image.fromarray(sheet if number % 4 < 2 else 255 - sheet)
        scale = MAX_SIDE // max(image.size) if number % 2 else 30
        size = (image.width * scale, image.height * scale)
        yield f"{number:02}_{rows}x{columns}.png", image.resize(size, Image.Resampling.BICUBIC)


def _size(rng: np.random.Generator) -> tuple[int, int]:
    width, height = rng.integers(200, 600, 2).tolist()
    return width, height


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


KINDS: Mapping[str, Callable[[], Pictures]] = {
    kind.__name__: kind
    for kind in (
        photographs,
        drawings,
        screenshots,
        text,
        plots,
        blank,
        noise,
        handwriting,
        medical,
    )
}


def gather(kinds: Sequence[str], output: Path) -> dict[str, int]:
    """Write the pictures of these kinds to `output`/KIND, no picture twice, and count them."""
    counts = {}
    for kind in kinds:
        folder = output / kind
        folder.mkdir(parents=True, exist_ok=True)
        written = set()
        for name, image in tqdm(KINDS[kind](), desc=kind, unit="picture", delay=1):
            image = image.convert("RGB")
            image.thumbnail((MAX_SIDE, MAX_SIDE))
            digest = hashlib.sha256(image.tobytes()).digest()
            if digest not in written:
                image.save(folder / name, quality=90)
                written.add(digest)
        counts[kind] = len(written)
    return counts


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m train.other_pictures", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    args = parser.parse_args(argv)
    counts = gather(list(KINDS), args.output)
    for kind, count in counts.items():
        print(f"{count:5} {kind}")
    kinds = sum(count >= MIN_OF_A_KIND for count in counts.values())
    total = sum(counts.values())
    print(f"{total:5} in all, {kinds} kinds of at least {MIN_OF_A_KIND}")
    return 0 if total >= MIN_PICTURES and kinds >= MIN_KINDS else 1
