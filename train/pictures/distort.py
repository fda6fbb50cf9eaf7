"""Other geometry and other grey levels for a scan, so that only the tumour tells the class.

Everything is drawn from the generator, within the bounds of `train.recipes.Distortion`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np

from train.pictures.skull import HEAD, box_of, grown, head_of, solid_head
from train.recipes import Distortion, WideDistortion

CURVE_KNOTS = 5  # of a random curve of grey levels
FALLING = 0.3  # how often it is not monotone

Step: TypeAlias = tuple[float, Callable[[np.ndarray], np.ndarray]]  # how often, and what


def warp(
    pixels: np.ndarray, mask: np.ndarray | None, rng: np.random.Generator, bounds: Distortion
) -> tuple[np.ndarray, np.ndarray | None]:
    """Mirror, turn, zoom, stretch and shift a picture and its outline; crop it to the head.

    Args:
        pixels: uint8 (H, W, 3), RGB.
        mask: bool (H, W), or None.

    Returns:
        The same shapes and types. What comes in from outside is black. A picture whose tumour
        would be cut off is only mirrored.
    """
    size = pixels.shape[1::-1]
    mirror = _mirror(size[0]) if rng.random() < 0.5 else np.eye(3)
    matrix = _drawn_matrix(pixels, rng, bounds) @ mirror
    if mask is None:
        return _moved(pixels, matrix, size, cv2.INTER_LINEAR), None
    area = mask.sum() * abs(np.linalg.det(matrix[:2, :2]))
    moved = _moved(mask.astype(np.uint8), matrix, size, cv2.INTER_NEAREST)
    if moved.sum() < 0.9 * area:
        matrix = mirror
        moved = _moved(mask.astype(np.uint8), matrix, size, cv2.INTER_NEAREST)
    return _moved(pixels, matrix, size, cv2.INTER_LINEAR), moved.astype(bool)


def shade(
    pixels: np.ndarray, other: np.ndarray, rng: np.random.Generator, bounds: Distortion
) -> np.ndarray:
    """Change the grey levels and the sharpness, as other scanners, windows and files do.

    Args:
        pixels: uint8 (H, W, 3), RGB.
        other: the same, a scan whose grey levels may be taken over.

    Returns:
        uint8 (H, W, 3).
    """
    steps = (
        (bounds.erased, only_head),
        (bounds.matched, lambda p: matched(p, other)),
        (
            bounds.toned,
            lambda p: toned(
                p,
                rng.uniform(*bounds.gamma),
                rng.uniform(*bounds.contrast),
                rng.uniform(*bounds.brightness),
            ),
        ),
        (bounds.equalized, lambda p: equalized(p, rng.uniform(*bounds.clip_limit))),
        (bounds.coarsened, lambda p: coarsened(p, rng.uniform(*bounds.resolution))),
        (bounds.blurred, lambda p: cv2.GaussianBlur(p, (0, 0), rng.uniform(*bounds.blur))),
        (bounds.noisy, lambda p: noisy(p, rng.uniform(*bounds.noise), rng)),
        (bounds.compressed, lambda p: compressed(p, int(rng.integers(*bounds.quality)))),
    )
    if isinstance(bounds, WideDistortion):
        steps = (*_wide_steps(rng, bounds), *steps)
    for share, step in steps:
        if rng.random() < share:
            pixels = step(pixels)
    return pixels


def _wide_steps(rng: np.random.Generator, bounds: WideDistortion) -> tuple[Step, ...]:
    """Steps that make one sequence or scanner look like another, before those of every recipe."""
    return (
        (bounds.stripped, lambda p: stripped(p, rng.uniform(*bounds.rim))),
        (bounds.levelled, levelled),
        (bounds.remapped, lambda p: remapped(p, rng)),
        (bounds.biased, lambda p: biased(p, rng.uniform(*bounds.bias), rng)),
        (bounds.ghosted, lambda p: ghosted(p, rng.uniform(*bounds.ghost), rng)),
    )


def stripped(pixels: np.ndarray, rim: float) -> np.ndarray:
    """Black but for the head without its rim: about what skull stripping leaves.

    Args:
        rim: its width, as a share of the root of the head's area.
    """
    head = solid_head(pixels)
    width = round(rim * float(np.sqrt(head.sum())))
    return pixels * ~grown(~head, width)[:, :, None]


def levelled(pixels: np.ndarray) -> np.ndarray:
    """The head's grey levels stretched so that its brightest half per cent is white."""
    head = head_of(pixels)
    if not head.any():
        return pixels
    white = max(float(np.percentile(pixels[head], 99.5)), 1.0)
    return np.clip(pixels * (255 / white), 0, 255).astype(np.uint8)


