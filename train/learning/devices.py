"""What the machine offers a training: 16-bit arithmetic."""

from __future__ import annotations

import keras

from serve.processors import has_bfloat16


def fast_precision() -> str:
    """The Keras dtype policy that trains fastest here; weights are float32 in any case.

    Not 16 bits by JAX on a CPU: the compiled network gave NaN there (JAX 0.11.2).
    """
    by_cpu = keras.backend.backend() == "tensorflow" and has_bfloat16()
    return "mixed_bfloat16" if _gpus() or by_cpu else "float32"


def _gpus() -> list[str]:
    return [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]
