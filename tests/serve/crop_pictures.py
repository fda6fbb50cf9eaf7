"""Pictures that people have instead of a plain scan, made from plain scans."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

if TYPE_CHECKING:
    from playwright.sync_api import Page

WORDS = ("DOE^JANE", "ID 00123456", "F 054Y", "St. Elsewhere Hosp.", "t1_se_tra +C", "TR 550 TE 12")
SURROUNDS = ("black", "white", "grey", "colour", "gradient", "noise", "weave")
WINDOW = {"width": 1280, "height": 800}  # of the browser that shows the viewer
FRAMES = (1.15, 1.7, 2.6)  # a viewer's viewport, in sizes of the scan

VIEWER = """
<style>
  body {{ margin: 0; height: 100vh; display: grid; font: 13px DejaVu Sans, sans-serif;
         color: {ink}; background: {panel}; grid: 44px 1fr 22px / {left}px 1fr {right}px; }}
  header, footer {{ grid-column: 1 / 4; padding: 4px 10px; }}
  b {{ display: inline-block; width: 30px; height: 30px; margin-right: 8px; background: {button}; }}
  aside {{ padding: 8px; overflow: hidden; line-height: 20px; }}
  aside img {{ width: 90px; height: 90px; margin: 4px; border: 1px solid {button}; }}
  main {{ position: relative; overflow: hidden; background: black; }}
  main img {{ position: absolute; inset: 0; margin: auto; width: {size}px; height: {size}px; }}
  main p {{ position: absolute; margin: 8px; color: {overlay}; white-space: pre; }}
  i {{ position: absolute; background: {overlay}; }}
</style>
<header>{buttons}</header>
<aside>{thumbnails}</aside>
<main>
  <img src="{scan}">
  <p style="left: 0; top: 0">{words}</p>
  <p style="right: 0; top: 0">Se 7 / Im 14\n1.5T</p>
  <p style="left: 0; bottom: 0">W 812 C 390\nSL 5.0 mm</p>
  <p style="left: 48%; top: 0">A</p><p style="left: 0; top: 48%">R</p>
  {ruler}
</main>
<aside>{list}</aside>
<footer>Ready &nbsp; 1.3.12.2.1107 &nbsp; zoom 100 %</footer>
"""


def letterboxed(scan: Image.Image, wide: bool) -> Image.Image:
    """The scan between black bars, twice as wide as high or the reverse."""
    side = scan.height
    size = (2 * side, side) if wide else (side, 2 * side)
    picture = Image.new("RGB", size)
    picture.paste(scan, ((size[0] - side) // 2, (size[1] - side) // 2))
    return picture


def bordered(
    scan: Image.Image, share: float, surround: str, text: bool, rng: np.random.Generator
) -> Image.Image:
    """The scan in a border that adds `share` of its side on every side, perhaps with text."""
    more = round(share * scan.width)
    side = scan.width + 2 * more
    picture = Image.fromarray(_surround(surround, side, rng))
    if text:
        draw = ImageDraw.Draw(picture)
        ink = "black" if surround in ("white", "grey") else "white"
        font = ImageFont.load_default(max(10, more // 4))
        draw.text((more // 4, more // 5), WORDS[rng.integers(len(WORDS))], ink, font)
        draw.text((side // 2, side - more * 4 // 5), WORDS[rng.integers(len(WORDS))], ink, font)
    picture.paste(scan, (more, more))
    return picture


def _surround(kind: str, side: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 (side, side, 3)."""
    down, across = np.mgrid[:side, :side]
    grey = {
        "black": np.zeros((side, side)),
        "white": np.full((side, side), 255),
        "grey": np.full((side, side), rng.integers(50, 220)),
        "gradient": 60 + 160 * down / side,
        "noise": rng.integers(0, 256, (side, side)),
        "weave": 120
        + 40 * np.sin(across * 1.3) * np.cos(down * 0.9)
        + rng.normal(0, 6, (side, side)),
    }
    if kind == "colour":
        return np.tile(rng.integers(0, 256, 3), (side, side, 1)).astype(np.uint8)
    return np.repeat(np.clip(grey[kind], 0, 255)[..., None], 3, axis=2).astype(np.uint8)


def viewer_page(scan: Image.Image, others: Sequence[Image.Image], rng: np.random.Generator) -> str:
    """The HTML of a viewer with tool bar, panels, overlay text and perhaps a ruler."""
    dark = rng.random() < 0.7
    shades = rng.integers(26, 80, 2) if dark else rng.integers(150, 245, 2)
    ticks = "".join(
        f'<i style="right: 8px; top: {25 + 5 * k}%; width: {18 - k % 2 * 8}px; height: 2px"></i>'
        for k in range(11)
    )
    return VIEWER.format(
        ink="#ccc" if dark else "#222",
        panel="#" + 3 * f"{shades[0]:02x}",
        button="#" + 3 * f"{min(255, shades[1] + 30):02x}",
        overlay=("#ff5", "#fff", "#7cf")[rng.integers(3)],
        left=rng.choice((0, 130, 240)),
        right=rng.choice((0, 180, 260)),
        size=round(760 / FRAMES[rng.integers(len(FRAMES))]),
        buttons="<b></b>" * int(rng.integers(5, 15)),
        thumbnails="".join(f'<img src="{_uri(one)}">' for one in others),
        scan=_uri(scan),
        words="\n".join(rng.permutation(WORDS)[:4]),
        ruler=ticks if rng.random() < 0.6 else "",
        list="<br>".join([*WORDS, "Series 1", "Series 2", "Series 7"]),
    )


