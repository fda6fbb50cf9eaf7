"""Channel pruning with reconstruction: which channels stay, and with which weights.

Layer by layer from the input. Of a layer's channels those stay from which the next layer can be
made best, and the next layer's weights are fitted anew, by least squares, so that from these alone
it gives what it gives in the published network. He et al., "Channel pruning for accelerating very
deep neural networks", ICCV 2017; Luo et al., "ThiNet: a filter level pruning method for deep neural
network compression", ICCV 2017.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
from tqdm import tqdm

from export.slimming.network import convolutions, resized
from serve.names import LAST_POOL

BATCH = 8
PLACES = 32  # of each scan and layer
SKETCH = 32  # sums of a layer's outputs, with random weights, that stand for all of them
RIDGE = 1e-3  # weight decay of the fits, as a share of the features' mean square


@dataclass(frozen=True)
class Pruned:
    """A slim network, and which of the published one's channels it has."""

    model: keras.Model
    channels: dict[str, np.ndarray]  # int, sorted, by the convolution's name


def prune(
    published: keras.Model, widths: Mapping[str, int], pictures: np.ndarray, seed: int
) -> Pruned:
    """The published network with `widths` channels.

    Args:
        widths: of every convolution.
        pictures: uint8 (N, 224, 224, 3), which both networks are compared on.
        seed: of the places that are looked at.
    """
    layers = convolutions(published)
    channels: dict[str, np.ndarray] = {}
    weights = {layers[0].name: layers[0].get_weights()}  # it sees what it saw
    consumers = [*layers[1:], published.get_layer("hidden")]
    pairs = list(zip(layers, consumers, strict=True))
    for producer, consumer in tqdm(pairs, desc="choosing channels", unit="layer"):
        slim = _with_weights(published, {k: len(v) for k, v in channels.items()}, weights)
        rows = _rows(consumer.name, slim, published, pictures, seed)
        kept, weights[consumer.name] = _choose(
            *rows, *consumer.get_weights(), count=widths[producer.name]
        )
        channels[producer.name] = kept
        weights[producer.name] = [values[..., kept] for values in weights[producer.name]]
    weights["logits"] = published.get_layer("logits").get_weights()
    return Pruned(_with_weights(published, widths, weights), channels)


def _with_weights(
    published: keras.Model, widths: Mapping[str, int], weights: Mapping[str, list[np.ndarray]]
) -> keras.Model:
    """A slim network, whole or as far as it is known."""
    model = resized(published, widths, fast=True)
    for name, values in weights.items():
        model.get_layer(name).set_weights(values)
    return model


