"""Figures as a table: a row per figure, a column per ranking, intervals beside, never a NaN.

What is not defined is a dash with a footnote that says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from base.bilingual import Bilingual

Interval = tuple[float, float]
Intervals = Mapping[str, Mapping[str, Interval]]
DASH = "–"
TITLES = {
    "auc": Bilingual(zh="AUC", en="AUC"),
    "average_precision": Bilingual(zh="平均查准率", en="average precision"),
    "precision@10%": Bilingual(zh="前 10% 查准率", en="precision in the first 10 %"),
    "precision@100": Bilingual(zh="前 100 条查准率", en="precision of the first 100"),
    "tail_recall_loss": Bilingual(zh="后半漏案", en="cases ranked in the bottom half"),
    "ece": Bilingual(zh="校准误差", en="calibration error (ECE)"),
    "log_loss": Bilingual(zh="对数损失", en="log loss"),
    "brier": Bilingual(zh="Brier 分数", en="Brier score"),
    "recall@10%": Bilingual(zh="前 10% 查全率", en="recall in the first 10 %"),
    "recall@100": Bilingual(zh="前 100 条查全率", en="recall of the first 100"),
    "labelled/all": Bilingual(zh="有标签的线索", en="labelled clues"),
    "labelled/@10%": Bilingual(
        zh="全队列前 10% 中有标签的", en="labelled in the queue's first 10 %"
    ),
    "labelled/@100": Bilingual(
        zh="全队列前 100 条中有标签的", en="labelled in the queue's first 100"
    ),
    "cases_found_at_capacity": Bilingual(
        zh="按办案力量找到的案件", en="cases found at the offices' capacity"
    ),
    "effective_sample_size": Bilingual(zh="有效样本量", en="effective sample size"),
}
OF_PROBABILITIES = {"ece", "log_loss", "brier"}
# Counts of clues, not shares.
COUNTS = {"labelled/all", "labelled/@10%", "labelled/@100", "effective_sample_size"}


@dataclass(frozen=True)
class Cell:
    """What stands in a cell, its interval (or nothing), and the number of its footnote."""

    text: str
    interval: str = ""
    note: int | None = None


@dataclass(frozen=True)
class Line:
    """A row of a table."""

    title: Bilingual
    cells: tuple[Cell, ...]


@dataclass
class Footnotes:
    """Why figures are not defined; one number for one reason."""

    reasons: list[Bilingual] = field(default_factory=list)

    def mark(self, reason: Bilingual) -> int:
        """The number of a reason, told once."""
        if reason not in self.reasons:
            self.reasons.append(reason)
        return self.reasons.index(reason) + 1


@dataclass(frozen=True)
class Tested:
    """Labelled test rows and the cases among them, which decide what can be defined."""

    rows: int
    cases: int


def cell(value: float | None, notes: Footnotes, why: Bilingual, shape: str = ".3f") -> Cell:
    """A figure, or a dash with its reason."""
    if value is None or not isfinite(value):
        return Cell(DASH, note=notes.mark(why))
    return Cell(format(value, shape))


def figure_lines(
    figures: Mapping[str, Mapping[str, Any]],
    tested: Tested,
    notes: Footnotes,
    intervals: Intervals | None = None,
) -> list[Line]:
    """A line per figure that any ranking has; `figures` and `intervals` are by ranking.

    Figures may nest (cases_found: {10: ...}); their names join with a slash, also in `intervals`.
    Figures whose name is not known here keep it.
    """
    flat = {name: flatten(told) for name, told in figures.items()}
    spans = {name: flatten(told) for name, told in (intervals or {}).items()}
    names = list(dict.fromkeys(figure for told in flat.values() for figure in told))
    return [
        Line(
            title_of(name),
            tuple(
                _figure(name, told.get(name), spans.get(ranking, {}).get(name), tested, notes)
                for ranking, told in flat.items()
            ),
        )
        for name in names
    ]


def title_of(name: str) -> Bilingual:
    """The title of a figure; its name where none is known."""
    kind, _, part = name.partition("/")
    if kind == "cases_found" and part.isdecimal():
        return Bilingual(zh=f"前 {part}% 找到的案件", en=f"cases found in the first {part} %")
    return TITLES.get(name, Bilingual(zh=name, en=name))


def flatten(figures: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Numbers (and intervals) of nested figures by name; what is neither is left out."""
    found: dict[str, Any] = {}
    for name, value in figures.items():
        if isinstance(value, Mapping):
            found |= flatten(value, f"{before}{name}/")
        elif value is None or isinstance(value, int | float) or _is_pair(value):
            found[before + name] = value
    return found


def why_undefined(name: str, tested: Tested) -> Bilingual:
    """The reason a figure cannot be defined on these rows."""
    if name in OF_PROBABILITIES and tested.rows:
        return Bilingual(zh="这种排序不给出概率。", en="This order gives no probability.")
    if not tested.rows:
        return Bilingual(zh="没有有标签的测试线索。", en="No test clue has a label.")
    if tested.cases == 0:
        return Bilingual(zh="测试线索中没有案件。", en="No test clue became a case.")
    if tested.cases == tested.rows:
        return Bilingual(zh="测试线索全部成案。", en="Every test clue became a case.")
    if name.startswith(("precision@", "recall@")):
        return Bilingual(
            zh=f"有标签的测试线索只有 {tested.rows} 条。",
            en=f"There are only {tested.rows} labelled test clues.",
        )
    return Bilingual(zh="在这些线索上未作计算。", en="Not computed on these clues.")


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2


def _figure(name: str, value: Any, span: Any, tested: Tested, notes: Footnotes) -> Cell:
    if not isinstance(value, int | float) or not isfinite(value):
        return Cell(DASH, note=notes.mark(why_undefined(name, tested)))
    told = f"{value:,.0f}" if name in COUNTS or abs(value) >= 100 else f"{value:.3f}"
    if span is None or not all(isfinite(end) for end in span):
        return Cell(told)
    low, high = span
    return Cell(told, f"{low:.3f} – {high:.3f}")


def ranks_shown(rows: int) -> list[int]:
    """The k at which precision and recall are told: round numbers, and tenths of the queue."""
    plain = [k for k in (10, 20, 50, 100, 200, 500, 1_000) if k < rows]
    parts = [round(rows * share) for share in (0.1, 0.2, 0.3, 0.5)]
    return sorted({k for k in (*plain, *parts) if k > 0})
