"""The robust recipe: shown where the tumour is, and that the rest does not tell.

Block5 and the head are trained, on the cached features of a few views of each scan
(train/pictures/examples.py), and Grad-CAM of the true class is asked to lie on the tumour
(train/network/losses.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from train.data.dataset import Scan
from train.data.outlines import Outline
from train.learning.batches import DrawnViews
from train.learning.devices import fast_precision
from train.learning.epochs import AveragingAdam, Run, run_folder, train_epochs
from train.learning.features import FeatureCache, weights_digest
from train.network.class_maps import explained_suffix
from train.network.losses import Pointed, accuracy, attention_loss, class_loss
from train.network.vgg16 import build_model, convolutions, frozen_prefix, pooling_head
from train.pictures.examples import Examples, describe_scans, targets_of
from train.recipes import RobustRecipe, describe_recipe


def train_robust(
    training: Sequence[Scan],
    validation: Sequence[Scan],
    outlines: Mapping[str, Outline],
    recipe: RobustRecipe,
    seed: int,
    base_weights: Path | None,
    cache: Path,
) -> tuple[keras.Model, Run]:
    """The best epoch's model, and the run; see `train.learning.training.fit`."""
    recipe = recipe.for_images(len(training))
    model = build_model(recipe.network, base_weights)
    pooling_head(model, seed)
    examples = Examples(training, outlines, recipe, seed)
    key = {
        "weights": weights_digest(frozen_prefix(model)),
        "training": describe_scans(training, outlines),
        "validation": describe_scans(validation, outlines),
        "recipe": describe_recipe(recipe),
        "seed": seed,
    }
    run = Run(run_folder(cache, key))
    set_precision(model, fast_precision())
    network = explained_suffix(model)
    compile_explained(network, recipe, len(training))
    if run.finished(recipe.epochs, recipe.epochs):
        run.restore_best(network)  # no features are needed any more
    else:
        features = FeatureCache(cache, frozen_prefix(model), examples)
        _train(run, network, features, training, validation, examples, recipe, seed)
    set_precision(model, "float32")
    return model, run


def set_precision(model: keras.Model, policy: str) -> None:
    """Let the convolutions compute so; the head always computes in float32."""
    for layer in convolutions(model):
        layer.dtype_policy = policy


def compile_explained(network: keras.Model, recipe: RobustRecipe, images: int) -> None:
    """Give a network of `train.network.class_maps` its optimizer, losses and measures."""
    steps = recipe.epochs * -(-images // recipe.batch_size)
    network.compile(
        optimizer=AveragingAdam(
            keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps),
            use_ema=True,
            ema_momentum=1 - 1 / max(1, recipe.average * steps),
        ),
        loss={"logits": class_loss(recipe.smoothing), "maps": attention_loss(recipe.emptiness)},
        loss_weights={"logits": 1.0, "maps": recipe.attention},
        metrics={"logits": [accuracy], "maps": [Pointed()]},
    )


def _train(
    run: Run,
    network: keras.Model,
    features: FeatureCache,
    training: Sequence[Scan],
    validation: Sequence[Scan],
    examples: Examples,
    recipe: RobustRecipe,
    seed: int,
) -> None:
    sides = [
        (features.rows_of(scans, views), _targets(scans, views, examples))
        for scans, views in ((training, recipe.views), (validation, 1))
    ]
    stored = features.rows()
    train_epochs(
        run,
        network,
        lambda epoch: DrawnViews(
            stored, *sides[0], recipe.batch_size, draw=(seed, epoch), plain=recipe.plain
        ),
        DrawnViews(stored, *sides[1], recipe.batch_size, draw=(seed, 0)),
        recipe.epochs,
        recipe.epochs,
        seed,
    )


def _targets(scans: Sequence[Scan], views: int, examples: Examples) -> dict[str, np.ndarray]:
    """The targets of every cached view, (scans, views, ...)."""
    pairs = [(scan, view) for scan in scans for view in range(views)]
    drawn = tqdm(examples.draw_all(pairs), "targets", total=len(pairs), unit="view", delay=1)
    found = [targets_of([example]) for example in drawn]
    together = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
    return {name: t.reshape(len(scans), views, *t.shape[1:]) for name, t in together.items()}
