"""How a model is trained: named sets of values, each in one place."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Network:
    """What of VGG16 is trained, and the head on it (train/network/vgg16.py)."""

    trained_blocks: tuple[str, ...] = ("block5",)  # beside the head
    dropout_flat: float = 0.3
    hidden_units: int = 128
    dropout_hidden: float = 0.2


@dataclass(frozen=True)
class BareRecipe:
    """The bare recipe: everything about its training but data and seed (train/learning/bare.py)."""

    left_out: ClassVar[tuple[str, ...]] = ()
    shown_tumours: ClassVar[bool] = False  # neither outlines nor tumours of unknown type

    learning_rate: float = 1e-4  # of Adam
    batch_size: int = 32
    epochs: int = 15  # at most
    patience: int = 5  # epochs without a lower validation loss before it stops; what is kept is
    # the epoch of the highest validation accuracy: the loss soon rises from over-confidence alone
    validation: float = 0.2  # share of the training images
    network: Network = Network()
    views: int = 4  # of each training image, the first one as it is
    brightness: tuple[float, float] = (0.8, 1.2)  # factor, drawn uniformly
    contrast: tuple[float, float] = (0.8, 1.2)

    def with_epochs(self, epochs: int) -> BareRecipe:
        return dataclasses.replace(self, epochs=epochs)


@dataclass(frozen=True)
class Distortion:
    """How far train/pictures/distort.py goes; ranges are drawn from uniformly."""

    rotation: float = 12.0  # degrees, either way
    zoom: tuple[float, float] = (0.88, 1.15)  # of both axes
    stretch: float = 0.06  # of one axis against the other
    shift: float = 0.05  # of the side, either way
    # how often
    cropped: float = 0.2  # to the head's box
    erased: float = 0.3  # all but the head: frames, text, drawings
    matched: float = 0.25  # to the grey levels of another scan
    toned: float = 0.8
    equalized: float = 0.1
    coarsened: float = 0.2
    blurred: float = 0.15
    noisy: float = 0.25
    compressed: float = 0.25
    # how much
    gamma: tuple[float, float] = (0.75, 1.35)
    contrast: tuple[float, float] = (0.8, 1.2)  # factor about the mean
    brightness: tuple[float, float] = (0.85, 1.15)  # factor
    clip_limit: tuple[float, float] = (1.0, 2.5)  # of CLAHE
    resolution: tuple[float, float] = (0.45, 0.9)  # of the side
    blur: tuple[float, float] = (0.4, 1.1)  # standard deviation, pixels
    noise: tuple[float, float] = (1.0, 7.0)  # standard deviation, grey levels
    quality: tuple[int, int] = (35, 90)  # of JPEG


@dataclass(frozen=True)
class WideDistortion(Distortion):
    """Farther, so that other hospitals' sequences and scanners are among what is drawn."""

    rotation: float = 20.0
    zoom: tuple[float, float] = (0.8, 1.2)
    stretch: float = 0.12
    matched: float = 0.3
    gamma: tuple[float, float] = (0.6, 1.6)
    brightness: tuple[float, float] = (0.6, 1.3)
    # how often
    stripped: float = 0.15
    levelled: float = 0.3
    remapped: float = 0.3
    biased: float = 0.3
    ghosted: float = 0.1
    # how much
    rim: tuple[float, float] = (0.04, 0.12)  # of the head's size
    bias: tuple[float, float] = (0.1, 0.6)  # of the logarithm
    ghost: tuple[float, float] = (0.05, 0.3)  # of the picture's own brightness


