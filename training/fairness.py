"""The fairness audit: does the top of the queue treat declared groups of clues alike?

Per group the share selected at capacity, the share of known cases found there (recall) and the
calibration gap (mean probability less the share that became cases), by fairlearn's MetricFrame
(Weerts et al., "Fairlearn: Assessing and Improving Fairness of AI Systems", 2023). The largest of
many gaps is never 0, so each stands beside what shuffled groups of the same sizes would show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from base.bilingual import Bilingual
from base.errors import Refused, nearest

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Names = npt.NDArray[np.str_]
Measure = Literal["selection_rate", "recall", "calibration_gap"]
MEASURES: tuple[Measure, ...] = ("selection_rate", "recall", "calibration_gap")
CAPACITY = 0.2
# A group with less tells more of chance than of the scorer.
GROUP_LABELLED, GROUP_CASES = 30, 10
SHUFFLES, SEED = 400, 7
TITLES: dict[Measure, Bilingual] = {
    "selection_rate": Bilingual(zh="入选比例", en="share selected at capacity"),
    "recall": Bilingual(zh="召回（已知案件中入选）", en="recall: known cases selected"),
    "calibration_gap": Bilingual(zh="校准差", en="calibration gap"),
}
EMPTY = Bilingual(zh="（未填）", en="(empty)")


@dataclass(frozen=True)
class GroupFigures:
    """One group. Figures are None where it is too small; `judged`: GROUP_LABELLED labelled rows."""

    value: str
    title: Bilingual
    rows: int
    labelled: int
    cases: int
    judged: bool
    selection_rate: float | None
    recall: float | None
    calibration_gap: float | None


@dataclass(frozen=True)
class Gap:
    """Between the groups with the most and the least of a measure.

    `ratio` is the least over the most (None for a calibration gap, and over 0). `by_chance`: what
    95 of 100 shuffles of the groups stay below.
    """

    measure: Measure
    most: str
    least: str
    difference: float
    ratio: float | None
    by_chance: float


@dataclass(frozen=True)
class GroupAudit:
    """Groups by one column of the clue. `gaps` lacks a measure that fewer than two groups have."""

    column: str
    title: Bilingual
    capacity: str
    groups: tuple[GroupFigures, ...]
    gaps: Mapping[Measure, Gap]
    reading: Bilingual

    @property
    def figures(self) -> dict[str, float]:
        """The differences by name, for tracking and for a bound."""
        return {f"{self.column}/{name}": gap.difference for name, gap in self.gaps.items()}

    def title_of(self, value: str) -> Bilingual:
        """The title of a group."""
        return next((group.title for group in self.groups if group.value == value), EMPTY)


@dataclass(frozen=True)
class _Rows:
    """Test rows: group, selected, label (NaN: unknown), probability; all (n,)."""

    group: Names
    selected: Bools
    label: Floats
    probability: Floats

    def where(self, chosen: Bools) -> _Rows:
        return _Rows(
            self.group[chosen], self.selected[chosen], self.label[chosen], self.probability[chosen]
        )


def audit_groups(
    scores: pa.Table,
    columns: Sequence[str],
    selected: Bools | None = None,
    titles: Mapping[str, Mapping[str, Bilingual]] | None = None,
    column_titles: Mapping[str, Bilingual] | None = None,
) -> tuple[GroupAudit, ...]:
    """An audit per column of `scores` (clue_id, score_scorer, probability, label or null, columns).

    `selected` (n,): rows taken at capacity; without it the first CAPACITY of all test rows.
    `titles`: column -> value -> title. Raises Refused for a column that is absent.
    """
    for column in columns:
        if column not in scores.column_names:
            raise Refused(
                wanted="a column of the clue",
                got=repr(column),
                cure=nearest(column, scores.column_names),
                where="fairness",
            )
    capacity = f"{CAPACITY:.0%}" if selected is None else ""
    chosen = first_share(scores, CAPACITY) if selected is None else selected
    label = np.asarray(scores["label"].to_numpy(), np.float64)
    probability = np.asarray(scores["probability"].to_numpy(), np.float64)
    found = []
    for column in columns:
        raw = scores[column].cast(pa.string()).to_pylist()
        group = np.array(["" if value is None else value for value in raw], dtype=str)
        rows = _Rows(group, chosen, label, probability)
        named = (titles or {}).get(column, {})
        title = (column_titles or {}).get(column, Bilingual(zh=column, en=column))
        found.append(_audit(column, title, capacity, rows, named))
    return tuple(found)


def first_share(scores: pa.Table, share: float) -> Bools:
    """The first `share` of all rows by `score_scorer`, ties in the order of clue ids; (n,)."""
    score = np.asarray(scores["score_scorer"].to_numpy(), np.float64)
    order = np.lexsort((np.array(scores["clue_id"].to_pylist(), dtype=str), -score))
    chosen = np.zeros(len(score), bool)
    chosen[order[: round(len(score) * share)]] = True
    return chosen


def _audit(
    column: str, title: Bilingual, capacity: str, rows: _Rows, titles: Mapping[str, Bilingual]
) -> GroupAudit:
    known = ~np.isnan(rows.label)
    case = rows.label == 1
    large = _values(rows.group, known, GROUP_LABELLED)
    many = _values(rows.group, case, GROUP_CASES)
    judged = np.isin(rows.group, large)
    asked: dict[Measure, _Rows] = {
        "selection_rate": rows.where(judged),
        "recall": rows.where(judged & case & np.isin(rows.group, many)),
        "calibration_gap": rows.where(judged & known),
    }
    by_group = {name: _by_group(name, part) for name, part in asked.items()}
    gaps = {name: gap for name, part in asked.items() if (gap := _gap(name, part, by_group[name]))}
    groups = []
    for value in np.unique(rows.group):
        here = rows.group == value
        groups.append(
            GroupFigures(
                value=str(value),
                title=_title(str(value), titles),
                rows=int(here.sum()),
                labelled=int((here & known).sum()),
                cases=int((here & case).sum()),
                judged=str(value) in large,
                **{name: by_group[name].get(str(value)) for name in MEASURES},
            )
        )
    groups.sort(key=lambda group: (not group.judged, -(group.selection_rate or 0), group.value))
    reading = _reading(title, capacity, gaps, {group.value: group.title for group in groups})
    return GroupAudit(column, title, capacity, tuple(groups), gaps, reading)


def _values(group: Names, counted: Bools, least: int) -> list[str]:
    values, counts = np.unique(group[counted], return_counts=True)
    return [str(value) for value, count in zip(values, counts, strict=True) if count >= least]


def _by_group(measure: Measure, rows: _Rows) -> dict[str, float]:
    """fairlearn's MetricFrame over the rows; empty where there are none."""
    from fairlearn.metrics import MetricFrame, selection_rate, true_positive_rate

    if not len(rows.group):
        return {}
    metric: Callable[..., float] = {
        "selection_rate": selection_rate,
        "recall": true_positive_rate,
        "calibration_gap": calibration_gap,
    }[measure]
    truth = np.ones(len(rows.group)) if measure != "calibration_gap" else rows.label
    said = rows.probability if measure == "calibration_gap" else rows.selected.astype(np.float64)
    frame = MetricFrame(
        metrics=metric,
        y_true=truth,
        y_pred=said,
        sensitive_features=pd.Series(rows.group, name="group"),
    )
    return {str(value): float(figure) for value, figure in frame.by_group.items()}


