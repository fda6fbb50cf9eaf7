"""The model with ONNX Runtime alone: python embed.py MODEL IMAGE ..."""

import json
import sys

import numpy as np
import onnxruntime as ort
from PIL import Image

session = ort.InferenceSession(sys.argv[1])
metadata = session.get_modelmeta().custom_metadata_map
labels = json.loads(metadata["labels"])
for path in sys.argv[2:]:
    image = np.asarray(Image.open(path).convert("RGB"))[None]
    (probabilities,), (maps,), (ood_score,) = session.run(
        ["probabilities", "cam", "ood_score"], {"image": image}
    )
    best = int(probabilities.argmax())
    refused = bool(ood_score > float(metadata["ood_threshold"]))
    answer = {
        "label": None if refused else labels[best],
        "confidence": float(probabilities[best]),
        "probabilities": probabilities.tolist(),
        "ood_score": float(ood_score),
        "map": maps[best].tolist(),  # Grad-CAM, 14 x 14, 0 to 1
    }
    print(json.dumps(answer))
