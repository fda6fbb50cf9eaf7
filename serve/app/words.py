"""What the app says. Every figure in it comes from what was measured, none is typed here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..artifacts import MODELS
from ..classifier import Prediction
from ..measures import in_100
from ..names import LABELS, NOTUMOR
from ..track_record import ENOUGH, HOSPITALS, TrackRecord, meaning
from ..unfamiliar import is_unfamiliar

TITLE = "Brain tumour MRI classifier"
PURPOSE = (
    "For students, teachers and researchers: glioma, meningioma, pituitary tumour or no tumour, "
    "from slices of a brain MRI, each by itself. It cannot tell other diseases, judge a whole "
    "examination, or replace a radiologist."
)
CLASSES = {
    "glioma": "Glioma",
    "meningioma": "Meningioma",
    "notumor": "No tumour found",
    "pituitary": "Pituitary tumour",
}
ENGINES = {"keras": "Grad-CAM, drawn by Keras", "onnx": "Grad-CAM, drawn by ONNX Runtime"}
CROP = "Cut off what lies around the scan, and take a sheet of slices apart"
SCAN = "Scan"
FRAMED = "Scan; the model has seen what is within the frame"
LOOKED_AT = "What the model looked at"
VIEW_KEYS = "plus and minus zoom, the arrow keys move it"
UNSURE = "That may be fewer than {} in 100, so no single class is named."
STARRED = "* The model has learnt from this very scan, so of course it knows it."
NO_MAP = (
    "No map is shown. For “no tumour” it would light up healthy brain: choose a class to see what "
    "speaks for it."
)
LIKELIEST_MAP = (
    "Over each scan lies what speaks for its own likeliest tumour, and nothing where the answer is "
    "“no tumour”. Bright places are what the model went by, not the tumour's outline."
)
NO_MRI = "This does not look like a brain MRI"
NO_MRI_REASON = (
    "So no class is given: a classifier always answers something, and what this one would say "
    "about a picture unlike those it has learnt from means nothing."
)
NO_MRI_CAUSES = {
    "A screenshot, or a photograph of a screen or film": "cut out the slice itself, without "
    "frame and lettering, or frame it by hand.",
    "A sheet of several slices": "cut out a single one, or frame it by hand.",
    "Another sequence, another part of the body, CT or X-ray": "it knows best the T1-weighted "
    "slice with contrast medium.",
    "Inverted, dark tissue on a bright ground": "swap black and white.",
    "Turned or upside down": "turn it upright, the face or the crown of the head up.",
}
CALL = """\
FILE=$(curl -s -F files=@scan.jpg $URL/gradio_api/upload | cut -d '"' -f 2)
EVENT=$(curl -s -H "Content-Type: application/json" \\
  -d '{"data": [{"path": "'"$FILE"'", "meta": {"_type": "gradio.FileData"}}]}' \\
  $URL/gradio_api/call/predict | cut -d '"' -f 4)
curl -sN $URL/gradio_api/call/predict/$EVENT
"""
API = f"""\
## Call it from a program

Three endpoints: `/predict` and `/explain` for one picture, `/predict_batch` for several. \
"Use via API" at the foot of the page has their arguments and results. With `curl`, where \
`$URL` is this page's address:

```sh
{CALL}```

With Python, `pip install gradio_client`:

```python
from gradio_client import Client, handle_file

client = Client(URL)
print(client.predict(handle_file("scan.jpg"), api_name="/predict"))
```

