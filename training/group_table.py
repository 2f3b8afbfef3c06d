"""Groups of the last test as a table: is what was said also what came, and who is found?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from base.bilingual import Bilingual
from training.by_model import NO_CASE, ONE_CLASS, TOO_FEW
from training.capacity import AtCapacity
from training.fairness import GROUP_LABELLED
from training.figure_table import Cell, Footnotes, Line, cell
from training.plots import ranking_title

Groups = Mapping[str, Sequence[Mapping[str, Any]]]
Titles = Mapping[str, Mapping[str, Bilingual]]
GROUPS_SHOWN = 12
COLUMN_TITLES = {
    "supervision_model": Bilingual(zh="监督模型", en="supervision model"),
    "office_id": Bilingual(zh="检察院", en="office"),
    "function": Bilingual(zh="检察职能", en="function"),
}
NO_LABEL = Bilingual(zh="该组没有有标签的线索。", en="No clue of this group has a label.")
EMPTY = Bilingual(zh="（未填）", en="(empty)")
TOO_MUCH = Bilingual(zh="偏高", en="too high")
TOO_LITTLE = Bilingual(zh="偏低", en="too low")
BEST = Bilingual(zh="可能的最好排序", en="best possible order")
NO_CASES = Bilingual(zh="测试线索中没有案件。", en="No test clue became a case.")


@dataclass(frozen=True)
class GroupTable:
    """Groups by one column, most clues first; `left_out` groups have fewer than those shown."""

    title: Bilingual
    lines: tuple[Line, ...]
    left_out: int


def group_tables(groups: Groups, titles: Titles, notes: Footnotes) -> list[GroupTable]:
    """A table per column of `groups` (see by_model.by_group); `titles`: column -> value -> title.

    Cells: clues, labelled, cases, AUC, cases found in the first 20 %, probability said, share that
    came, that share shrunk with its interval, and a word where what was said lies outside it.
    """
    tables = []
    for column, found in groups.items():
        ordered = sorted(found, key=lambda group: (-group["rows"], group["value"]))
        named = titles.get(column, {})
        lines = [
            Line(_title(group["value"], named), _cells(group, notes))
            for group in ordered[:GROUPS_SHOWN]
        ]
        title = COLUMN_TITLES.get(column, Bilingual(zh=column, en=column))
        by = Bilingual(zh=f"按{title.zh}", en=f"by {title.en}")
        tables.append(GroupTable(by, tuple(lines), max(0, len(ordered) - GROUPS_SHOWN)))
    return tables


def capacity_lines(at_capacity: Sequence[AtCapacity], notes: Footnotes) -> list[Line]:
    """A line per ranking, a cell per share of the offices' capacity; the best possible last."""
    names = list(at_capacity[0].found) if at_capacity else []
    lines = [
        Line(
            ranking_title(name),
            tuple(cell(each.found[name], notes, NO_CASES, ".1%") for each in at_capacity),
        )
        for name in names
    ]
    best = tuple(cell(each.best, notes, NO_CASES, ".1%") for each in at_capacity)
    return [*lines, Line(BEST, best)] if best else []


def _title(value: str, titles: Mapping[str, Bilingual]) -> Bilingual:
    return EMPTY if not value else titles.get(value, Bilingual(zh=value, en=value))


def _cells(group: Mapping[str, Any], notes: Footnotes) -> tuple[Cell, ...]:
    shrunk = cell(group["shrunk"], notes, NO_LABEL)
    low, high = group.get("low"), group.get("high")
    word = Cell("")
    if group["shrunk"] is not None and low is not None and high is not None:
        shrunk = Cell(shrunk.text, f"{low:.3f} – {high:.3f}")
        if not low <= group["said"] <= high:
            odd = TOO_MUCH if group["said"] > high else TOO_LITTLE
            word = Cell(f"{odd.zh} {odd.en}")
    few = group["labelled"] < GROUP_LABELLED  # an AUC of ten clues is luck
    counts = (Cell(f"{group[name]:,}") for name in ("rows", "labelled", "cases"))
    return (
        *counts,
        cell(None if few else group["auc"], notes, TOO_FEW if few else ONE_CLASS),
        cell(None if few else group["found"], notes, TOO_FEW if few else NO_CASE, ".1%"),
        cell(group["said"], notes, NO_LABEL),
        cell(group["came"], notes, NO_LABEL),
        shrunk,
        word,
    )
