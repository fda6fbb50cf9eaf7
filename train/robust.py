"""The robust recipe: shown where the tumour is, and that the rest does not tell.

1. Block5 and the head, on the cached features of a few views of each scan (train/examples.py).
2. Block4 as well, on pictures drawn anew in every epoch.

In both, Grad-CAM of the true class is asked to lie on the tumour (train/losses.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from train.batches import DrawnPictures, DrawnViews
from train.dataset import Scan
from train.devices import fast_precision
from train.examples import Examples, describe_scans, targets_of
from train.features import FeatureCache, weights_digest
from train.gradcam import explained_network, explained_suffix
from train.loop import AveragingAdam, Run, run_folder, train_epochs
from train.losses import Pointed, accuracy, attention_loss, class_loss
from train.model import build_model, convolutions, frozen_prefix, pooling_head
from train.outlines import Outline
from train.recipes import RobustRecipe, Stage


def train_robust(
    training: Sequence[Scan],
    validation: Sequence[Scan],
    outlines: Mapping[str, Outline],
    recipe: RobustRecipe,
    seed: int,
    base_weights: Path | None,
    cache: Path,
) -> tuple[keras.Model, list[Run]]:
    """The best epoch's model, and the runs of both stages; see `train.fit.fit`."""
    model = build_model(recipe, base_weights)
    pooling_head(model, seed)
    examples = Examples(training, outlines, recipe, seed)
    key = {
        "weights": weights_digest(frozen_prefix(model)),
        "training": describe_scans(training, outlines),
        "validation": describe_scans(validation, outlines),
        "recipe": dataclasses.asdict(recipe) | {"deep": None},
        "seed": seed,
    }
    top = Run(run_folder(cache, key))
    deep = Run(run_folder(cache, key | {"recipe": dataclasses.asdict(recipe)}))
    set_precision(model, fast_precision())
    if not deep.history:
        _train_top(top, model, training, validation, examples, recipe, seed, cache)
    _train_deep(deep, model, training, validation, examples, recipe, seed)
    set_precision(model, "float32")
    return model, [top, deep]


def set_precision(model: keras.Model, policy: str) -> None:
    """Let the convolutions compute so; the head always computes in float32."""
    for layer in convolutions(model):
        layer.dtype_policy = policy


def compile_explained(
    network: keras.Model, recipe: RobustRecipe, stage: Stage, images: int
) -> None:
    """Give a network of `train.gradcam` its optimizer, losses and measures."""
    steps = stage.epochs * -(-images // recipe.batch_size)
    network.compile(
        optimizer=AveragingAdam(
            keras.optimizers.schedules.CosineDecay(stage.learning_rate, steps),
            use_ema=True,
            ema_momentum=1 - 1 / max(1, recipe.average * steps),
        ),
        loss={"logits": class_loss(recipe.smoothing), "maps": attention_loss(recipe.emptiness)},
        loss_weights={"logits": 1.0, "maps": recipe.attention},
        metrics={"logits": [accuracy], "maps": [Pointed()]},
    )


def _train_top(
    run: Run,
    model: keras.Model,
    training: Sequence[Scan],
    validation: Sequence[Scan],
    examples: Examples,
    recipe: RobustRecipe,
    seed: int,
    cache: Path,
) -> None:
    network = explained_suffix(model)
    compile_explained(network, recipe, recipe.top, len(training))
    if run.finished(recipe.top.epochs, recipe.top.epochs):
        run.restore_best(network)
        return  # no features are needed any more
    features = FeatureCache(cache, frozen_prefix(model), examples)
    sides = [
        (features.rows_of(scans, views), _targets(scans, views, examples))
        for scans, views in ((training, recipe.views), (validation, 1))
    ]
    stored = features.rows()
    train_epochs(
        run,
        network,
        lambda epoch: DrawnViews(stored, *sides[0], recipe.batch_size, draw=(seed, epoch)),
        DrawnViews(stored, *sides[1], recipe.batch_size, draw=(seed, 0)),
        recipe.top.epochs,
        recipe.top.epochs,
        seed,
    )


def _train_deep(
    run: Run,
    model: keras.Model,
    training: Sequence[Scan],
    validation: Sequence[Scan],
    examples: Examples,
    recipe: RobustRecipe,
    seed: int,
) -> None:
    for layer in convolutions(model):
        layer.trainable = layer.name.startswith(("block4", "block5"))
    network = explained_network(model)
    compile_explained(network, recipe, recipe.deep, len(training))
    train_epochs(
        run,
        network,
        lambda epoch: DrawnPictures(
            training, examples, recipe.batch_size, recipe.views + epoch, draw=(seed, epoch)
        ),
        DrawnPictures(validation, examples, recipe.batch_size, 0, draw=(seed, 0)),
        recipe.deep.epochs,
        recipe.deep.epochs,
        seed,
    )


def _targets(scans: Sequence[Scan], views: int, examples: Examples) -> dict[str, np.ndarray]:
    """The targets of every cached view, (scans, views, ...)."""
    pairs = [(scan, view) for scan in scans for view in range(views)]
    with ThreadPoolExecutor() as pool:
        targets = pool.map(lambda pair: targets_of([examples.draw(*pair)]), pairs)
        found = list(tqdm(targets, desc="targets", total=len(pairs), unit="view", delay=1))
    together = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
    return {name: t.reshape(len(scans), views, *t.shape[1:]) for name, t in together.items()}