A file that is no picture gives an `error` event, or an exception, with the reason. When too \
many are waiting, the call is refused with status 503: try again later.
"""


def class_name(label: str) -> str:
    """A class in plain words."""
    return CLASSES.get(label, label.capitalize())


def class_noun(label: str) -> str:
    """A class within a sentence: glioma, no tumour."""
    return class_name(label).lower().removesuffix(" found")


def heading(prediction: Prediction) -> str:
    """The answer, in as many words as it deserves; no class where there is none."""
    if prediction.label is None:
        return NO_MRI
    if prediction.unsure:
        first, second = (class_noun(label) for label in likeliest(prediction)[:2])
        return f"Unsure: {first} or {second}"
    return class_name(prediction.label)


def likeliest(prediction: Prediction) -> list[str]:
    """The classes, the likeliest first; none where the picture was refused."""
    shares = prediction.probabilities or {}
    return sorted(shares, key=shares.__getitem__, reverse=True)


def what_it_rests_on(
    prediction: Prediction, record: TrackRecord, metrics: dict[str, Any] | None = None
) -> str:
    """What such a confidence has meant, and why no single class is named where none is.

    Args:
        prediction: the answer.
        record: the model's.
        metrics: metrics.json; what "no tumour" has meant elsewhere is quoted from it.
    """
    if prediction.confidence is None:
        return NO_MRI_REASON
    sentences = []
    if not is_unfamiliar(prediction.warnings):
        sentences.append(meaning(record.at(prediction.confidence)))
        if found := record.at(prediction.confidence, HOSPITALS):
            sentences.append(f"On other hospitals' scans: {in_100(found.share)} in 100.")
    if prediction.unsure:
        sentences.append(UNSURE.format(in_100(ENOUGH)))
    if prediction.label == LABELS[NOTUMOR]:
        sentences.append(missed_elsewhere((metrics or {}).get("protocols", {})))
    return " ".join(filter(None, sentences))


def missed_elsewhere(protocols: dict[str, Any]) -> str:
    """How often a tumour on other hospitals' scans was answered with "no tumour".

    Args:
        protocols: metrics.json's part of that name. Each collection of `unseen` holds the share of
            tumours that were found.
    """
    groups = protocols.get("unseen", {}).values()
    shares = [
        one["sensitivity"] for one in groups if isinstance(one, dict) and "sensitivity" in one
    ]
    if not shares:
        return "How many tumours it overlooks on other hospitals' scans was not measured."
    missed = [in_100(1 - max(shares)), in_100(1 - min(shares))]
    number = missed[0] if missed[0] == missed[1] else " to ".join(missed)
    scans = "a collection" if len(shares) == 1 else f"{len(shares)} collections"
    return (
        f"On scans of {scans} that training never saw, {number} of 100 tumours were overlooked "
        "and called “no tumour”: it does not rule a tumour out."
    )


def how_to_read_map(label: str, attention: dict[str, Any]) -> str:
    """One class's map: what it shows, and how far it is to be trusted.

    Args:
        label: the class.
        attention: metrics.json's part of that name; how often the map's maximum lay on the
            tumour is quoted from it.
    """
    reading = f"Bright places are what speaks for “{class_noun(label)}” in the model's eyes."
    hits = attention.get("pointing_game", {})
    if "all" not in hits:
        return f"{reading} How often they lie on the tumour was not measured."
    if label not in hits:
        return f"{reading} They are not where a tumour would be."
    asides = [f"for {class_noun(label)} in {in_100(hits[label])}"]
    if "all" in attention.get("chance", {}):
        asides.append(f"by chance in {in_100(attention['chance']['all'])}")
    advice = (
        "Mostly they miss the tumour, so do not look for it there"
        if hits["all"] < 0.5
        else "They are a hint at the tumour's place, not its outline"
    )
    return (
        f"{reading} {advice}: the brightest lay on it in {in_100(hits['all'])} of 100 scans "
        f"that were answered rightly ({', '.join(asides)})."
    )


def model_card(models: Path = MODELS) -> list[str | tuple[str, Path]]:
    """The model card in the order in which it is read: Markdown, or a picture (its text, file).

    Without its front matter and title; links into the repository keep their words only. Code is
    coloured in Python and shell only: Gradio's highlighter fails on C++, and the page with it.
    """
    path = models / "README.md"
    if not path.is_file():
        return []
    text = re.sub(r"\A---\n.*?\n---\n", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"^# .*$", "", text, count=1, flags=re.MULTILINE)
    text = re.sub(r"(?<!!)\[([^\]]+)\]\((?!https?:)[^)]+\)", r"\1", text)
    text = re.sub(r"^```(?!python$|sh$)\w.*$", "```", text, flags=re.MULTILINE)
    parts = re.split(r"^!\[([^\]]*)\]\(([^)]+)\)$", text, flags=re.MULTILINE)
    card: list[str | tuple[str, Path]] = [parts[0]]
    for words, file, after in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        if (models / file).is_file():
            card.append((words, models / file))
        if after.strip():
            card.append(after)
    return card
