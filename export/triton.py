"""Write a model repository for NVIDIA's Triton: python -m export.triton --output DIR

The ONNX files as they are, each with its configuration and its classes' names:
`tritonserver --model-repository DIR` serves them over HTTP and gRPC, and joins the pictures of
several callers into one batch where they are of one size.

https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_configuration.html
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import onnx
from onnx import TensorProto

from export.metadata import metadata_of
from serve.artifacts import INT8_NAME, MODELS, ONNX_NAME, replacing
from serve.command import UserError, run
from serve.names import LABELS

KINDS = {TensorProto.UINT8: "TYPE_UINT8", TensorProto.FLOAT: "TYPE_FP32"}
LABELS_NAME = "labels.txt"
LABELLED = "probabilities"
LARGEST_BATCH = 32
PREFERRED = (8, LARGEST_BATCH)
WAITING = 2000  # microseconds that a picture waits for others
# Of the metadata, where they are there.
TOLD = ("ood_threshold", "ood_warning", "model_version", "source_sha256", "intended_use")
ON_CPU = "instance_group [ { kind: KIND_CPU } ]\n"  # where int8 is the faster


def configuration(name: str, model: onnx.ModelProto) -> str:
    """config.pbtxt of a model, from its own tensors and metadata."""
    stored = {tensor.name for tensor in model.graph.initializer}
    inputs = [_tensor(one) for one in model.graph.input if one.name not in stored]
    outputs = [_tensor(one) for one in model.graph.output]
    metadata = metadata_of(model)
    parameters = "".join(
        f'parameters {{ key: "{key}" value: {{ string_value: "{metadata[key]}" }} }}\n'
        for key in TOLD
        if key in metadata
    )
    return (
        f'name: "{name}"\n'
        'backend: "onnxruntime"\n'
        f"max_batch_size: {LARGEST_BATCH}\n"
        f"input [ {', '.join(inputs)} ]\n"
        f"output [ {', '.join(outputs)} ]\n"
        f"dynamic_batching {{ preferred_batch_size: {list(PREFERRED)} "
        f"max_queue_delay_microseconds: {WAITING} }}\n"
        f"{ON_CPU if metadata['precision'] == 'int8' else ''}"
        f"{parameters}"
    )


def _tensor(value: onnx.ValueInfoProto) -> str:
    """A tensor without its first axis, the batch, which Triton adds; one that has no other axis
    is said to have one of length 1, which Triton takes away again."""
    of = value.type.tensor_type
    axes = [axis.dim_value or -1 for axis in of.shape.dim][1:]
    shape = f"dims: {axes}" if axes else "dims: [1] reshape: { shape: [] }"
    labels = f' label_filename: "{LABELS_NAME}"' if value.name == LABELLED else ""
    return f'{{ name: "{value.name}" data_type: {KINDS[of.elem_type]} {shape}{labels} }}'


def write_repository(output: Path) -> list[str]:
    """Write it.

    Returns:
        the names of its models.

    Raises:
        UserError: a file is not there.
    """
    names = []
    for file in (MODELS / ONNX_NAME, MODELS / INT8_NAME):
        if not file.is_file():
            raise UserError(f"{file}: no such model")
        name = file.stem.replace(".", "_")
        folder = output / name
        with replacing(folder / "1" / "model.onnx") as temporary:
            shutil.copyfile(file, temporary)
        with replacing(folder / LABELS_NAME) as temporary:
            temporary.write_text("".join(f"{label}\n" for label in LABELS), encoding="utf-8")
        with replacing(folder / "config.pbtxt") as temporary:
            temporary.write_text(configuration(name, onnx.load(file)), encoding="utf-8")
        names.append(name)
    return names


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m export.triton", description=__doc__.split(":")[0] + "."
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    args = parser.parse_args(argv)
    names = write_repository(args.output)
    print(f"wrote {', '.join(names)} to {args.output}: tritonserver --model-repository it")
    return 0


if __name__ == "__main__":
    sys.exit(run(main))
