"""A photograph of a screen that shows a scan, as people send one when they cannot export it."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np

from train.data.dataset import Scan
from train.pictures.augment import AugmentedViews
from train.pictures.distort import compressed

PHOTOGRAPHED = 2 / 3  # of the views that are not the scan as it is

BLACK = (0, 30)  # grey levels that a lit screen's black has
LIGHT = (0.85, 1.15)  # share of the white
TINT = (0.93, 1.0)  # share of each channel
ASLANT = 0.06  # of the side, that a corner lies off at most
ROOM = (0, 160)  # grey level beside the screen
PITCH = (1.5, 9.0)  # pixels, of a band of moire
MOIRE = (0.02, 0.09)  # its amplitude, as a share of the light
GLARE = (0, 80)  # grey levels at its middle
GLARE_WIDTH = (0.08, 0.3)  # of the side
NOISE = (1, 4)  # grey levels
BLUR = (0.3, 0.9)  # pixels
QUALITY = (60, 95)


class PhotographedViews(AugmentedViews):
    """View 0 is the scan as it is; most of the others are photographs of a screen, and the rest
    what AugmentedViews gives."""

    def source(self, scan: Scan, view: int) -> str:
        """As AugmentedViews gives it, of what these views follow from."""
        origin = super().source(scan, view)
        if view == 0:
            return origin
        return hashlib.sha256(repr((origin, "photographed", PHOTOGRAPHED)).encode()).hexdigest()

    def _draw(self, view: tuple[Scan, int]) -> np.ndarray:
        scan, number = view
        rng = np.random.default_rng([self._seed, number, int(scan.digest[:16], 16), 1])
        if number > 0 and rng.random() < PHOTOGRAPHED:
            return photographed(scan.pixels(), rng)
        return super()._draw(view)


def photographed(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Seen a little aslant, with moire, glare, blur and noise, a grey black and a tint.

    Args:
        pixels: uint8 (H, W, 3), RGB.

    Returns:
        uint8 (H, W, 3).
    """
    height, width = pixels.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    light = pixels * rng.uniform(*LIGHT) + rng.uniform(*BLACK)
    light *= 1 + _moire(x, y, rng)
    light += _glare(x / width, y / height, rng)[:, :, None]
    light *= rng.uniform(*TINT, 3)
    light = _aslant(light.astype(np.float32), rng.uniform(*ROOM), rng)
    light += rng.normal(scale=rng.uniform(*NOISE), size=light.shape)
    seen = cv2.GaussianBlur(light, (0, 0), rng.uniform(*BLUR))
    return compressed(np.clip(seen, 0, 255).astype(np.uint8), int(rng.integers(*QUALITY)))


def _moire(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bands where the grids of screen and camera beat, each channel's with a phase of its own."""
    angle, pitch = rng.uniform(0, np.pi), rng.uniform(*PITCH)
    phase = rng.uniform(0, 2 * np.pi) + rng.uniform(0, 1) * np.arange(3)
    along = (x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / pitch
    return rng.uniform(*MOIRE) * np.sin(along[:, :, None] + phase)


def _glare(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A lamp's reflection, (H, W) in grey levels."""
    across, down = rng.uniform(0.1, 0.9, 2)
    distance = np.hypot(x - across, y - down) / rng.uniform(*GLARE_WIDTH)
    return rng.uniform(*GLARE) * np.exp(-(distance**2))


def _aslant(light: np.ndarray, room: float, rng: np.random.Generator) -> np.ndarray:
    """Through a perspective that moves each corner; the room beside the screen comes in."""
    height, width = light.shape[:2]
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    moved = corners + rng.uniform(-ASLANT, ASLANT, (4, 2)) * (width, height)
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    return cv2.warpPerspective(light, matrix, (width, height), borderValue=(room,) * 3)