def screenshot(page: Page, html: str) -> Image.Image:
    """What a browser shows of it."""
    page.set_content(html)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def photograph(scan: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A photograph of a screen: seen aslant, with moire, glare, blur and noise."""
    side = 480
    screen = Image.new("RGB", (side + 120, side + 80), (6, 6, 8))
    screen.paste(scan.resize((side, side), Image.Resampling.BICUBIC), (60, 40))
    width, height = 800, 640
    corners = np.array([(60, 40), (740, 40), (740, 600), (60, 600)]) + rng.uniform(-40, 40, (4, 2))
    seen = Image.new("L", screen.size, 255)
    warp = _perspective(corners, screen.size)
    arguments = ((width, height), Image.Transform.PERSPECTIVE, warp, Image.Resampling.BILINEAR)
    lit = np.asarray(screen.transform(*arguments), float)
    inside = np.asarray(seen.transform(*arguments), float)[..., None] / 255
    down, across = np.mgrid[:height, :width]
    angle, pitch = rng.uniform(0, np.pi), rng.uniform(4, 9)
    wave = np.sin(2 * np.pi * (across * np.cos(angle) + down * np.sin(angle)) / pitch)
    lit = (lit * rng.uniform(0.85, 1.1) + 12) * (1 + rng.uniform(0.03, 0.08) * wave[..., None])
    x, y = rng.uniform(0.2, 0.8, 2) * (width, height)
    lit += rng.uniform(20, 70) * np.exp(-(((across - x) ** 2 + (down - y) ** 2) / 70**2))[..., None]
    room = rng.uniform(30, 150) + 20 * across[..., None] / width
    picture = inside * lit * rng.uniform(0.94, 1.0, 3) + (1 - inside) * room
    picture = picture + rng.normal(0, 3, picture.shape)
    blurred = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(0.8)
    )
    return _compressed(blurred, 80)


def tiles(scans: Sequence[Image.Image], columns: int, bar: int, panel: int) -> Image.Image:
    """A viewer that shows several scans, below a tool bar and beside a panel with thumbnails."""
    width, height = WINDOW["width"], WINDOW["height"]
    picture = Image.new("RGB", (width, height), "#2b2b33")
    draw = ImageDraw.Draw(picture)
    rows = len(scans) // columns
    across, down = (width - panel) // columns, (height - bar) // rows
    side = round(0.85 * min(across, down))
    for k, scan in enumerate(scans):
        x, y = panel + k % columns * across, bar + k // columns * down
        draw.rectangle((x, y, x + across - 1, y + down - 1), "black")
        picture.paste(scan.resize((side, side)), (x + (across - side) // 2, y + (down - side) // 2))
        draw.text((x + 6, y + 6), WORDS[k % len(WORDS)], "white")
        draw.text((x + 6, y + down - 18), "Se 3 Im 12", "white")
    for k in range(12 * (bar > 0)):
        draw.rectangle((panel + 10 + 40 * k, 8, panel + 34 + 40 * k, bar - 8), "#777")
    for k in range(5 * (panel > 0)):
        draw.rectangle((20, 60 + 120 * k, panel - 20, 160 + 120 * k), "#555")
    return picture


def sheet(
    scans: Sequence[Image.Image],
    columns: int,
    gutter: int,
    colour: str,
    text: bool,
    side: int = 180,
) -> Image.Image:
    """A film of many slices: panels in rows, with gutters and perhaps a word in each."""
    side, rows = 180, -(-len(scans) // columns)
    pitch = side + gutter
    film = Image.new("RGB", (columns * pitch + gutter, rows * pitch + gutter), colour)
    for k, scan in enumerate(scans):
        panel = scan.resize((side, side), Image.Resampling.BILINEAR)
        if text:
            ImageDraw.Draw(panel).text((4, 4), f"Im {k + 1}", "white", ImageFont.load_default(12))
        film.paste(panel, (gutter + k % columns * pitch, gutter + k // columns * pitch))
    return film


def _perspective(corners: np.ndarray, size: tuple[int, int]) -> list[float]:
    """Pillow's coefficients: where in a picture of that size each point of the photograph lies."""
    width, height = size
    lines, values = [], []
    for (x, y), (u, v) in zip(
        corners, [(0, 0), (width, 0), (width, height), (0, height)], strict=True
    ):
        lines += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.linalg.solve(np.array(lines), np.array(values)).tolist()


def _compressed(picture: Image.Image, quality: int) -> Image.Image:
    stored = io.BytesIO()
    picture.save(stored, "JPEG", quality=quality)
    return Image.open(stored).convert("RGB")


def _uri(picture: Image.Image) -> str:
    stored = io.BytesIO()
    picture.save(stored, "PNG")
    return "data:image/png;base64," + base64.b64encode(stored.getvalue()).decode()
