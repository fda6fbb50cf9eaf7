"""What the slim network is taught on: scans as they are, distorted, and blended.

A light set of its own (train/pictures/distort.py is the training's): what is asked here is only
that both networks see the same.
"""

from __future__ import annotations

import cv2
import numpy as np

PLAIN = 0.2  # how often a scan is shown as it is
BLENDED = 0.15  # how often two scans are laid over each other


def view(pixels: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture to learn from.

    Beyer et al., "Knowledge distillation: a good teacher is patient and consistent", CVPR 2022:
    pictures far from the scans, blends of two among them, teach the function, not its answers.

    Args:
        pixels: uint8 (H, W, 3).
        other: the same, another scan.

    Returns:
        uint8 (H, W, 3).
    """
    if rng.random() < PLAIN:
        return pixels
    if rng.random() < BLENDED:
        share = rng.uniform(0.2, 0.8)
        pixels = cv2.addWeighted(pixels, share, other, 1 - share, 0)
    pixels = toned(_moved(pixels, rng), rng)
    if rng.random() < 0.25:
        pixels = _coarsened(pixels, rng.uniform(0.4, 0.9))
    if rng.random() < 0.15:
        pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.25:
        noise = rng.normal(scale=rng.uniform(1, 8), size=(*pixels.shape[:2], 1))
        pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    return pixels


def _moved(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirrored, turned, zoomed, stretched and shifted; what comes in from outside is black."""
    height, width = pixels.shape[:2]
    angle, zoom = rng.uniform(-20, 20), rng.uniform(0.8, 1.2)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, zoom)
    matrix[0] *= rng.uniform(0.92, 1.08)
    matrix[:, 2] += rng.uniform(-0.06, 0.06, 2) * (width, height)
    if rng.random() < 0.5:
        matrix[0] = [0, 0, width - 1] - matrix[0]
    return cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR)


def toned(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other brightness, contrast and gamma, now and then nearly a negative."""
    grey = (np.arange(256) / 255) ** rng.uniform(0.6, 1.6)
    table = (grey - 0.5) * rng.uniform(0.7, 1.3) + 0.5
    table = np.where(grey < 0.05, grey, table) * rng.uniform(0.6, 1.3)
    if rng.random() < 0.1:
        knots = np.sort(rng.uniform(0, 1, 3))
        table = np.interp(grey, [0, 0.1, 0.4, 0.7, 1], [0, *rng.permutation(knots), rng.random()])
    return cv2.LUT(pixels, (np.clip(table, 0, 1) * 255).round().astype(np.uint8))


def _coarsened(pixels: np.ndarray, resolution: float) -> np.ndarray:
    """Made smaller by that factor, then enlarged again."""
    small = cv2.resize(pixels, None, fx=resolution, fy=resolution, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)