def calibration_gap(label: Floats, probability: Floats) -> float:
    """Mean probability less the share that became cases; above 0: promised too much."""
    return float(np.mean(probability) - np.mean(label))


def _gap(measure: Measure, rows: _Rows, by_group: Mapping[str, float]) -> Gap | None:
    if len(by_group) < 2:
        return None
    most = max(by_group, key=lambda value: by_group[value])
    least = min(by_group, key=lambda value: by_group[value])
    high, low = by_group[most], by_group[least]
    ratio = None if measure == "calibration_gap" or high == 0 else low / high
    return Gap(measure, most, least, high - low, ratio, _by_chance(measure, rows))


def _by_chance(measure: Measure, rows: _Rows) -> float:
    """95th percentile of the largest difference when rows are dealt to the groups at random."""
    told = rows.selected.astype(np.float64)
    if measure == "calibration_gap":
        told = rows.probability - rows.label
    _, place = np.unique(rows.group, return_inverse=True)
    sizes = np.bincount(place)
    draw = np.random.default_rng(SEED)
    spans = []
    for _ in range(SHUFFLES):
        means = np.bincount(place, weights=draw.permutation(told)) / sizes
        spans.append(float(np.ptp(means)))
    return float(np.percentile(spans, 95))


def _title(value: str, titles: Mapping[str, Bilingual]) -> Bilingual:
    return EMPTY if not value else titles.get(value, Bilingual(zh=value, en=value))


