"""The augmented views of a scan: brightness and contrast, drawn from the seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image, ImageEnhance

from train import pictures
from train.data.dataset import Scan
from train.recipes import BareRecipe

AHEAD = 256  # views are drawn at most before they are asked for


class AugmentedViews:
    """The views of any scan that the bare recipe and a seed give."""

    def __init__(self, recipe: BareRecipe, seed: int) -> None:
        self._recipe, self._seed = recipe, seed

    def source(self, scan: Scan, view: int) -> str:
        """SHA-256 of what a view follows from; that of the scan's file for view 0."""
        if view == 0:
            return scan.digest
        recipe = self._recipe
        origin = (scan.digest, recipe.brightness, recipe.contrast, self._seed)
        origin += (pictures.VERSION,) if pictures.VERSION > 1 else ()  # without: as it began
        return hashlib.sha256(repr(origin).encode()).hexdigest()

    def pixels(self, views: Sequence[tuple[Scan, int]]) -> Iterator[np.ndarray]:
        """uint8 (224, 224, 3), RGB, of each view of a scan, in order."""
        with ThreadPoolExecutor() as pool:
            for start in range(0, len(views), AHEAD):
                yield from pool.map(self._draw, views[start : start + AHEAD])

    def _draw(self, view: tuple[Scan, int]) -> np.ndarray:
        scan, number = view
        return augmented_view(scan.pixels(), scan.digest, number, self._recipe, self._seed)


def augmented_view(
    pixels: np.ndarray, digest: str, view: int, recipe: BareRecipe, seed: int
) -> np.ndarray:
    """View number `view` of a scan; the same arguments always give the same pixels.

    Args:
        pixels: uint8 (H, W, 3), RGB.
        digest: the scan's SHA-256; with `view` and `seed` it decides what is drawn.
        view: 0 is the scan as it is.

    Returns:
        uint8 (H, W, 3), RGB.
    """
    if view == 0:
        return pixels
    rng = np.random.default_rng([seed, view, int(digest[:16], 16)])
    image = Image.fromarray(pixels)
    image = ImageEnhance.Brightness(image).enhance(rng.uniform(*recipe.brightness))
    image = ImageEnhance.Contrast(image).enhance(rng.uniform(*recipe.contrast))
    return np.asarray(image)
