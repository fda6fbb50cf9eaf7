"""How a model is trained: named sets of values, each in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Everything about a training but its data and its seed."""

    learning_rate: float = 1e-4  # of Adam
    batch_size: int = 32
    epochs: int = 15  # at most
    patience: int = 5  # epochs without a lower validation loss before it stops; what is kept is
    # the epoch of the highest validation accuracy: the loss soon rises from over-confidence alone
    validation: float = 0.2  # share of the training images
    dropout_flat: float = 0.3
    hidden_units: int = 128
    dropout_hidden: float = 0.2
    views: int = 4  # of each training image, the first one as it is
    brightness: tuple[float, float] = (0.8, 1.2)  # factor, drawn uniformly
    contrast: tuple[float, float] = (0.8, 1.2)


RECIPES = {"seed": Recipe()}
