"""How often each scan is drawn where several hospitals are trained on together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from serve.names import NOTUMOR
from train.data.collections import collection_of
from train.data.dataset import Scan
from train.recipes import BroadRecipe


def draw_weights(scans: Sequence[Scan], recipe: BroadRecipe) -> np.ndarray:
    """The probability of each scan at every draw, float64 (scans,), of sum 1.

    A share of the draws is of the dataset, the rest of the collections by their size. Within each,
    the tumour-free scans are drawn as often as in any other: so neither the hospital nor the
    sequence tells the class. A collection of one kind alone is drawn as it is.
    """
    cells: dict[str, dict[bool, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, scan in enumerate(scans):
        cells[collection_of(scan)][scan.label == NOTUMOR].append(number)
    size = {name: sum(map(len, kinds.values())) for name, kinds in cells.items()}
    others = sum(own for name, own in size.items() if name)
    weights = np.zeros(len(scans))
    for name, kinds in cells.items():
        share = (1 - recipe.dataset) * size[name] / others if name else recipe.dataset
        for free, own in kinds.items():
            kind = recipe.tumour_free if free else 1 - recipe.tumour_free
            weights[own] = share * (kind if len(kinds) > 1 else 1) / len(own)
    return weights / weights.sum()
