"""What a recipe's figures are of, for their sections of metrics.json (serve/metrics.py)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from serve import metrics
from serve.metrics import RECIPE
from train import learning, pictures
from train.data.dataset import Scan
from train.recipes import Recipe, describe_recipe


def of_recipe(recipe: Recipe, seed: int) -> dict[str, str]:
    """`of` what a recipe reaches with a seed, as the code carries it out today."""
    versions = {"pictures": pictures.VERSION, "learning": learning.VERSION}
    text = json.dumps([describe_recipe(recipe), seed, versions, *recipe.left_out])
    return {RECIPE: hashlib.sha256(text.encode()).hexdigest()}


def of_data(scans: Iterable[Scan]) -> dict[str, str]:
    """`of` what is measured on scans, whatever their order."""
    return metrics.of_data(scan.digest for scan in scans)
