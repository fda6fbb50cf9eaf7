"""A scan with the class's evidence glowing on it."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .crop import Crop

# matplotlib's inferno, by S. van der Walt and N. Smith (CC0): every 15th of its 256 colours.
# Perceptually uniform, so equal steps of heat look equally large, in grey print too.
INFERNO = (
    "000004 0a0722 1e0c45 380962 510e6c 69166e 801f6c 982766 b0315b "
    "c63d4d d94d3d e9612b f47918 fa9407 fcb014 f8cd37 f2ea69 fcffa4"
)
FRAME = "#2dd4bf"  # the colour of a crop's frame
SMALLEST_BAR = 96  # pixels, below which its words cannot be read


def heat_layer(cam: np.ndarray, size: tuple[int, int], crop: Crop | None = None) -> Image.Image:
    """The map alone, to be laid over a picture: coloured by heat, clear where there is none.

    Args:
        cam: float (h, w), 0 to 1.
        size: the picture's width and height in pixels, to which the map is interpolated
            (bicubic).
        crop: the part of the picture that the map is of; by default all.

    Returns:
        A PIL image in mode "RGBA" of that size, whose alpha is the heat, 0 to 255.
    """
    levels = Image.fromarray(np.rint(cam * 255).astype(np.uint8))
    # 8 bits, so that bicubic interpolation stays within 0 to 255.
    heat = levels.resize(crop.size if crop else size, Image.Resampling.BICUBIC)
    heat.putpalette(_colours().tobytes(), "RGBA")
    if crop is None:
        return heat.convert("RGBA")
    left, top = crop.padding[:2]
    layer = Image.new("RGBA", size)
    seen = heat.convert("RGBA").crop((left, top, left + crop.width, top + crop.height))
    layer.paste(seen, (crop.x, crop.y))
    return layer


def overlay(
    image: Image.Image, cam: np.ndarray, opacity: float = 0.6, crop: Crop | None = None
) -> Image.Image:
    """The picture with the map laid over it.

    Args:
        image: of any size; what `serve.formats.raster.load_image` gives.
        cam: float (h, w), 0 to 1: Grad-CAM of one class.
        opacity: of the hottest place, 0 to 1. Colder places are clearer, in proportion.
        crop: the part of the picture that the map is of; by default all. A frame shows it.

    Returns:
        A PIL image in mode "RGB" of the picture's own size.
    """
    layer = heat_layer(cam, image.size, crop)
    result = image.convert("RGB")
    result.paste(layer, mask=layer.getchannel("A").point([opacity * a for a in range(256)]))
    return framed(result, crop) if crop else result


def framed(image: Image.Image, crop: Crop) -> Image.Image:
    """The picture with a frame around the part of it that the model has seen."""
    result = image.copy()
    corners = (crop.x, crop.y, crop.x + crop.width - 1, crop.y + crop.height - 1)
    thick = max(1, round(max(image.size) / 300))
    ImageDraw.Draw(result).rectangle(corners, outline=FRAME, width=thick)
    return result


def colour_bar(height: int) -> Image.Image:
    """What the colours mean: a bar of that height, "high" at its top and "low" at its foot.

    Args:
        height: in pixels; at least `SMALLEST_BAR`, so that the words can be read.

    Returns:
        A PIL image in mode "RGB", white on black.
    """
    margin = max(11, height // 28)
    font = ImageFont.load_default(size=margin)
    words = round(font.getlength("high")) + margin
    image = Image.new("RGB", (3 * margin + words, height))
    draw = ImageDraw.Draw(image)
    colours = _colours()[::-1, :3]
    bar = Image.fromarray(colours[:, None]).resize((margin, height - 2 * margin))
    draw.rectangle((margin - 1, margin - 1, 2 * margin, height - margin), outline="grey")
    image.paste(bar, (margin, margin))
    right = 2 * margin + margin // 2
    draw.text((right, margin), "high", "white", font, anchor="lt")
    draw.text((right, height - margin), "low", "white", font, anchor="ls")
    return image


def with_colour_bar(image: Image.Image) -> Image.Image:
    """The picture, and the colour bar at its right."""
    bar = colour_bar(max(image.height, SMALLEST_BAR))
    result = Image.new("RGB", (image.width + bar.width, bar.height))
    result.paste(image, (0, (bar.height - image.height) // 2))
    result.paste(bar, (image.width, 0))
    return result


def _colours() -> np.ndarray:
    """Colour and alpha of every heat, uint8 (256, 4)."""
    anchors = np.array([list(bytes.fromhex(colour)) for colour in INFERNO.split()])
    heats = np.arange(256)
    at = np.linspace(0, 255, len(anchors))
    channels = [np.interp(heats, at, channel) for channel in anchors.T]
    return np.rint(np.stack([*channels, heats], axis=1)).astype(np.uint8)
