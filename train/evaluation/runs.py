"""How often a series without a tumour is called one with a tumour, as serve/series.py pools it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from serve.names import NOTUMOR
from serve.series import SUSPICIOUS, pooled
from serve.track_record import Bin
from serve.tumours import Answers
from train.data.dataset import Scan

SLICE = re.compile(r"^(TCGA_.+)_(\d+)$")  # the series and the slice's number, in the file's name


def healthy_runs(scans: Sequence[Scan], answers: Answers) -> dict[str, Any] | None:
    """The tumour-free slices of each person, in order, taken as a series.

    Args:
        scans: of one collection.
        answers: to each of them.

    Returns:
        `runs`, how many; `called`, the share whose pooled probability of any tumour is at
        least SUSPICIOUS; `called_ci`, its 95 % interval (Wilson). None where no file's name tells
        series and slice.
    """
    slices: dict[str, list[tuple[int, float]]] = {}
    for scan, label, score in zip(scans, answers.labels, answers.score, strict=True):
        if label == NOTUMOR and (found := SLICE.match(scan.path.stem)):
            slices.setdefault(found[1], []).append((int(found[2]), float(score)))
    if not slices:
        return None
    said = [pooled([score for _, score in sorted(run)]) for run in slices.values()]
    called = Bin(0, 1, len(said), sum(one >= SUSPICIOUS for one in said))
    return {"runs": called.answers, "called": called.share, "called_ci": list(called.interval)}
