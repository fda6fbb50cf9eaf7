"""The card names the terms of all data, and its front matter the weights' licence."""

from __future__ import annotations

from huggingface_hub import ModelCard

from serve.terms import card_license
from serve.trained_on import collections_of
from train.report.blocks import CARD, README
from train.report.terms import terms_of, with_license

BROAD = {"br35h", "feltrin44", "tcga_lgg_t1c", "tcga_lgg_flair"}


def matter_of(text: str) -> dict:
    return ModelCard(text).data.to_dict()


def test_the_card_names_the_licence_of_what_it_was_trained_on():
    text = CARD.read_text(encoding="utf-8")
    assert card_license(collections_of()).items() <= matter_of(text).items()
    broad = with_license(text, BROAD)
    assert matter_of(broad) == matter_of(text) | card_license(BROAD)
    assert matter_of(broad)["license"] == "other"
    assert with_license(broad, set()) == with_license(text, set())
    assert broad.split("---", 2)[2] == text.split("---", 2)[2]


def test_a_page_without_front_matter_stays():
    text = README.read_text(encoding="utf-8")
    assert with_license(text, BROAD) == text


def test_all_data_and_their_terms_are_listed():
    own, broad = terms_of(set()), terms_of(BROAD)
    for words in ("| CC0 | yes |", "J. Cheng | CC BY 4.0 | yes |"):
        assert words in own
        assert words in broad
    for words in ("A. Hamada", "F. Feltrin", "CC BY-NC-SA 4.0"):
        (line,) = [line for line in own.splitlines() if words in line]
        assert line.endswith("| no |")
        (line,) = [line for line in broad.splitlines() if words in line]
        assert line.endswith("| yes |")
    assert "non-commercial research and education only" in broad.splitlines()[0]
    assert "only" not in own.splitlines()[0]