def _rows(
    consumer: str, slim: keras.Model, published: keras.Model, pictures: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """What a layer sees in the slim network, float32 (rows, places, channels), and what it gives
    in the published one before its ReLU, (rows, outputs)."""
    rng = np.random.default_rng(seed)
    kernel, bias = published.get_layer(consumer).get_weights()
    before = [_before(model, consumer) for model in (slim, published)]
    seen, given = [], []
    for start in range(0, len(pictures), BATCH):
        batch = pictures[start : start + BATCH].astype(np.float32)
        # called as they are: `predict` would trace two new networks for every layer
        own, full = (_float32(model(batch, training=False)) for model in before)
        places = None if kernel.ndim == 2 else rng.integers(own.shape[1], size=(2, PLACES))
        seen.append(_patches(own, places))
        rows = _patches(full, places).reshape(len(seen[-1]), -1)
        given.append(rows @ kernel.reshape(-1, kernel.shape[-1]) + bias)
    return np.concatenate(seen), np.concatenate(given)


def _float32(values: keras.KerasTensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(keras.ops.cast(values, "float32"))


def _before(model: keras.Model, name: str) -> keras.Model:
    """What a convolution, or the hidden layer, takes."""
    source = model.get_layer(LAST_POOL).output if name == "hidden" else model.get_layer(name).input
    return keras.Model(model.input, source)


def _patches(features: np.ndarray, places: np.ndarray | None) -> np.ndarray:
    """(N, H, W, channels) -> the 3x3 cells around each place, (N * places, 9, channels); without
    places the whole, (N, H * W, channels)."""
    count, height, width, channels = features.shape
    if places is None:
        return features.reshape(count, height * width, channels)
    padded = np.pad(features, ((0, 0), (1, 1), (1, 1), (0, 0)))
    top, left = places
    cells = [padded[:, top + dy, left + dx] for dy in range(3) for dx in range(3)]
    return np.stack(cells, axis=2).reshape(-1, 9, channels)


def _choose(
    seen: np.ndarray, given: np.ndarray, kernel: np.ndarray, bias: np.ndarray, count: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The channels that stay, and the consumer's kernel and bias for them.

    Args:
        seen: float32 (rows, places, channels); is changed.
        given: float32 (rows, outputs).
        kernel, bias: of the consumer in the published network.
        count: of channels.
    """
    rows, places, channels = seen.shape
    shaped = kernel.reshape(places, channels, -1)
    mean_seen, mean_given = seen.mean(axis=0), given.mean(axis=0)
    seen -= mean_seen
    kept = _forward_selection(_contributions(seen, shaped), count)
    start = shaped[:, kept].reshape(places * count, -1)
    matrix = seen[:, :, kept].reshape(rows, places * count)
    fitted = start + _ridge(matrix, given - mean_given - matrix @ start)
    new_bias = mean_given - mean_seen[:, kept].reshape(-1) @ fitted
    shape = (*kernel.shape[:-2], count, kernel.shape[-1]) if kernel.ndim == 4 else fitted.shape
    return kept, [fitted.reshape(shape), new_bias]


def _contributions(centred: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The products, summed over rows and outputs, of what each two channels add to the outputs:
    float64 (channels, channels)."""
    sketch = np.random.default_rng(0).normal(size=(kernel.shape[2], SKETCH)).astype(np.float32)
    sums, channels = kernel @ sketch, kernel.shape[1]
    total = np.zeros((channels, channels))
    for part in np.array_split(centred, max(1, len(centred) // 1024)):
        added = np.einsum("rpc,pcs->rsc", part, sums, optimize=True).reshape(-1, channels)
        total += added.T @ added
    return total


def _forward_selection(products: np.ndarray, count: int) -> np.ndarray:
    """The channels, one after the other, that with weights of their own come nearest to the sum of
    all. Chen et al., "Orthogonal least squares methods and their application to non-linear system
    identification", International Journal of Control 50, 1989.

    Args:
        products: float (channels, channels), of each two channels' contributions.
    """
    left = products.copy()  # of what the chosen ones do not explain
    wanted = products.sum(axis=1)
    chosen: list[int] = []
    floor = 1e-9 * np.trace(products)
    for _ in range(count):
        own = np.diagonal(left)
        gain = np.where(own > floor, wanted**2 / np.maximum(own, floor), 0)
        gain[chosen] = -1
        best = int(gain.argmax())
        chosen.append(best)
        if gain[best] > 0:
            wanted = wanted - left[best] * (wanted[best] / left[best, best])
            left = left - np.outer(left[best], left[best]) / left[best, best]
    return np.sort(chosen)


def _ridge(matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least squares with a small weight decay: float32 (features, outputs) for (rows, features) and
    (rows, outputs)."""
    wide = matrix.shape[0] < matrix.shape[1]
    gram = (matrix @ matrix.T if wide else matrix.T @ matrix).astype(np.float64)
    gram[np.diag_indices(len(gram))] += RIDGE * np.trace(gram) / len(gram)
    if wide:
        return matrix.T @ np.linalg.solve(gram, target).astype(np.float32)
    return np.linalg.solve(gram, matrix.T @ target).astype(np.float32)
