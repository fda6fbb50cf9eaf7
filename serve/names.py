"""Names and sizes that more than one part needs."""

from __future__ import annotations

LABELS = ("glioma", "meningioma", "notumor", "pituitary")
NOTUMOR = LABELS.index("notumor")
TUMOURS = [i for i in range(len(LABELS)) if i != NOTUMOR]

INPUT_SIZE = 224  # pixels, a side of what the network sees
MAP_CELLS = 14  # a side of a Grad-CAM map
CELL = INPUT_SIZE // MAP_CELLS  # pixels, a side of a map's cell

# Layers of the checkpoint.
FROZEN_POOL = "block4_pool"  # what the out-of-distribution score is computed from
LAST_CONVOLUTION = "block5_conv3"  # where Grad-CAM looks
LAST_POOL = "block5_pool"
HEAD = ("flatten", "dropout_flat", "hidden", "dropout_hidden", "logits")

LICENSE = (
    "MIT (code); weights fine-tuned from VGG16, Oxford VGG, CC BY 4.0; "
    "trained on the Brain Tumor MRI Dataset, CC0, and figshare 1512427, CC BY 4.0"
)
INTENDED_USE = (
    "Research and education only. Not a medical device, never a diagnosis: "
    "do not use it to make decisions about anyone's care."
)
