"""What a DICOM header says of a scan, in words for people.

Free text of a header may name the patient. It is searched for known words, and never quoted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom import Dataset

TRAINED = (
    "the tumours that the model learned were shown almost only in T1-weighted pictures with "
    "contrast agent"
)
MODALITIES = {
    "CT": "computed tomography",
    "PT": "positron emission tomography",
    "NM": "nuclear medicine",
    "US": "ultrasound",
    "XA": "angiography",
    "CR": "an X-ray picture",
    "DX": "an X-ray picture",
    "MG": "mammography",
    "RF": "fluoroscopy",
    "SC": "a secondary capture",
    "OT": "of another kind",
}
HEAD = re.compile(r"head|brain|skull|neuro|orbit|pituitar|sella|iac|kopf|hirn|schadel|cran|cereb")
FREE_TEXT = ("SeriesDescription", "ProtocolName", "SequenceName")
LOCALIZER = re.compile(r"\bloc\b|locali[sz]er|scout|survey|3.?pl(ane)?\b|topogram|aahead")
FAR = (
    ("diffusion", r"dwi|diff|\badc\b|trace|dti|tensor|\bfa\b|ep2d"),
    ("susceptibility", r"\bswi|swan|t2\s?\*|t2star|hemo|venobold|mip ?\(?sw|phase|\bpha\b"),
    ("angiography", r"\btof|\bmra\b|angio|\bmrv\b|\bpca?\b"),
    ("perfusion", r"perf|\bdsc\b|\bdce\b|\basl\b|\br?cb[fv]\b|\bmtt\b"),
    ("functional imaging", r"bold|fmri|resting"),
    ("spectroscopy", r"spectro|\bmrs\b|\bcsi\b|\bsvs\b"),
)
FLAIR, T2, T1 = r"flair|dark.?fluid|tirm", r"\bt2", r"\bt1|mprage|\bmpr\b|bravo|tfl3d"
PROTON = r"\bpd\b|proton|dens"
CONTRAST = r"\+\s?c\b|\bgd\b|gado|contrast|\bpost|\bkm\b|\bce\b|t1c\b|\+gd|\bwith c"
WITHOUT = r"\bpre\b|without|non.?contrast|\bno\b|nativ|w/o"
NOTHING = {"", "no", "none", "n", "0", "nil", "without"}


def is_localizer(fields: Dataset) -> bool:
    """Whether the picture only shows where other slices were laid."""
    kinds = {str(kind).upper() for kind in _values(fields.get("ImageType"))}
    return "LOCALIZER" in kinds or bool(LOCALIZER.search(_text(fields)))


def warnings_about(fields: Dataset) -> tuple[str, ...]:
    """Sentences on everything that is unlike what the model was trained on."""
    modality = str(fields.get("Modality") or "").strip().upper()
    found = []
    if modality and modality != "MR":
        kind = MODALITIES.get(modality, "of another kind")
        found.append(f"Not MR but {kind}: the model knows MR pictures only.")
    body = str(fields.get("BodyPartExamined") or "").strip().lower()
    if body and not HEAD.search(body):
        found.append("The examined body part is not the head: the model knows the brain only.")
    if modality in {"", "MR"} and (sequence := _sequence(fields)):
        found.append(sequence)
    if str(fields.get("BurnedInAnnotation") or "").strip().upper() == "YES":
        found.append(
            "Text is burnt into the picture: it may name the patient, and it is read as a part "
            "of the scan."
        )
    return tuple(found)


def _sequence(fields: Dataset) -> str:
    """In what the sequence differs from the training pictures, or ""."""
    text = _text(fields)
    for name, words in FAR:
        if re.search(words, text):
            return f"The sequence looks like {name}, which the model was not trained on."
    weighting = _weighting(fields, text)
    if weighting == "T1":
        if _with_contrast(fields, text):
            return ""
        return f"T1-weighted, and no contrast agent is stated: {TRAINED}."
    return f"The sequence is {weighting}: {TRAINED}." if weighting else ""


def _weighting(fields: Dataset, text: str) -> str:
    """By the words for the sequence, and else by its times; "" where neither tells."""
    for name, words in (("FLAIR", FLAIR), ("T2-weighted", T2), ("T1", T1)):
        if re.search(words, text):
            return name
    if re.search(PROTON, text):
        return "proton density-weighted"
    echo = _number(fields.get("EchoTime")) or _number(fields.get("EffectiveEchoTime"))
    repetition = _number(fields.get("RepetitionTime"))
    inversion = _number(fields.get("InversionTime"))
    if not echo or not repetition:
        return ""
    if inversion > 1500 and echo > 60:  # milliseconds
        return "FLAIR"
    if echo > 60:
        return "T2-weighted"
    if repetition < 1200 or inversion:  # MPRAGE repeats after about 2 s, and inverts
        return "T1"
    return "proton density-weighted" if repetition > 1800 else "T1"


def _with_contrast(fields: Dataset, text: str) -> bool:
    agent = " ".join(str(one) for one in _values(fields.get("ContrastBolusAgent")))
    if agent.strip().lower() not in NOTHING:
        return True
    return bool(re.search(CONTRAST, text)) and not re.search(WITHOUT, text)


def _text(fields: Dataset) -> str:
    """The free text on the sequence, in small letters; to be searched, not shown."""
    text = " ".join(str(fields.get(keyword) or "") for keyword in FREE_TEXT)
    return text.lower().replace("_", " ")


def _number(value: Any) -> float:  # noqa: ANN401
    try:
        return float(value or 0)
    except (TypeError, ValueError):
        return 0.0


def _values(value: Any) -> list[Any]:  # noqa: ANN401
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
