"""The pictures of every kind, written to a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, count
from pathlib import Path

from tqdm import tqdm

from train.other_pictures.made import blank, handwriting, noise, plots, text
from train.other_pictures.picture import MAX_SIDE, Pictures
from train.other_pictures.shipped import drawings, medical, photographs, screenshots

KINDS: Mapping[str, Callable[[], Pictures]] = {
    kind.__name__: kind
    for kind in (
        photographs,
        drawings,
        screenshots,
        text,
        plots,
        blank,
        noise,
        handwriting,
        medical,
    )
}


def gather(kinds: Sequence[str], output: Path) -> dict[str, int]:
    """Write the pictures of these kinds to `output`/KIND, no picture twice, and count them."""
    counts = {}
    for kind in kinds:
        folder = output / kind
        folder.mkdir(parents=True, exist_ok=True)
        written, taken = set[bytes](), set[Path]()
        for name, image in tqdm(KINDS[kind](), desc=kind, unit="picture", delay=1):
            image = image.convert("RGB")
            image.thumbnail((MAX_SIDE, MAX_SIDE))
            digest = hashlib.sha256(image.tobytes()).digest()
            if digest not in written:
                image.save(_free(folder / name, taken), quality=90)
                written.add(digest)
        counts[kind] = len(written)
    return counts


def _free(path: Path, taken: set[Path]) -> Path:
    """The path, or another of the same kind where a namesake has it."""
    numbered = (path.with_stem(f"{path.stem}_{number}") for number in count(2))
    chosen = next(p for p in chain([path], numbered) if p not in taken)
    taken.add(chosen)
    return chosen
