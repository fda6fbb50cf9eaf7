"""The model card in the order in which a reader asks: how good, where not, from what, and how."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TypeAlias

import gradio as gr

from . import html
from . import words as text

Part: TypeAlias = str | tuple[str, Path]  # Markdown, or a picture: its words, its file

FIRST = ("What was measured", "Limits", "The data and its leakage")
FILES = "The files"
LAST = (FILES, "The ONNX files", "Embed them", "Call it from a program")
NAMELESS = re.compile(r"^\|\s*\|(?=.*\n\| ---)", re.MULTILINE)  # a table's first column
HEADING = re.compile(r"^#{2,3} (.+)$", re.MULTILINE)


@dataclass(slots=True)
class Section:
    """A heading and what stands under it."""

    title: str
    parts: list[Part] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        """What a link to it names."""
        return "about-" + re.sub(r"\W+", "-", self.title.lower()).strip("-")


def about_tab() -> None:
    """Contents, and the sections, into the tab that is being built."""
    intro, sections = in_order([*text.model_card(), text.API])
    if intro:
        gr.Markdown(intro, elem_classes="card")
    gr.HTML(_contents(sections), js_on_load="about(element)", apply_default_css=False)
    for section in sections:
        heading = f'<h2 id="{section.anchor}">{escape(section.title)}</h2>'
        gr.HTML(heading, apply_default_css=False, elem_classes="card")
        for part in section.parts:
            if isinstance(part, str):
                gr.Markdown(part, elem_classes="card")
            else:
                gr.HTML(html.figure(*part), apply_default_css=False, elem_classes="card")


def in_order(card: list[Part]) -> tuple[str, list[Section]]:
    """What stands before the first heading, and the sections: files and code come last.

    Args:
        card: the model card's parts.
    """
    sections = [Section("")]
    for part in card:
        if not isinstance(part, str):
            sections[-1].parts.append(part)
            continue
        before, *rest = HEADING.split(part)
        _add(sections[-1], before)
        for title, words in zip(rest[::2], rest[1::2], strict=True):
            sections.append(Section(title))
            _add(sections[-1], words)
    first, *others = sections
    intro, table = _parted("".join(one for one in first.parts if isinstance(one, str)))
    if table:
        others.append(Section(FILES, [table]))
    return intro, sorted(others, key=_rank)


def _add(section: Section, words: str) -> None:
    if words.strip():
        section.parts.append(NAMELESS.sub("| measure |", words))


def _parted(intro: str) -> tuple[str, str]:
    """The sentences, and the table of files."""
    lines = intro.splitlines()
    table = [line for line in lines if line.startswith("|")]
    return "\n".join(line for line in lines if line not in table).strip(), "\n".join(table)


def _rank(section: Section) -> int:
    if section.title in FIRST:
        return FIRST.index(section.title) - len(FIRST)
    return LAST.index(section.title) + 1 if section.title in LAST else 0


def _contents(sections: list[Section]) -> str:
    links = "".join(f'<li><a href="#{one.anchor}">{escape(one.title)}</a></li>' for one in sections)
    return f'<nav class="contents" aria-label="Contents"><ul>{links}</ul></nav>'
