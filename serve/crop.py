"""The head in a picture: what lies around the scan is cut off, and its proportions come back.

The network was trained on scans that fill a nearly square picture. Borders, bars, a viewer's
panels and text make the head small or squash it; `find_head` finds the scan in them in three
steps, each on a reduced copy: what differs from a bright or textured surround, without strips that
a straight line parts from the rest (`serve.surround`), and the largest compact part of it that is
not background (`_head`). A picture that is a plain scan already is left as it is.

web/page/crop.js is its twin; those of what it imports lie beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .boxes import Box, components, margins, opened, overlap, reduced, ring, union
from .surround import page, strips

LONGEST = 256  # pixels, a side of the reduced copy at most
SOLID = 20  # grey levels of a head above its background
CUT = 0.45  # share of a head's side that is solid where the scan's edge cuts it off
PROPORTIONS = (0.72, 1.28)  # width / height of a picture that may be stretched, as in training
FILLED = 0.5  # share of a side that a head fills at least in the training scans
FRAMED = 0.7  # the same of a frame that was cut out: a viewport, a screen
MARGIN = 15  # percent that the square around a head is larger, where its frame cannot be seen
TIGHT = 0.06  # share of a side; a closer frame is no frame, but the head's own outline
BARS = 0.08  # share of a side; few training scans have plain bars of that size all around
LITTER = 0.04  # share of a frame; no plain scan has so much at its edges beside the head
TEXT = 40  # pixels of the reduced copy, of text beside a scan at least
UNTOUCHED = 0.05  # share of a side; cutting off less changes nothing
LONGEST_CROP = 8  # times as long as it is wide: black makes it square, which takes memory


@dataclass(frozen=True, slots=True)
class Crop:
    """The part of a picture that is the scan, in pixels of the picture.

    `padding` is the black that makes it nearly square: left, top, right and bottom.
    """

    x: int
    y: int
    width: int
    height: int
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what is cut out, with its padding."""
        left, top, right, bottom = self.padding
        return left + self.width + right, top + self.height + bottom

    def moved(self, across: float, down: float, x: int = 0, y: int = 0) -> Crop:
        """The same part of a larger or smaller copy, after the corner was moved by (x, y).

        Args:
            across: how many times as wide the copy is.
            down: how many times as high.
        """
        left, right = (round((x + at) * across) for at in (self.x, self.x + self.width))
        top, bottom = (round((y + at) * down) for at in (self.y, self.y + self.height))
        sides = zip(self.padding, (across, down, across, down), strict=True)
        padding = tuple(round(black * scale) for black, scale in sides)
        return Crop(left, top, max(1, right - left), max(1, bottom - top), padding)  # type: ignore[arg-type]