def remapped(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The head's grey levels along a random curve, which now and then falls: tissues that are
    dark in one sequence are bright in another.

    Zhou et al., "Models Genesis: generic autodidactic models for 3D medical image analysis",
    MICCAI 2019 (non-linear intensity transformation).
    """
    knots = np.sort(rng.uniform(0, 1, CURVE_KNOTS))
    if rng.random() < FALLING:
        knots = rng.permutation(knots)
    curve = np.interp(np.linspace(0, 1, 256), np.linspace(0, 1, CURVE_KNOTS), knots)
    levels = np.arange(256)
    background = np.clip(1 - (levels - HEAD / 2) / HEAD, 0, 1)  # stays as dark as it is
    table = background * levels + (1 - background) * curve * 255
    return table.round().astype(np.uint8)[pixels]


def biased(pixels: np.ndarray, amplitude: float, rng: np.random.Generator) -> np.ndarray:
    """Brighter on one side than on the other, as a surface coil sees it: times a smooth field.

    Args:
        amplitude: of the field's logarithm, a polynomial of the second order.
    """
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in pixels.shape[:2]), indexing="ij")
    terms = np.stack([x, y, x * y, x**2, y**2])
    field = np.tensordot(rng.normal(size=len(terms)), terms, axes=1)
    field *= amplitude / max(float(np.abs(field).max()), 1e-6)
    return np.clip(pixels * np.exp(field)[:, :, None], 0, 255).astype(np.uint8)


def ghosted(pixels: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """With a shifted, fainter copy of itself along one axis, as motion leaves it."""
    axis = int(rng.integers(2))
    shift = int(pixels.shape[axis] * rng.uniform(0.1, 0.5))
    both = pixels + strength * np.roll(pixels, shift, axis)
    return np.clip(both / (1 + strength), 0, 255).astype(np.uint8)


def only_head(pixels: np.ndarray) -> np.ndarray:
    """Black but for the head: no frame, no text, no arrow beside it."""
    return pixels * solid_head(pixels)[:, :, None]


def matched(pixels: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The head's grey levels distributed as those of the other picture's head."""
    ours, theirs = (_cumulated(p) for p in (pixels, other))
    if ours is None or theirs is None:
        return pixels
    levels = np.arange(256)
    table = np.interp(ours, theirs, levels)
    table[:HEAD] = levels[:HEAD]
    return table.astype(np.uint8)[pixels]


def toned(pixels: np.ndarray, gamma: float, contrast: float, brightness: float) -> np.ndarray:
    """Gamma, then contrast about the head's mean, then brightness."""
    grey = (np.arange(256) / 255) ** gamma
    head = head_of(pixels)
    mean = grey[pixels[head]].mean() if head.any() else 0.5
    # the background stays black: below HEAD the contrast's offset fades out
    offset = (1 - contrast) * mean * np.minimum(np.arange(256) / HEAD, 1)
    table = (grey * contrast + offset) * brightness
    return (np.clip(table, 0, 1) * 255).round().astype(np.uint8)[pixels]


def equalized(pixels: np.ndarray, clip_limit: float) -> np.ndarray:
    """CLAHE of the lightness. Zuiderveld, "Contrast limited adaptive histogram equalization",
    Graphics Gems IV, 1994."""
    colours = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
    colours[:, :, 0] = cv2.createCLAHE(clip_limit, (4, 4)).apply(colours[:, :, 0])
    return cv2.cvtColor(colours, cv2.COLOR_LAB2RGB)


def coarsened(pixels: np.ndarray, resolution: float) -> np.ndarray:
    """Made smaller by that factor, then enlarged again."""
    small = cv2.resize(pixels, None, fx=resolution, fy=resolution, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def noisy(pixels: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Grey Gaussian noise of that standard deviation, in grey levels."""
    noise = rng.normal(scale=deviation, size=(*pixels.shape[:2], 1))
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def compressed(pixels: np.ndarray, quality: int) -> np.ndarray:
    """Through JPEG and back."""
    _, content = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(content, cv2.IMREAD_COLOR)


def _drawn_matrix(pixels: np.ndarray, rng: np.random.Generator, bounds: Distortion) -> np.ndarray:
    """A 3x3 matrix of pixel coordinates: crop, turn, zoom and shift about the centre."""
    height, width = pixels.shape[:2]
    angle = np.deg2rad(rng.uniform(-bounds.rotation, bounds.rotation))
    stretch = 1 + rng.uniform(-bounds.stretch, bounds.stretch) / 2
    zoom = rng.uniform(*bounds.zoom) * np.array([stretch, 1 / stretch])
    shift = rng.uniform(-bounds.shift, bounds.shift, 2) * (width, height)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn * zoom
    centre = (np.array([width, height]) - 1) / 2
    whole = _affine(matrix, centre + shift - matrix @ centre)
    cropped = rng.random() < bounds.cropped
    head = solid_head(pixels) if cropped else None
    if head is None or not head.any():
        return whole
    corner, size = box_of(head)
    scale = (np.array([width, height]) - 1) / size
    return whole @ _affine(np.diag(scale), -corner * scale)


def _mirror(width: int) -> np.ndarray:
    return np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])


def _affine(matrix: np.ndarray, offset: np.ndarray) -> np.ndarray:
    return np.vstack([np.column_stack([matrix, offset]), [0, 0, 1]])


def _moved(
    image: np.ndarray, matrix: np.ndarray, size: tuple[int, int], interpolation: int
) -> np.ndarray:
    return cv2.warpAffine(image, matrix[:2], size, flags=interpolation)


def _cumulated(pixels: np.ndarray) -> np.ndarray | None:
    """The cumulated distribution of the head's grey levels, (256,); None without a head."""
    counts = np.bincount(pixels.max(axis=2).ravel(), minlength=256).astype(float)
    counts[:HEAD] = 0
    if not counts.any():
        return None
    # a little everywhere makes it strictly rising, so it can be inverted
    return np.cumsum(counts / counts.sum() + 1e-6)
