"""What is said of a scan that passes for brain MRI, but is unlike what the model was trained on."""

from __future__ import annotations

from collections.abc import Sequence

from .track_record import HOSPITALS, TrackRecord, meaning

UNFAMILIAR = "It is unlike the scans that this model was trained on"


def unfamiliar(confidence: float, record: TrackRecord) -> str:
    """The warning: what such a confidence has meant is quoted of other hospitals' scans.

    Args:
        confidence: of the answer, 0 to 1.
        record: the model's.
    """
    found = meaning(record.at(confidence, HOSPITALS), HOSPITALS)
    if not found:
        return f"{UNFAMILIAR}; what its confidence is worth on such scans was not measured."
    return f"{UNFAMILIAR}. {found}"


def in_short(warning: str) -> str:
    """A warning without what is true of a single confidence alone, as a series counts it."""
    return f"{UNFAMILIAR}." if warning.startswith(UNFAMILIAR) else warning


def is_unfamiliar(warnings: Sequence[str]) -> bool:
    """Whether an answer has the warning; what own patients' confidences meant is no help then."""
    return any(one.startswith(UNFAMILIAR) for one in warnings)
