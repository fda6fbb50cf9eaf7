"""Images on disk -> the checkpoint in models/ and what it is worth (TensorFlow)."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# off by default on AMD processors; training took 60 instead of 81 ms an image there
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
