"""Which pictures show a known scan: zoomed, cropped, turned, mirrored or of other contrast, too.

Looked up as places are in photographs, because plain correlation (`train.data.duplicates`) knows
only copies that lie pixel on pixel:

1. A picture's small details are described whatever their size, direction and contrast: SIFT
   (Lowe 2004) with the square root of Arandjelovic and Zisserman 2012. A mirrored picture has
   other details, so each is looked up as it is and mirrored.
2. The scans that share most and rarest of them are its candidates: a bag of visual words
   (Sivic and Zisserman 2003).
3. The details that pair up have to agree on one affine map: RANSAC (Fischler and Bolles 1981).
4. The map is refined on all pixels (ECC, Evangelidis and Psarakis 2008), and likeness is the
   correlation that is left under it, of grey levels from which the local mean is taken and which
   are divided by the local deviation, so that contrast does not count.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from PIL import Image
from scipy.sparse import csr_array, diags_array
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from serve.names import INPUT_SIZE
from train.data.dataset import Scan

DETAILS = 200  # of a picture, at most
WORDS = 4096
CANDIDATES = 50  # scans whose details are paired with the picture's
PROMISING = 3  # maps that are refined, those on which most details agree
PAIRED = 0.7  # cosine of two descriptors that may be the same detail
AGREEING = 10  # details; unrelated heads reach that by chance, copies have 20 and more
TOLERANCE = 3.0  # pixels that a detail may lie off the map
LARGEST_ZOOM, MOST_STRETCHED = 2.8, 1.8
LOCAL = 4.0  # pixels, standard deviation of the Gaussian that says what is local
NOISE = 6.0  # grey levels that count as nothing
SHARED = 0.2  # share of a picture's content that has to lie on the scan

# Likeness from which a picture is a copy. Chosen on copies made of the dataset's own scans, on the
# scans of other patients and hospitals, and on neighbouring slices of one patient.
COPY = 0.8


_T, _R = TypeVar("_T"), TypeVar("_R")


@dataclass(frozen=True)
class Match:
    """The known scan that is most like a picture."""

    known: int  # its index, -1 where none has anything in common with the picture
    likeness: float  # correlation, at most 1, 0 where there is none
    mirrored: bool

    @property
    def is_copy(self) -> bool:
        return self.likeness >= COPY


NOTHING = Match(-1, 0.0, mirrored=False)


@dataclass(frozen=True)
class _Details:
    points: np.ndarray  # float32 (D, 2), x and y in pixels
    descriptors: np.ndarray  # uint8 (D, 128)

    def roots(self) -> np.ndarray:
        """float32 (D, 128) of unit length."""
        sums = self.descriptors.sum(axis=1, keepdims=True, dtype=np.float32)
        return np.sqrt(self.descriptors / np.maximum(sums, 1.0))


@dataclass(frozen=True)
class _Local:
    levels: np.ndarray  # float32 (224, 224), locally normalized
    content: np.ndarray  # float32 (224, 224), 1 where there is anything to see, else 0


@dataclass(frozen=True)
class _Map:
    """How a known scan lies on a picture."""

    known: int
    mirrored: bool
    agreeing: int
    affine: np.ndarray  # float64 (2, 3), from the scan's pixels to the picture's


def grey_levels(scans: Sequence[Scan]) -> list[np.ndarray]:
    """Of each, uint8 (224, 224)."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda s: np.asarray(Image.fromarray(s.pixels()).convert("L")), scans))


class KnownScans:
    """Scans that pictures can be looked up in."""

    def __init__(self, scans: Sequence[np.ndarray]) -> None:
        """Describe them.

        Args:
            scans: grey levels, uint8 (224, 224).
        """
        self._scans = scans
        self._details = _each(_describe, scans, "details of known scans")
        counts = [len(details.points) for details in self._details]
        every = np.concatenate([details.descriptors for details in self._details])
        chosen = np.random.default_rng(0).choice(len(every), min(WORDS, len(every)), replace=False)
        self._words = _Details(np.empty(0), every[chosen]).roots().T
        owners = np.repeat(np.arange(len(scans)), counts)
        words = _each(self._nearest_words, self._details, "words of known scans")
        bags = self._bags(owners, np.concatenate(words), len(scans))
        present = np.bincount(bags.indices, minlength=self._words.shape[1])
        self._rarity = np.log(len(scans) / np.maximum(present, 1)).astype(np.float32)
        self._bags_of_scans = self._weighted(bags)

    def match(self, pictures: Sequence[np.ndarray]) -> list[Match]:
        """The most alike scan of every picture, uint8 (224, 224)."""
        return _each(self._look_up, pictures, "looking up")

    def _look_up(self, picture: np.ndarray) -> Match:
        views = [np.ascontiguousarray(view) for view in (picture, picture[:, ::-1])]
        details = [_describe(view) for view in views]
        shared = np.stack([self._shared(one) for one in details])
        maps = []
        for place in np.argsort(-shared, axis=None)[:CANDIDATES]:
            mirrored, known = divmod(int(place), len(self._scans))
            found = _fit(self._details[known], details[mirrored])
            if found is not None:
                maps.append(_Map(known, bool(mirrored), *found))
        maps.sort(key=lambda one: -one.agreeing)
        matches = [self._compare(_localized(views[one.mirrored]), one) for one in maps[:PROMISING]]
        return max(matches, key=lambda match: match.likeness, default=NOTHING)

    def _compare(self, picture: _Local, found: _Map) -> Match:
        scan = _localized(self._scans[found.known])
        affine = _refine(scan, picture, found.affine)
        return Match(found.known, _likeness(scan, picture, affine), found.mirrored)

    def _shared(self, details: _Details) -> np.ndarray:
        """float32 (scans,): how much a picture has in common with each."""
        words = self._nearest_words(details, 2)
        bag = self._weighted(self._bags(np.zeros(len(words), int), words, 1))
        return self._bags_of_scans @ bag.toarray()[0]

    def _nearest_words(self, details: _Details, count: int = 1) -> np.ndarray:
        """int (D * count,): the words that every detail is most like."""
        cosines, found = details.roots() @ self._words, []
        for _ in range(count):
            found.append(cosines.argmax(axis=1))
            np.put_along_axis(cosines, found[-1][:, None], -1.0, axis=1)
        return np.stack(found, axis=1).ravel()

    def _bags(self, owners: np.ndarray, words: np.ndarray, count: int) -> csr_array:
        """How often each of `count` pictures has each word."""
        ones = np.ones(len(words), np.float32)
        bags = csr_array((ones, (owners, words)), shape=(count, self._words.shape[1]))
        bags.sum_duplicates()
        return bags

    def _weighted(self, bags: csr_array) -> csr_array:
        """Square roots of the numbers, by the rarity of the words, each row of unit length."""
        weighted = csr_array(bags.sqrt() @ diags_array(self._rarity))
        lengths = np.sqrt(weighted.power(2).sum(axis=1))
        return csr_array(diags_array(1 / np.maximum(lengths, 1e-6)) @ weighted)


