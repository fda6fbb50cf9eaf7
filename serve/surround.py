"""What lies around a scan: a page, a border, a room, tool bars and panels."""

from __future__ import annotations

import numpy as np

from .boxes import Box, components, middle, ring

BLOCK = 4  # pixels of the reduced copy, a side of the blocks whose texture is compared
DARK = 32  # grey level below which a plain surround is a scan's own background
QUIET = 6  # grey levels, the mean deviation within a block of a plain surround
UNLIKE = 20  # grey levels from the surround's of a block that lies on it
STRAIGHT = 0.92  # share of its box that a rectangle fills; a head, an ellipse, fills less
EXACT = 0.965  # the same of a rectangle that lies straight in the picture
ASLANT = 0.75  # the same of a screen seen aslant
INSIDE = 0.92  # share of each side of the rectangle in it that is not surround
STEP = 10  # grey levels across a straight edge


def page(levels: np.ndarray, box: Box) -> tuple[Box, bool]:
    """The scan on a bright, coloured or textured page: what differs from the outermost blocks.

    The second is whether it lies aslant, as a photographed screen does.
    """
    aslant = False
    for _ in range(4):  # a screenshot in a page in a border
        blocks = _blocks(levels, box)
        if min(blocks[0].shape) < 4 or _is_background(*blocks):
            break
        found = _on_page(*blocks, slope=False)
        if found is None or found[1]:
            found = _on_page(*blocks, slope=True) or found
        if found is None:
            break
        (left, top, right, bottom), aslant = found
        inner = (
            box[0] + BLOCK * left,
            box[1] + BLOCK * top,
            min(box[2], box[0] + BLOCK * right),
            min(box[3], box[1] + BLOCK * bottom),
        )
        box = _snapped(levels, inner)
        if aslant:
            break
    return box, aslant


def _is_background(means: np.ndarray, spreads: np.ndarray) -> bool:
    """Whether the outermost blocks are as dark and plain as a scan's own background."""
    return middle(ring(means)) < DARK and middle(ring(spreads)) < QUIET


def _on_page(means: np.ndarray, spreads: np.ndarray, slope: bool) -> tuple[Box, bool] | None:
    """The one rectangle on a page of even brightness, or of evenly sloping brightness, in blocks.

    The second is whether it lies aslant.
    """
    ground = _plane(means, slope)
    spread = middle(ring(spreads))
    other = np.abs(means - ground) > UNLIKE
    other |= np.abs(spreads - spread) > max(QUIET, spread // 2)
    parts = components(other)
    if not parts:
        return None
    (left, top, right, bottom), _, filled = max(parts, key=lambda part: part[2])
    area = (right - left) * (bottom - top)
    if not 0.03 * other.size < area < 0.97 * other.size:
        return None
    far, deep = (right - left) // 7, (bottom - top) // 7
    edge = middle(ring(means[top + deep : bottom - deep, left + far : right - far]))
    darker = edge < middle(ring(means)) - UNLIKE  # a screen aslant in a bright room
    if filled < (ASLANT if darker else STRAIGHT) * area:
        return None
    aslant = spread < QUIET and filled < EXACT * area
    inside = other[top:bottom, left:right]
    within = _inscribed(_filled(inside) | _filled(inside.T).T)
    inner = left + within[0], top + within[1], left + within[2], top + within[3]
    return inner, aslant


def _filled(mask: np.ndarray) -> np.ndarray:
    """The mask with everything between the first and the last pixel of each row."""
    before = np.logical_or.accumulate(mask, axis=1)
    return before & np.logical_or.accumulate(mask[:, ::-1], axis=1)[:, ::-1]


def _inscribed(mask: np.ndarray) -> Box:
    """The rectangle that is left when the emptiest of its four sides is dropped again and again."""
    left, top, bottom, right = 0, 0, *mask.shape
    while right - left > 4 and bottom - top > 4:
        sides = (
            mask[top:bottom, left].mean(),
            mask[top, left:right].mean(),
            mask[top:bottom, right - 1].mean(),
            mask[bottom - 1, left:right].mean(),
        )
        if min(sides) >= INSIDE:
            break
        emptiest = sides.index(min(sides))
        left, top = left + (emptiest == 0), top + (emptiest == 1)
        right, bottom = right - (emptiest == 2), bottom - (emptiest == 3)
    return left, top, right, bottom


def _plane(means: np.ndarray, slope: bool) -> np.ndarray:
    """The brightness of a page under what lies on it, from the outermost blocks."""
    height, width = means.shape
    down, across = np.mgrid[:height, :width]
    down, across = 2 * down - height + 1, 2 * across - width + 1
    ground = np.zeros(means.shape)
    if slope:  # the ring is symmetric, so the two slopes are independent of each other
        for axis in (down, across):
            ground += axis * ((ring(axis) * ring(means)).sum() / (ring(axis) ** 2).sum())
    return ground + middle(ring(means - ground))


def _blocks(levels: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Each block's mean and mean absolute deviation, in whole grey levels."""
    part = levels[box[1] : box[3], box[0] : box[2]]
    down, across = part.shape[0] // BLOCK, part.shape[1] // BLOCK
    cells = part[: down * BLOCK, : across * BLOCK].reshape(down, BLOCK, across, BLOCK)
    means = cells.sum(axis=(1, 3)) // BLOCK**2
    spreads = np.abs(cells - means[:, None, :, None]).sum(axis=(1, 3)) // BLOCK**2
    return means, spreads


def _snapped(levels: np.ndarray, box: Box) -> Box:
    """The box without the rim of the surround that its blocks hold."""
    left, top, right, bottom = box
    part = levels[top:bottom, left:right]
    top_cut, bottom_cut = _rim(part), _rim(part[::-1])
    left_cut, right_cut = _rim(part.T), _rim(part.T[::-1])
    return left + left_cut, top + top_cut, right - right_cut, bottom - bottom_cut


def _rim(part: np.ndarray) -> int:
    """Rows before the last straight edge among the first few."""
    few = part[: BLOCK + 2]
    edges = (np.abs(np.diff(few, axis=0)) >= 2 * STEP).mean(axis=1) >= 0.6
    return int(np.flatnonzero(edges).max(initial=-1)) + 1


def strips(levels: np.ndarray, box: Box) -> Box:
    """The box without tool bars and panels: strips that end in a straight line right across."""
    for _ in range(3):
        left, top, right, bottom = box
        part = levels[top:bottom, left:right]
        box = (
            left + _strip(part.T),
            top + _strip(part),
            right - _strip(part.T[::-1]),
            bottom - _strip(part[::-1]),
        )
        if box == (left, top, right, bottom):
            break
    return box


def _strip(part: np.ndarray) -> int:
    """Rows before the innermost straight fall in brightness within the outer two fifths."""
    if len(part) < 16:
        return 0
    near = part[: len(part) * 2 // 5]
    steps = near[2:] - near[:-2]
    lines = (steps <= -STEP).mean(axis=1) >= 0.9
    return int(np.flatnonzero(lines).max(initial=-2)) + 2
