"""What every kind of picture has in common."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image

MAX_SIDE = 800
MIN_SIDE = 100  # smaller ones are icons

Pictures = Iterator[tuple[str, Image.Image]]  # file names and pictures
