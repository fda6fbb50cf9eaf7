"""The same head without its tumour, or another's tumour in a healthy head.

Such pairs differ in nothing but the tumour, so a network that tells them apart has to look at it.
Cut and blended tissue leaves marks; healthy tissue moved in the same way (`patch_tissue`) makes
the marks mean nothing.
"""

from __future__ import annotations

import cv2
import numpy as np

from train.pictures.skull import box_of, grown, moved_mask, solid_head

MARGIN = 4  # pixels around an outline that go with the tumour
RING = 8  # width in pixels of what is compared around a patch
FEATHER = 6  # pixels over which a patch fades out
PLACES = 24  # from which replacing tissue is chosen, if the mirrored one does not do
SYMMETRIC = 0.8  # correlation with its mirror image from which a head counts as symmetric
GAIN = (-0.7, 1.0)  # of a retoned tumour's grey levels about those around it
OFFSET = (-70.0, 70.0)  # grey levels
SOFT = (1.0, 4.0)  # standard deviation of its edge, pixels
SMALLEST = 60  # pixels of a pasted tumour


def remove_tumour(
    pixels: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> np.ndarray | None:
    """The tumour replaced by the mirrored tissue of the other side.

    Where the head is not symmetric (a sagittal slice) or the tumour lies on its axis, by the
    tissue whose surroundings are most like the tumour's, of PLACES drawn.

    Args:
        pixels: uint8 (H, W, 3), RGB.
        mask: bool (H, W), the tumour.

    Returns:
        uint8 (H, W, 3), the same picture farther than MARGIN + FEATHER from the mask; None if
        there is no tissue to replace the tumour.
    """
    head, tumour = solid_head(pixels), grown(mask, MARGIN)
    matrix, likeness = head_mirror(pixels)
    other_side = _moved(tumour, matrix)
    if (
        likeness > SYMMETRIC
        and not (other_side & tumour).any()
        and other_side.any()
        and head[other_side].mean() > 0.9
    ):
        return blended(pixels, _moved(pixels, matrix), tumour)
    free = _inside(head) & ~grown(tumour, RING // 2)
    places = [moved_mask(tumour, free, rng) for _ in range(PLACES)]
    donors = [_shifted(pixels, place, tumour) for place in places if place is not None]
    if not donors:
        return None
    ring = _ring(tumour)
    around = pixels[ring].astype(np.float32)
    best = min(donors, key=lambda donor: np.abs(donor[ring] - around).mean())
    return blended(pixels, best, tumour)


def paste_tumour(
    pixels: np.ndarray, donor: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray] | None:
    """A tumour cut from one scan into another, to about the same place in the head.

    Args:
        pixels: uint8 (H, W, 3), RGB, a scan without a tumour.
        donor: the same, with one.
        mask: bool (H, W), the tumour of `donor`.

    Returns:
        The picture, and where its tumour is, bool (H, W); None if no place was found.
    """
    if rng.random() < 0.5:
        donor, mask = np.ascontiguousarray(donor[:, ::-1]), mask[:, ::-1]
    head, donors_head = solid_head(pixels), solid_head(donor)
    if not head.any() or not donors_head.any():
        return None
    corner, size = box_of(head)
    donors_corner, donors_size = box_of(donors_head)
    tumours_corner, tumours_size = box_of(mask)
    centre = tumours_corner + tumours_size / 2
    for _ in range(10):
        scale = np.clip(size / donors_size, 0.8, 1.25) * rng.uniform(0.8, 1.2)
        place = (centre - donors_corner) / donors_size + rng.normal(scale=0.06, size=2)
        offset = corner + place * size - scale * centre
        matrix = np.column_stack([np.diag(scale), offset])
        moved = _moved(mask, matrix)
        if moved.sum() >= SMALLEST and head[grown(moved, MARGIN)].mean() > 0.97:
            return blended(pixels, _moved(donor, matrix), grown(moved, MARGIN // 2)), moved
    return None


def patch_tissue(
    pixels: np.ndarray, mask: np.ndarray, shape: np.ndarray, rng: np.random.Generator
) -> np.ndarray | None:
    """A decoy: healthy tissue moved within the head, in the way that tumours are pasted.

    Args:
        pixels: uint8 (H, W, 3), RGB.
        mask: bool (H, W), the tumour, which is left alone; or empty.
        shape: bool (H, W), another tumour's outline.

    Returns:
        uint8 (H, W, 3); None if no place was found.
    """
    free = _inside(solid_head(pixels)) & ~grown(mask, MARGIN + FEATHER)
    target = moved_mask(shape, free, rng)
    if target is None or (grown(target, FEATHER) & mask).any():
        return None
    source = moved_mask(target, free, rng)
    if source is None:
        return None
    return blended(pixels, _shifted(pixels, source, target), target)


def retone_tumour(pixels: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The tumour darker, brighter, flatter or inverted against the tissue around it, as another
    sequence may show it.

    After Tan et al., "Detecting outliers with foreign patch interpolation", MELBA 2022: what is
    learnt is that a part differs from the rest, not how.

    Args:
        pixels: uint8 (H, W, 3), RGB.
        mask: bool (H, W), the tumour.

    Returns:
        uint8 (H, W, 3).
    """
    ring = _ring(mask) & solid_head(pixels)
    around = pixels[ring].mean() if ring.any() else pixels[mask].mean()
    patch = around + rng.uniform(*GAIN) * (pixels - around) + rng.uniform(*OFFSET)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), rng.uniform(*SOFT))[:, :, None]
    return np.clip(pixels + soft * (patch - pixels), 0, 255).round().astype(np.uint8)


def blended(pixels: np.ndarray, donor: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """`donor` within the mask, its grey levels fitted, fading out over FEATHER pixels.

    Gain and offset make mean and standard deviation of the donor's tissue around the mask those
    of the picture's.

    Args:
        pixels, donor: uint8 (H, W, 3), RGB.
        mask: bool (H, W).
    """
    ring = _ring(mask)
    ours, theirs = (p[ring & solid_head(p)].astype(np.float32) for p in (pixels, donor))
    patch = donor.astype(np.float32)
    if len(ours) and len(theirs):
        gain = np.clip(ours.std() / max(theirs.std(), 1.0), 0.6, 1.6)
        patch = (patch - theirs.mean()) * gain + ours.mean()
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    weight = np.clip(1 - distance / FEATHER, 0, 1)[:, :, None]
    return np.clip(pixels + weight * (patch - pixels), 0, 255).round().astype(np.uint8)


def head_mirror(pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """The mirroring about the head's own axis.

    The axis is the one, of some angles and places, about which the picture is most like its
    mirror image.

    Returns:
        A 2x3 matrix of pixel coordinates, and the correlation that it reaches.
    """
    side = 56
    height, width = pixels.shape[:2]
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    found = (0.0, 0, -1.0)
    for angle in np.arange(-12.0, 13.0, 3.0):
        turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), angle, 1)
        turned = cv2.warpAffine(small, turn, (side, side))
        for shift in range(-10, 11):
            ours = turned[:, max(shift, 0) : side + min(shift, 0)]
            likeness = _correlation(ours, ours[:, ::-1])
            if likeness > found[2]:
                found = (angle, shift, likeness)
    angle, shift, likeness = found
    turn = np.vstack(
        [cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1), [0, 0, 1]]
    )
    mirror = np.array([[-1, 0, width - 1 + shift * width / side], [0, 1, 0], [0, 0, 1]])
    return (np.linalg.inv(turn) @ mirror @ turn)[:2], likeness


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one - one.mean(), other - other.mean()
    return float((one * other).sum() / max(np.linalg.norm(one) * np.linalg.norm(other), 1e-6))


def _inside(head: np.ndarray) -> np.ndarray:
    """The head but for its rim, where tissue would bring a piece of skull along."""
    return ~grown(~head, RING)


def _ring(mask: np.ndarray) -> np.ndarray:
    return grown(mask, RING) & ~mask


def _shifted(pixels: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The picture moved so that what is at `source`, the same shape, comes to `target`."""
    offset = box_of(target)[0] - box_of(source)[0]
    return _moved(pixels, np.column_stack([np.eye(2), offset]))


def _moved(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    size = image.shape[1::-1]
    if image.dtype == bool:
        moved = cv2.warpAffine(image.astype(np.uint8), matrix, size, flags=cv2.INTER_NEAREST)
        return moved.astype(bool)
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
