"""Pictures that are made on the spot, always the same."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from pydoc_data.topics import topics

import matplotlib
import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_digits

from train.other_pictures.picture import MAX_SIDE, Pictures


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