@dataclass(frozen=True)
class RobustRecipe:
    """The recipe that is shown where the tumour is (train/learning/robust.py)."""

    left_out: ClassVar[tuple[str, ...]] = ()
    shown_tumours: ClassVar[bool] = True  # by outlines; also those of unknown type

    learning_rate: float = 2e-4  # of Adam at the start, falling to zero along a cosine
    batch_size: int = 32
    epochs: int | None = None  # as many as the number of images asks for, see `for_images`
    usual_epochs: int = 6
    least_steps: int = 570
    validation: float = 0.2  # share of the training images
    network: Network = Network()
    views: int = 2  # of each training image, the first one as it is
    plain: float = 0.75  # how often the first one is drawn
    smoothing: float = 0.05  # of the labels
    attention: float = 0.5  # weight of the term that asks Grad-CAM to lie on the tumour
    emptiness: float = 0.2  # within that term, of tumour evidence where there is no tumour
    average: float = 0.1  # of the weights, over about this share of the steps
    healed: float = 0.25  # how often an outlined tumour is replaced by healthy tissue
    pasted: float = 0.4  # how often a tumour-free scan is given one
    patched: float = 0.25  # how often healthy tissue is pasted elsewhere, as a decoy
    distortion: Distortion = Distortion()

    def with_epochs(self, epochs: int) -> RobustRecipe:
        return dataclasses.replace(self, epochs=epochs)

    def for_images(self, images: int) -> RobustRecipe:
        """With its number of epochs: the usual, and more where few images make short ones."""
        steps = -(-images // self.batch_size)
        chosen = self.epochs or max(self.usual_epochs, -(-self.least_steps // steps))
        return self.with_epochs(chosen)


@dataclass(frozen=True)
class BroadRecipe(RobustRecipe):
    """The robust recipe for scans of several hospitals, drawn so that neither hospital nor
    sequence tells the class. Its number of epochs is fixed: none of them is chosen."""

    network: Network = Network(trained_blocks=("block4", "block5"))
    learning_rate: float = 1e-4
    batch_size: int = 64
    epochs: int | None = 4
    draws: int = 20_000  # of scans, an epoch
    soup: int = 2  # trainings whose weights are averaged
    dataset: float = 0.5  # share of the draws that are of the dataset itself
    tumour_free: float = 0.45  # share of a collection's draws, where it has both kinds
    views: int = 5
    plain: float = 0.8
    healed: float = 0.35
    retoned: float = 0.3  # how often an outlined tumour gets other grey levels
    distortion: Distortion = WideDistortion()
    left_out: tuple[str, ...] = ()  # collections that are not trained on

    def for_images(self, images: int) -> BroadRecipe:
        return self


Recipe = BareRecipe | RobustRecipe

DEEP = RobustRecipe(
    network=Network(trained_blocks=("block4", "block5")),
    learning_rate=1e-4,
    usual_epochs=8,
    least_steps=760,
    views=3,
)
"""The robust recipe with block4 trained as well, longer."""

OPEN = BroadRecipe(
    network=Network(),
    learning_rate=2e-4,
    batch_size=32,
    draws=4_000,
    soup=1,
    views=2,
    left_out=("feltrin44",),  # whose terms are non-commercial
)
"""The broad recipe for two cores: block5 alone, on cached features, trained once."""

RECIPES: dict[str, Recipe] = {
    "seed": BareRecipe(),
    "robust": RobustRecipe(),
    "deep": DEEP,
    "broad": BroadRecipe(),
    "open": OPEN,
}
DEFAULT_RECIPE = "broad"


def describe_recipe(recipe: Recipe) -> dict[str, Any]:
    """A recipe as the keys of cached trainings hold it: flat, in an order that must not change.

    What is left out is not in it: the training side is in the key.
    """
    described: dict[str, Any] = {"trained_blocks": recipe.network.trained_blocks}
    for name, value in dataclasses.asdict(recipe).items():
        if name != "left_out":
            described |= value if name == "network" else {name: value}
    return described


def section_of(recipe: str, name: str) -> str:
    """Where a recipe's figures `name` stand in metrics.json: apart, unless it is the default."""
    return name if recipe == DEFAULT_RECIPE else f"recipes.{recipe}.{name}"