def find_head(pixels: np.ndarray) -> Crop | None:
    """Find the scan in a picture with borders, bars, text or a viewer around it.

    Args:
        pixels: uint8 (H, W, 3), RGB.

    Returns:
        what to cut out; None where there is nothing to remove, or no head is found.
    """
    height, width = pixels.shape[:2]
    copy, factor = reduced(pixels, LONGEST)
    red, green, blue = (copy[..., channel].astype(np.int32) for channel in range(3))
    levels = np.maximum(np.maximum(red, green), blue)
    darkest = np.minimum(np.minimum(red, green), blue)
    whole = (0, 0, levels.shape[1], levels.shape[0])
    paper, aslant = page(levels, whole)
    frame = strips(levels, paper)
    coloured = levels - darkest > np.maximum(40, levels // 3)
    found = _head(levels, coloured, frame)
    if found is None:
        return None
    head, background, litter = found
    contrast = np.abs(levels - background)
    loose = (litter or aslant) and max(margins(frame, head)) > TIGHT
    framed = _differ(whole, frame)
    box = _square(contrast, head) if loose else _scan(contrast, frame, head, framed)
    return _crop(box, frame, factor, width, height) if _differ(whole, box) else None


def within(crop: Crop, width: int, height: int) -> Crop | None:
    """A crop that somebody else has made: what of it lies in the picture, and black around it where
    the network would squash it.

    Args:
        crop: in pixels of the picture; padding that it has stays as it is.
        width, height: of the picture.

    Returns:
        None where it lies outside, or is a strip over `LONGEST_CROP` times as long as wide.
    """
    left, right = max(0, crop.x), min(width, crop.x + crop.width)
    top, bottom = max(0, crop.y), min(height, crop.y + crop.height)
    if right <= left or bottom <= top:
        return None
    across, down = right - left, bottom - top
    if max(across, down) > LONGEST_CROP * min(across, down):
        return None
    padding = crop.padding
    if not any(padding) and not PROPORTIONS[0] <= across / down <= PROPORTIONS[1]:
        beside, above = max(0, down - across), max(0, across - down)
        padding = beside // 2, above // 2, beside - beside // 2, above - above // 2
    return Crop(left, top, across, down, padding)


def apply(pixels: np.ndarray, crop: Crop) -> np.ndarray:
    """Cut the scan out: uint8 (h, w, 3), of the crop's size and its padding."""
    cut = pixels[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width]
    left, top, right, bottom = crop.padding
    return np.pad(cut, ((top, bottom), (left, right), (0, 0)))


def laid(cam: np.ndarray, crop: Crop, size: tuple[int, int]) -> np.ndarray:
    """A map of what was cut out, where it belongs on the whole picture.

    Args:
        cam: float32 (h, w).
        crop: what was cut out.
        size: the picture's width and height in pixels.

    Returns:
        float32 (H, W), 0 around the crop.
    """
    image = Image.fromarray(cam).resize(crop.size, Image.Resampling.BILINEAR)
    left, top = crop.padding[:2]
    part = np.asarray(image)[top : top + crop.height, left : left + crop.width]
    whole = np.zeros(size[::-1], np.float32)
    whole[crop.y : crop.y + crop.height, crop.x : crop.x + crop.width] = part
    return whole


def _head(levels: np.ndarray, coloured: np.ndarray, frame: Box) -> tuple[Box, int, bool] | None:
    """The box of the largest compact part that is not background, and the background's level.

    The third is whether much else lies at the frame's edges: a room around a screen, panels.
    """
    left, top, right, bottom = frame
    part = levels[top:bottom, left:right]
    if min(part.shape) < 16:
        return None
    edge = np.sort(ring(part))
    background = int(edge[len(edge) // 4])
    counts = np.bincount(part.ravel()).cumsum()
    brightest = int(np.searchsorted(counts, part.size * 99 // 100, side="right"))
    least = min(max((brightest - background) // 8, 8), 24)
    mask = np.abs(part - background) > least
    mask &= ~coloured[top:bottom, left:right]
    parts = components(opened(mask))
    best, most = None, 0.005 * part.size
    for box, pixels, filled in parts:
        width, height = box[2] - box[0], box[3] - box[1]
        long = max(width, height) > 4 * min(width, height)
        sparse = filled < width * height * 0.4 or pixels < filled * 0.15
        if filled > most and not long and not sparse:
            best, most = box, filled
    if best is None:
        return None
    for box, pixels, _ in parts:  # the scalp around the brain, an ear
        if pixels > 0.01 * most and overlap(box, best):
            best = union(best, box)
    litter = sum(
        filled
        for box, _, filled in parts
        if not overlap(box, best) and min(margins((0, 0, right - left, bottom - top), box)) < 0.01
    )
    head = best[0] + left, best[1] + top, best[2] + left, best[3] + top
    return head, background, litter > LITTER * part.size


def _scan(contrast: np.ndarray, frame: Box, head: Box, framed: bool) -> Box:
    """The frame that the head fills as in training; it may reach beyond the picture.

    Args:
        contrast: int (h, w), grey levels from the background's. A scan's own noise tells where it
            ends and plain bars begin.
        frame: what is left of the picture.
        head: the box of the head.
        framed: whether the frame was seen, and is not just the picture.
    """
    own = _own_frame(contrast > 0, frame, head)
    plain = max(margins(own, head)) < TIGHT  # nothing shows where the scan ends
    own = _squared(own, frame)
    width, height = frame[2] - frame[0], frame[3] - frame[1]
    longest = max(head[2] - head[0], head[3] - head[1])
    usual = PROPORTIONS[0] <= width / height <= PROPORTIONS[1]
    bars = min(margins(frame, own)) >= BARS
    if framed:
        bars = _ink(contrast, frame) - _ink(contrast, own) > TEXT or (bars and not plain)
    least = FRAMED if framed else FILLED
    if usual and longest >= least * max(width, height) and not bars:
        return frame
    if not plain and longest >= FILLED * (own[2] - own[0]):
        return own
    side = min(width, height)
    if usual or not FRAMED * side <= longest <= side:
        return _square(contrast, head)
    return _squared(own, frame, side)


def _ink(contrast: np.ndarray, box: Box) -> int:
    """Pixels of a box that are not background."""
    return int((contrast[box[1] : box[3], box[0] : box[2]] > SOLID).sum())


def _squared(box: Box, frame: Box, side: int = 0) -> Box:
    """A box whose sides differ much, grown within the frame to a square of at least that side."""
    width, height = box[2] - box[0], box[3] - box[1]
    if min(width, height) > 0.85 * max(width, height, side):
        return box
    side = max(width, height, side)
    left, right = _within(box[0], box[2], side, frame[0], frame[2])
    top, bottom = _within(box[1], box[3], side, frame[1], frame[3])
    return left, top, right, bottom


def _within(start: int, end: int, side: int, least: int, most: int) -> tuple[int, int]:
    """An interval of that length with the same middle, moved to lie between two bounds."""
    start = max(min((start + end - side) // 2, most - side), min(least, most - side))
    return start, start + side


def _own_frame(busy: np.ndarray, frame: Box, head: Box) -> Box:
    """How far the scan's noise reaches around the head, within the frame."""
    left, right = _reach(busy[head[1] : head[3]].mean(axis=0) >= 0.1, head[0], head[2])
    top, bottom = _reach(busy[:, head[0] : head[2]].mean(axis=1) >= 0.1, head[1], head[3])
    return max(left, frame[0]), max(top, frame[1]), min(right, frame[2]), min(bottom, frame[3])


def _reach(busy: np.ndarray, start: int, end: int) -> tuple[int, int]:
    """How far the lines before `start` and from `end` on are busy without a gap."""
    before = int(np.flatnonzero(~busy[:start]).max(initial=-1)) + 1
    after = int(np.flatnonzero(~busy[end:]).min(initial=len(busy) - end))
    return before, end + after


def _square(contrast: np.ndarray, head: Box) -> Box:
    """The square around a head, with a margin but where the scan's edge cuts it off."""
    left, top, right, bottom = head
    solid = contrast > SOLID
    cut = (
        solid[top:bottom, left].mean() > CUT,
        solid[top, left:right].mean() > CUT,
        solid[top:bottom, right - 1].mean() > CUT,
        solid[bottom - 1, left:right].mean() > CUT,
    )
    side = max(right - left, bottom - top)
    free = sum(not one for one in (cut[::2] if right - left > bottom - top else cut[1::2]))
    side += free * (side * MARGIN // 200)
    left, right = _widened(left, right, side, cut[0], cut[2])
    top, bottom = _widened(top, bottom, side, cut[1], cut[3])
    return left, top, right, bottom


def _widened(start: int, end: int, side: int, cut_start: bool, cut_end: bool) -> tuple[int, int]:
    """An interval of that length, grown at both ends but where one is cut off."""
    more = side - (end - start)
    before = more // 2 if cut_start == cut_end else 0 if cut_start else more
    return start - before, start - before + side


def _differ(whole: Box, box: Box) -> bool:
    """Whether a box is worth cutting out of the whole."""
    return max(map(abs, margins(whole, box))) >= UNTOUCHED


def _crop(box: Box, frame: Box, factor: int, width: int, height: int) -> Crop:
    """A box of the reduced copy in the picture's pixels; what is outside the frame is padding."""
    left, top, right, bottom = (edge * factor for edge in box)
    # Beyond the last whole block lie a few more pixels of the picture.
    across, down = width // factor, height // factor
    x, y = max(box[0], frame[0]) * factor, max(box[1], frame[1]) * factor
    x_end, y_end = min(box[2], frame[2]), min(box[3], frame[3])
    x_end = width if x_end == across else x_end * factor
    y_end = height if y_end == down else y_end * factor
    padding = (x - left, y - top, max(right - x_end, 0), max(bottom - y_end, 0))
    return Crop(x, y, x_end - x, y_end - y, padding)
