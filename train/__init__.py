"""Images on disk -> the checkpoint in models/ and what it is worth (TensorFlow, or JAX)."""

import os
import sys

from serve import privacy as privacy  # before anything that would report home is imported
from serve.command import UserError
from serve.keras_file import choose_backend

try:
    choose_backend(("tensorflow", "jax"))
except UserError as error:
    sys.exit(f"error: {error}")

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# off by default on AMD processors; training took 60 instead of 81 ms an image there
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
