"""Br35H as its author published it: yes/*.jpg, and outlines of some by the VGG Image Annotator."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from serve.artifacts import replacing
from serve.command import UserError
from train.data.collected import pictures_in, read_grey, save_grey, save_mask, small_copies
from train.data.copies import grey_levels
from train.data.dataset import Scan

QUALITY = 92
COPY = 0.986  # correlation of small copies; tumours of other patients stay below 0.985
COLUMNS = ("file", "mask", "kaggle_duplicate", "correlation")


def collect_br35h(source: Path, output: Path, known: Sequence[Scan]) -> list[str]:
    """images/*.jpg, masks/*.png and br35h_tumour.csv in `output`; returns the files' names.

    Args:
        source: the unpacked download.
        output: where they are written.
        known: the Kaggle dataset, some of whose scans are copies of them.

    Raises:
        UserError: there is no folder yes with pictures, or a picture or an outline cannot be read.
    """
    files = sorted(
        (path for path in pictures_in(source) if path.parent.name.lower() == "yes"), key=_number
    )
    if not files:
        raise UserError(f"{source}: has no folder yes with pictures")
    outlines = _read_outlines(source)
    greys, outlined = [], set()
    for path in tqdm(files, "br35h", unit="image", delay=1):
        grey = read_grey(path)
        greys.append(grey)
        save_grey(grey, output / "images" / f"{path.stem}.jpg", QUALITY)
        if path.stem in outlines:
            with Image.open(path) as image:
                mask = _drawn(outlines[path.stem], *image.size)
            if mask.any():
                save_mask(mask, output / "masks" / f"{path.stem}.png")
                outlined.add(path.stem)
    rows = [
        (f"{path.stem}.jpg", int(path.stem in outlined), *copied)
        for path, copied in zip(files, _copies(greys, known), strict=True)
    ]
    table = output / "br35h_tumour.csv"
    with replacing(table) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return [row[0] for row in rows]


def _number(path: Path) -> tuple[int, str]:
    digits = "".join(filter(str.isdigit, path.stem))
    return int(digits or 0), path.name


def _read_outlines(source: Path) -> dict[str, list[dict[str, Any]]]:
    """The shapes drawn on each picture, by its name without the suffix."""
    outlines: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(source.rglob("annotations*.json")):
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))
            entries = entries.get("_via_img_metadata", entries)
            for entry in entries.values():
                regions = entry["regions"]
                regions = regions.values() if isinstance(regions, dict) else regions
                shapes = [region["shape_attributes"] for region in regions]
                outlines[Path(entry["filename"]).stem] = shapes
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: no outlines of the VGG Image Annotator ({error})") from error
    return outlines


def _drawn(shapes: Sequence[dict[str, Any]], width: int, height: int) -> np.ndarray:
    """bool (height, width): what lies within any of the shapes."""
    mask = np.zeros((height, width), np.uint8)
    for shape in shapes:
        match shape.get("name"):
            case "polygon" | "polyline":
                points = np.stack([shape["all_points_x"], shape["all_points_y"]], axis=1)
                cv2.fillPoly(mask, [points.round().astype(np.int32)], 1)
            case "circle" | "ellipse":
                across = shape.get("rx", shape.get("r"))
                axes = round(across), round(shape.get("ry", across))
                angle = np.degrees(shape.get("theta", 0.0))
                centre = round(shape["cx"]), round(shape["cy"])
                cv2.ellipse(mask, centre, axes, angle, 0, 360, 1, cv2.FILLED)
            case "rect":
                left, top = round(shape["x"]), round(shape["y"])
                right, bottom = left + round(shape["width"]), top + round(shape["height"])
                mask[top:bottom, left:right] = 1
    return mask > 0


def _copies(greys: Sequence[np.ndarray], known: Sequence[Scan]) -> list[tuple[str, str]]:
    """The scan that each is a copy of, mirrored or not, and their correlation; else empty."""
    if not known:
        return [("", "")] * len(greys)
    scans, pictures = small_copies(grey_levels(known)), small_copies(greys)
    alike = np.maximum(_products(pictures, scans), _products(pictures, scans[..., ::-1]))
    return [
        (known[best].name, f"{row[best]:.4f}") if row[best] >= COPY else ("", "")
        for row, best in zip(alike, alike.argmax(axis=1), strict=True)
    ]


def _products(pictures: np.ndarray, scans: np.ndarray) -> np.ndarray:
    return pictures.reshape(len(pictures), -1) @ scans.reshape(len(scans), -1).T
