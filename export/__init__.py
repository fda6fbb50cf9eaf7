"""The best checkpoint -> ONNX files, each proven equal to it; publishing."""

import os
import sys

from serve import privacy as privacy  # before anything that would report home is imported
from serve.command import UserError
from serve.keras_file import choose_backend

try:
    choose_backend()
except UserError as error:
    sys.exit(f"error: {error}")

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
