"""The robust recipes: shown where the tumour is, and that the rest does not tell.

The last blocks and the head are trained, on cached views of each scan
(train/pictures/examples.py) or their features, and Grad-CAM of the true class is asked to lie on
the tumour (train/network/losses.py). The broad one draws the scans of several hospitals by weight
(train/learning/balance.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from train.data.dataset import Scan
from train.data.folds import Placed
from train.data.outlines import Outline
from train.learning.balance import draw_weights
from train.learning.batches import DrawnViews
from train.learning.devices import fast_precision
from train.learning.drawn import DrawnCache
from train.learning.epochs import AveragingAdam, Run, run_folder, train_epochs
from train.learning.features import FeatureCache, Features, weights_digest
from train.learning.targets import TargetCache
from train.network.class_maps import explained_suffix
from train.network.losses import Pointed, accuracy, attention_loss, class_loss
from train.network.vgg16 import (
    build_model,
    convolutions,
    frozen_prefix,
    pooling_head,
    sees_pictures,
)
from train.pictures.examples import Examples, describe_scans
from train.recipes import BroadRecipe, RobustRecipe, describe_recipe


def train_robust(
    training: Sequence[Scan],
    validation: Sequence[Scan],
    outlines: Mapping[str, Outline],
    placed: Mapping[str, Placed],
    recipe: RobustRecipe,
    seed: int,
    base_weights: Path | None,
    cache: Path,
) -> tuple[keras.Model, list[Run]]:
    """The best epoch's model, and its run; of several trainings the mean of the best epochs'
    weights, and all runs. See `train.learning.training.fit`.

    Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy
    without increasing inference time", ICML 2022.
    """
    recipe = recipe.for_images(len(training))
    model = build_model(recipe.network, base_weights)
    pooling_head(model, seed)
    examples = Examples(training, outlines, recipe, seed, placed)
    key = {
        "weights": weights_digest(frozen_prefix(model)),
        "training": describe_scans(training, outlines),
        "validation": describe_scans(validation, outlines),
        "recipe": describe_recipe(recipe),
        "seed": seed,
    }
    set_precision(model, fast_precision())
    start, ends, runs = model.get_weights(), [], []
    views: _Views | None = None
    for member in range(recipe.soup if isinstance(recipe, BroadRecipe) else 1):
        run = Run(run_folder(cache, key | ({"member": member} if member else {})))
        model.set_weights(start)
        network = explained_suffix(model)
        compile_explained(network, recipe, _draws(recipe, training))
        if run.finished(recipe.epochs, recipe.epochs):
            run.restore_best(network)  # no features are needed any more
        else:
            views = views or _views(model, cache, examples)
            train_epochs(
                run,
                network,
                views.drawn(training, recipe, seed + member),
                views.as_they_are(validation, recipe.batch_size) if validation else None,
                recipe.epochs,
                recipe.epochs,
                seed + member,
            )
        ends.append(model.get_weights())
        runs.append(run)
    model.set_weights([sum(weights) / len(ends) for weights in zip(*ends, strict=True)])
    set_precision(model, "float32")
    return model, runs


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


def _views(model: keras.Model, cache: Path, examples: Examples) -> _Views:
    if sees_pictures(model):
        drawn = DrawnCache(cache, examples)
        return _Views(drawn, drawn)
    features = FeatureCache(cache, frozen_prefix(model), examples)
    return _Views(features, TargetCache(cache, examples))


class _Views:
    """Cached views of scans, as batches."""

    def __init__(self, features: Features, targets: TargetCache | DrawnCache) -> None:
        self._features, self._targets = features, targets

    def drawn(
        self, scans: Sequence[Scan], recipe: RobustRecipe, seed: int
    ) -> Callable[[int], DrawnViews]:
        """The batches of a training's epoch, by its number."""
        rows, targets = self._of(scans, recipe.views)
        weights = draw_weights(scans, recipe) if isinstance(recipe, BroadRecipe) else None
        return lambda epoch: DrawnViews(
            self._features.rows(),
            rows,
            targets,
            recipe.batch_size,
            draw=(seed, epoch),
            plain=recipe.plain,
            weights=weights,
            size=_draws(recipe, scans),
        )

    def as_they_are(self, scans: Sequence[Scan], batch_size: int) -> DrawnViews:
        """The same batches after every epoch."""
        rows, targets = self._of(scans, 1)
        return DrawnViews(self._features.rows(), rows, targets, batch_size, draw=(0,))

    def _of(self, scans: Sequence[Scan], views: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return self._features.rows_of(scans, views), self._targets.of(scans, views)


def _draws(recipe: RobustRecipe, training: Sequence[Scan]) -> int:
    """Of scans, an epoch."""
    return recipe.draws if isinstance(recipe, BroadRecipe) else len(training)
