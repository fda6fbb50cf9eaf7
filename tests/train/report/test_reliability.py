"""What did not break it, as the README and the model card say it."""

from __future__ import annotations

from train.report.blocks import fill, render

FUZZ = {
    "inputs": {"JPEG": 3000, "DICOM": 17000},
    "total": 20_000,
    "answered": 7000,
    "errors": {"InvalidImageError": 25_000, "ModelError": 900},
    "problems": 0,
    "worst_seconds": 0.514,
    "worst_megabytes": 401.2,
}
SOAK = {"calls": 10_000, "refused": 999, "seconds": 500.2, "memory_growth": -0.0012}
APP = {"clients": 40, "seconds": 601.3, "answers": 5000, "failures": 0, "memory_growth": 0.011}
FAULTS = {"runs": {"killed": 50, "full disk": 51}, "half_written": 0, "lost_rows": 0}


def test_nothing_is_said_of_what_was_not_measured():
    page = "before\n<!-- figures: reliability -->\nold\n<!-- end of figures -->\nafter\n"
    assert fill(page, {}) == page.replace("old\n", "")


def test_each_part_has_its_sentence():
    parts = {"fuzz": FUZZ, "soak": SOAK, "app": APP, "faults": FAULTS}
    text = render("reliability", {"reliability": parts})
    assert text.startswith("20,000 damaged inputs (17,000 DICOM, 3,000 JPEG) gave an answer, ")
    assert "25,000 `InvalidImageError` and 900 `ModelError`, and nothing else" in text
    assert "0.51 s of processor time, the largest process 401 MB" in text
    assert "Over 10,000 calls of the library, memory changed by -0.1 %." in text
    assert "40 clients got 5,000 answers of the app within 10 minutes" in text
    assert "101 runs of the command with a fault at a random moment (50 killed, 51 full" in text
    assert render("reliability", {"reliability": {"soak": SOAK}}) == (
        "Over 10,000 calls of the library, memory changed by -0.1 %.\n"
    )
