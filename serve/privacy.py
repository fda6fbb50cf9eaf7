"""Nothing is reported home: what keeps packages from it is set before any of them is imported."""

from __future__ import annotations

import os

# Each is read once, when its package is first imported; a value that is there already gives way.
OFF = {
    # https://github.com/microsoft/onnxruntime/blob/main/docs/Privacy.md; on from 1.29 on Linux
    "ORT_DISABLE_TELEMETRY": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",  # https://docs.ray.io/en/latest/cluster/usage-stats.html
    "DO_NOT_TRACK": "1",  # https://donottrack.sh
}

os.environ.update(OFF)
