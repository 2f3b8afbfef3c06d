"""A model card, as training wrote it in Markdown, taken apart so that a page can show it.

Only what such a card is made of is known: headings, lists and tables. Texts stay texts: the page
escapes them like any other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from base.bilingual import Language

ESCAPED = re.compile(r"\\([\\`*_{}\[\]<>#|~])")
BOTH = " · "
CELLS = re.compile(r"(?<!\\)\|")


@dataclass
class Section:
    """A heading, sentences, and the rows of a table (the first is its head) or none."""

    title: str
    words: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


def sections_of(card: str, language: Language) -> list[Section]:
    """The sections of a card below its own title, in one of its two languages."""
    found: list[Section] = []
    for line in card.splitlines():
        text = line.strip()
        if text.startswith("## "):
            found.append(Section(said(text[3:], language)))
        elif not found or not text:
            continue
        elif text.startswith("|"):
            cells = [said(each, language) for each in CELLS.split(text)[1:-1]]
            if not all(set(cell) <= set("-: ") for cell in cells):
                found[-1].rows.append(cells)
        else:
            found[-1].words.append(said(text.removeprefix("- "), language))
    return found


def said(text: str, language: Language) -> str:
    """Text as it was before it was escaped; of `zh · en` the half that is asked for."""
    plain = ESCAPED.sub(r"\1", text).strip()
    halves = plain.split(BOTH)
    if len(halves) != 2:
        return plain
    return halves[0 if language == "zh" else 1]