def _reading(
    title: Bilingual, capacity: str, gaps: Mapping[Measure, Gap], names: Mapping[str, Bilingual]
) -> Bilingual:
    """One or two sentences for a reader who knows no statistics."""
    if not gaps:
        return Bilingual(
            zh=f"按{title.zh}：有标签的线索达到 {GROUP_LABELLED} 条的组不足两个，无法比较。",
            en=f"By {title.en}: fewer than two groups have {GROUP_LABELLED} labelled clues, so"
            " nothing can be compared.",
        )
    selection = gaps["selection_rate"]
    most, least = names[selection.most], names[selection.least]
    zh = f"按{title.zh}：入选最多的「{most.zh}」与最少的「{least.zh}」入选比例"
    en = f"By {title.en}: {most.en} and {least.en} differ most in the share of clues"
    within = f" taken into the first {capacity}" if capacity else " taken within capacity"
    zh += f"相差 {_points(selection.difference)} 个百分点，{_beyond(selection).zh}。"
    en += f"{within}: {_points(selection.difference)} points apart, {_beyond(selection).en}."
    rest = [gap for name, gap in gaps.items() if name != "selection_rate"]
    odd = [gap for gap in rest if gap.difference > gap.by_chance]
    if not rest:
        return Bilingual(zh=zh, en=en)
    words = {
        "recall": Bilingual(zh="已知案件被找到的比例", en="the share of known cases found"),
        "calibration_gap": Bilingual(zh="概率与实际之差", en="how true the probabilities are"),
    }
    if not odd:
        told_zh = "、".join(words[gap.measure].zh for gap in rest)
        told_en = " and in ".join(words[gap.measure].en for gap in rest)
        return Bilingual(
            zh=f"{zh}{told_zh}，各组之差不超出随机波动。",
            en=f"{en} In {told_en} the groups differ no more than chance would make them.",
        )
    told_zh = "、".join(f"{words[g.measure].zh}（{_points(g.difference)} 点）" for g in odd)
    told_en = " and ".join(f"{words[g.measure].en} ({_points(g.difference)} points)" for g in odd)
    return Bilingual(
        zh=f"{zh}超出随机波动的还有：{told_zh}；须查明原因再用。",
        en=f"{en} They also differ by more than chance in {told_en}: find out why before use.",
    )


def _beyond(gap: Gap) -> Bilingual:
    chance = _points(gap.by_chance)
    if gap.difference > gap.by_chance:
        return Bilingual(
            zh=f"大于随机波动（{chance}）", en=f"more than chance would show ({chance})"
        )
    return Bilingual(
        zh=f"不大于随机波动（{chance}）", en=f"no more than chance would show ({chance})"
    )


def _points(share: float) -> str:
    return f"{100 * share:.1f}"
