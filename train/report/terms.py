"""The block on whose data the weights were made of, and what follows from their terms."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from serve.terms import Source, card_license, others_than, sources_of, weights_terms
from serve.trained_on import collections_of
from train.report.writing import table

FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
LICENSE_LINES = re.compile(r"^license: .*\n(?:license_\w+: .*\n)*", re.MULTILINE)


def terms(metrics: dict[str, Any]) -> str:
    """Of the file in models/, by its trained_on.csv."""
    return terms_of(collections_of())


def terms_of(collections: Collection[str]) -> str:
    """The weights' terms, and those of all data.

    Args:
        collections: of other hospitals, that were trained on.
    """
    rows = [(_linked(source), source.terms, "yes") for source in sources_of(collections)]
    rows += [(_linked(source), source.terms, "no") for source in others_than(collections)]
    return f"{weights_terms(collections)}\n\n{table(('data', 'terms', 'trained on'), rows)}"


def with_license(text: str, collections: Collection[str]) -> str:
    """A card whose front matter names the weights' licence; a page without any stays as it is."""
    lines = "".join(f"{key}: {value}\n" for key, value in card_license(collections).items())
    return FRONT_MATTER.sub(lambda matter: LICENSE_LINES.sub(lines, matter[0]), text)


def _linked(source: Source) -> str:
    name = f"[{source.name}]({source.address})" if source.address else source.name
    return f"{name}, {source.author}" if source.author else name