def _each(work: Callable[[_T], _R], items: Sequence[_T], name: str) -> list[_R]:
    """The work on every item. Threads share out the items; within one, no library starts more."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1), ThreadPoolExecutor() as pool:
            return list(tqdm(pool.map(work, items), name, len(items), unit="image", delay=1))
    finally:
        cv2.setNumThreads(threads)


_of_thread = threading.local()  # OpenCV's detectors must not be shared by threads


def _describe(picture: np.ndarray) -> _Details:
    if not hasattr(_of_thread, "sift"):
        _of_thread.sift = cv2.SIFT_create(DETAILS, contrastThreshold=0.01, edgeThreshold=20)
    points, descriptors = _of_thread.sift.detectAndCompute(picture, None)
    if descriptors is None:
        return _Details(np.empty((0, 2), np.float32), np.empty((0, 128), np.uint8))
    places = np.float32([point.pt for point in points])
    return _Details(places[:DETAILS], descriptors[:DETAILS].astype(np.uint8))


def _fit(scan: _Details, picture: _Details) -> tuple[int, np.ndarray] | None:
    """How many details agree on a map from scan to picture, and the map; None if too few do."""
    if min(len(scan.points), len(picture.points)) < AGREEING:
        return None
    cosines = picture.roots() @ scan.roots().T
    paired, back = cosines.argmax(axis=1), cosines.argmax(axis=0)
    own = np.arange(len(paired))
    own = own[(back[paired] == own) & (cosines[own, paired] > PAIRED)]
    if len(own) < AGREEING:
        return None
    affine, agreeing = cv2.estimateAffine2D(
        scan.points[paired[own]],
        picture.points[own],
        method=cv2.RANSAC,
        ransacReprojThreshold=TOLERANCE,
        maxIters=400,
    )
    if affine is None or agreeing.sum() < AGREEING or not _is_plausible(affine):
        return None
    return int(agreeing.sum()), affine


def _is_plausible(affine: np.ndarray) -> bool:
    """Whether a picture may be stretched like that; mirroring was tried before."""
    long, short = np.linalg.svd(affine[:, :2], compute_uv=False)
    return (
        np.linalg.det(affine[:, :2]) > 0
        and long < LARGEST_ZOOM
        and short > 1 / LARGEST_ZOOM
        and long / short < MOST_STRETCHED
    )


def _localized(picture: np.ndarray) -> _Local:
    levels = picture.astype(np.float32)
    levels -= cv2.GaussianBlur(levels, (0, 0), LOCAL)
    deviation = np.sqrt(cv2.GaussianBlur(levels * levels, (0, 0), LOCAL))
    return _Local(levels / (deviation + NOISE), (deviation > NOISE / 2).astype(np.float32))


def _refine(scan: _Local, picture: _Local, affine: np.ndarray) -> np.ndarray:
    """The map, made to fit all pixels; as it is where that does not converge."""
    back = cv2.invertAffineTransform(affine).astype(np.float32)
    until = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    try:
        _, back = cv2.findTransformECC(
            picture.levels, scan.levels, back, cv2.MOTION_AFFINE, until, None, 3
        )
    except cv2.error:
        return affine
    return cv2.invertAffineTransform(back.astype(np.float64))


def _likeness(scan: _Local, picture: _Local, affine: np.ndarray) -> float:
    """Correlation where the scan lies on the picture and either shows anything."""
    size = (INPUT_SIZE, INPUT_SIZE)
    on_scan = cv2.warpAffine(np.ones(size, np.uint8), affine, size, flags=cv2.INTER_NEAREST) > 0
    content = cv2.warpAffine(scan.content, affine, size, flags=cv2.INTER_NEAREST)
    seen = on_scan & ((picture.content > 0) | (content > 0))
    if seen.sum() < SHARED * picture.content.sum() or not seen.any():
        return 0.0
    one = picture.levels[seen]
    other = cv2.warpAffine(scan.levels, affine, size, flags=cv2.INTER_LINEAR)[seen]
    one, other = one - one.mean(), other - other.mean()
    return float(one @ other / max(np.linalg.norm(one) * np.linalg.norm(other), 1e-6))
