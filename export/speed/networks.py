"""The same network in PyTorch and in JAX, with the weights of the ONNX file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import numpy_helper

from export.graph import widen_float16

Run = Callable[[np.ndarray], np.ndarray]  # uint8 (N, 224, 224, 3) -> probabilities (N, 4)
Precision = Literal["float32", "float16"]
Affine = tuple[np.ndarray, np.ndarray]  # kernel and bias, float32


@dataclass(frozen=True)
class Network:
    """VGG16 and its head.

    Args:
        offsets: (3,), added to BGR pixels from 0 to 255.
        blocks: of convolutions, each followed by a ReLU, each block by a max-pooling; kernels
            (out, in, 3, 3).
        head: hidden layer and logits; kernels (in, out).
        temperature: of the softmax.
    """

    offsets: np.ndarray
    blocks: Sequence[Sequence[Affine]]
    head: tuple[Affine, Affine]
    temperature: float


def read_network(path: Path) -> Network:
    """The network of an ONNX file in float32 arithmetic, as `export.to_onnx` writes it."""
    graph = widen_float16(onnx.load(path)).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    consumer = {name: node for node in graph.node for name in node.input}
    blocks: list[list[Affine]] = [[]]
    head: list[Affine] = []
    for node in graph.node:
        if node.op_type == "Conv":
            blocks[-1].append((stored[node.input[1]], stored[node.input[2]]))
        elif node.op_type == "MaxPool":
            blocks.append([])
        elif node.op_type == "MatMul" and consumer[node.output[0]].op_type == "Add":
            head.append((stored[node.input[1]], stored[consumer[node.output[0]].input[1]]))
    (offsets,) = (
        stored[node.input[1]]
        for node in graph.node
        if node.op_type == "Add" and getattr(stored.get(node.input[1]), "shape", None) == (3,)
    )
    hidden, logits = head
    return Network(offsets, blocks[:-1], (hidden, logits), float(stored["temperature"]))


def torch_network(
    network: Network, device: str, precision: Precision = "float32", compiled: bool = False
) -> Run:
    """In PyTorch, with channels last, which its convolutions are fastest with.

    Float32 convolutions may use TF32 where the card has it, as PyTorch's own default is.
    """
    import torch
    from torch import nn

    def dense(affine: Affine) -> nn.Linear:
        layer = nn.Linear(*affine[0].shape)
        return _load(layer, affine[0].T, affine[1])

    def convolution(affine: Affine) -> nn.Conv2d:
        outputs, inputs = affine[0].shape[:2]
        return _load(nn.Conv2d(inputs, outputs, 3, padding=1), *affine)

    def _load(layer: nn.Module, kernel: np.ndarray, bias: np.ndarray) -> nn.Module:
        layer.load_state_dict(
            {"weight": torch.from_numpy(kernel.copy()), "bias": torch.from_numpy(bias.copy())}
        )
        return layer

    convolutions = nn.Sequential()
    for block in network.blocks:
        for affine in block:
            convolutions.extend([convolution(affine), nn.ReLU(inplace=True)])
        convolutions.append(nn.MaxPool2d(2))
    hidden, logits = (dense(affine) for affine in network.head)
    head = nn.Sequential(hidden, nn.ReLU(inplace=True), logits).to(device)
    kind = getattr(torch, precision)
    convolutions = convolutions.to(device, kind, memory_format=torch.channels_last)
    offsets = torch.from_numpy(network.offsets.copy()).to(device)
    torch.backends.cudnn.benchmark = True

    def forward(pixels: torch.Tensor) -> torch.Tensor:
        image = (pixels.flip(-1).float() + offsets).to(kind).permute(0, 3, 1, 2)
        pooled = convolutions(image).permute(0, 2, 3, 1).flatten(1).float()
        return torch.softmax(head(pooled) / network.temperature, 1)

    answer = torch.compile(forward, dynamic=False) if compiled else forward

    def run(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return answer(torch.from_numpy(pixels).to(device)).cpu().numpy()

    return run


def jax_network(network: Network, precision: Precision = "float32") -> Run:
    """In JAX on its default device, compiled by XLA for each batch size."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    kind = jnp.dtype(precision)
    blocks = [
        [(jnp.asarray(k.transpose(2, 3, 1, 0), kind), jnp.asarray(b, kind)) for k, b in block]
        for block in network.blocks
    ]
    head = [(jnp.asarray(kernel), jnp.asarray(bias)) for kernel, bias in network.head]

    def forward(blocks: list, head: list, pixels: jax.Array) -> jax.Array:
        image = (pixels[..., ::-1].astype(jnp.float32) + network.offsets).astype(kind)
        for block in blocks:
            for kernel, bias in block:
                convolved = lax.conv_general_dilated(
                    image, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
                )
                image = jax.nn.relu(convolved + bias)
            image = lax.reduce_window(
                image, np.array(-np.inf, kind), lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID"
            )
        (hidden, hidden_bias), (logits, logits_bias) = head
        pooled = image.reshape(len(image), -1).astype(jnp.float32)
        return jax.nn.softmax(
            (jax.nn.relu(pooled @ hidden + hidden_bias) @ logits + logits_bias)
            / network.temperature
        )

    compiled = jax.jit(forward)
    return lambda pixels: np.asarray(compiled(blocks, head, pixels))
