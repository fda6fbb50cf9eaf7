"""The best checkpoint -> ONNX files, each proven equal to it; publishing."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
