"""A test split up by supervision model, office and function: who is ranked well, who is promised
too much.

A group with few outcomes tells mostly of chance, so what came of it is shrunk towards what came of
the whole: each group has a shift of its own on the log-odds of the probabilities said, drawn from a
normal distribution around the shift of all rows. How far the groups spread is not known either; it
is averaged over, each spread counting as much as the outcomes of all groups speak for it (Gelman,
"Prior distributions for variance parameters in hierarchical models", 2006; Laplace's method within
a spread). A small group is told about what the whole is told, a large one what came of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import expit, logit, softmax

from base.bilingual import Bilingual
from base.errors import Refused, nearest
from training.fairness import GROUP_LABELLED, first_share
from training.figure_table import Cell, Footnotes, Line, cell
from training.metrics import SURE, evaluate_scores

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
CAPACITY = 0.2
COLUMNS = ("supervision_model", "office_id", "function")
NORMAL_95 = 1.96
# Standard deviations between groups that are weighed, in log-odds, with a half-normal prior.
SPREADS = np.linspace(0.05, 2.45, 25)
PRIOR = 1.0
STEPS, CLOSE = 50, 1e-8
ONE_CLASS = Bilingual(
    zh="该组有标签的线索只有一类（全部成案或全部未成案）。",
    en="All labelled clues of this group are of one class.",
)
NO_CASE = Bilingual(zh="该组没有已知案件。", en="No known case of this group.")
TOO_FEW = Bilingual(
    zh=f"有标签的线索少于 {GROUP_LABELLED} 条，不评判。",
    en=f"Fewer than {GROUP_LABELLED} labelled clues: not judged.",
)


@dataclass(frozen=True)
class GroupFigures:
    """One group of the test rows; None where a figure is not defined.

    `rows` are all, `labelled` those whose end is known. Of the labelled: `said`, the mean
    probability; `came`, the share that became cases; `shrunk`, that share with strength borrowed
    from all groups, and its 95 % interval `low` to `high`. `found`: share of its known cases in the
    first 20 % of the whole queue.
    """

    value: str
    rows: int
    labelled: int
    cases: int
    said: float | None
    came: float | None
    shrunk: float | None
    low: float | None
    high: float | None
    auc: float | None
    found: float | None

    @property
    def gap(self) -> float | None:
        """Said less came (above 0: promised too much); None for a group too small to judge."""
        if self.said is None or self.came is None or self.labelled < GROUP_LABELLED:
            return None
        return self.said - self.came


def figures_by_group(scores: pa.Table, column: str) -> tuple[GroupFigures, ...]:
    """A group per value of `column`, most rows first. `scores` has clue_id, label (null: unknown),
    probability and score_scorer. Raises Refused for a column that is absent.
    """
    if column not in scores.column_names:
        raise Refused(
            wanted="a column of the test scores",
            got=repr(column),
            cure=nearest(column, scores.column_names),
            where="by_group",
        )
    label = np.asarray(scores["label"].to_numpy(), np.float64)
    score = np.asarray(scores["score_scorer"].to_numpy(), np.float64)
    probability = np.asarray(scores["probability"].to_numpy(), np.float64)
    raw = ["" if each is None else str(each) for each in scores[column].to_pylist()]
    values, group = np.unique(np.array(raw, dtype=str), return_inverse=True)
    first = first_share(scores, CAPACITY)
    known = ~np.isnan(label)
    shifts = group_shifts(probability[known], label[known], group[known], len(values))
    found = []
    for at, value in enumerate(values):
        here = group == at
        told, case = here & known, here & (label == 1)
        found.append(
            GroupFigures(
                value=str(value),
                rows=int(here.sum()),
                labelled=int(told.sum()),
                cases=int(case.sum()),
                **_calibration(probability[told], label[told], shifts, at),
                auc=evaluate_scores(score[told], label[told])["auc"],
                found=float(first[case].mean()) if case.any() else None,
            )
        )
    return tuple(sorted(found, key=lambda each: (-each.rows, each.value)))


def by_group(scores: pa.Table, columns: Sequence[str] = COLUMNS) -> dict[str, list[dict[str, Any]]]:
    """column -> its groups as plain values: value, rows, cases, said, came, shrunk and the rest."""
    return {
        column: [asdict(each) for each in figures_by_group(scores, column)] for column in columns
    }


@dataclass(frozen=True)
class GroupShifts:
    """Shifts of log-odds: posterior `value` and standard deviation `error` per group; `spread`
    between the groups, its posterior mean.
    """

    value: Floats
    error: Floats
    spread: float


def group_shifts(probability: Floats, label: Floats, group: Ints, groups: int) -> GroupShifts:
    """How far each group's log-odds lie from those said; rows (n,), `group` in 0..groups-1.

    Groups without a row get the shift of all, and the spread as their error.
    """
    odds = logit(np.clip(probability, SURE, 1 - SURE))
    if not len(odds):
        return GroupShifts(np.zeros(groups), np.zeros(groups), 0.0)
    # One row's worth of doubt keeps the shift of all finite where one class only is known.
    every = np.zeros(len(odds), np.int64)
    whole = float(_modes(odds, label, every, 1, 0.0, 1.0)[0][0])
    weights, means, variances = [], [], []
    for spread in SPREADS:
        mode, curve, likelihood = _modes(odds, label, group, groups, whole, 1 / spread**2)
        own = curve - 1 / spread**2
        # Known only as well as the groups together tell it.
        of_whole = 1 / float((own / (1 + own * spread**2)).sum())
        towards = 1 / (spread**2 * curve)
        weights.append(
            likelihood - float(np.log(spread**2 * curve).sum()) / 2 - spread**2 / (2 * PRIOR**2)
        )
        means.append(mode)
        variances.append(1 / curve + towards**2 * of_whole)
    chance = softmax(np.array(weights))
    mean = chance @ np.array(means)
    variance = chance @ (np.array(variances) + (np.array(means) - mean) ** 2)
    return GroupShifts(mean, np.sqrt(variance), float(chance @ SPREADS))


def _modes(
    odds: Floats, label: Floats, group: Ints, groups: int, centre: float, certainty: float
) -> tuple[Floats, Floats, float]:
    """Per group the shift that maximises likelihood times a normal density at `centre`, and the
    curvature there; and the log likelihood less penalty of all groups (Newton, steps at most 1).
    """
    cases = np.bincount(group, label, groups)
    shift = np.full(groups, centre)
    for _ in range(STEPS):
        told = expit(odds + shift[group])
        curve = np.bincount(group, told * (1 - told), groups) + certainty
        slope = cases - np.bincount(group, told, groups) - certainty * (shift - centre)
        step = np.clip(slope / curve, -1.0, 1.0)
        shift = shift + step
        if np.abs(step).max() < CLOSE:
            break
    moved = odds + shift[group]
    told = expit(moved)
    bent = np.asarray(np.bincount(group, told * (1 - told), groups) + certainty, np.float64)
    likelihood = float((label * moved - np.logaddexp(0.0, moved)).sum())
    return shift, bent, likelihood - certainty * float(((shift - centre) ** 2).sum()) / 2


def _calibration(
    probability: Floats, label: Floats, shifts: GroupShifts, at: int
) -> dict[str, float | None]:
    """said, came, shrunk, low, high of one group; None where it has no labelled row."""
    if not len(label):
        return dict.fromkeys(("said", "came", "shrunk", "low", "high"))
    odds = logit(np.clip(probability, SURE, 1 - SURE))
    reach = NORMAL_95 * shifts.error[at]
    shrunk, low, high = (
        float(expit(odds + shifts.value[at] + move).mean()) for move in (0.0, -reach, reach)
    )
    said, came = float(probability.mean()), float(label.mean())
    return {"said": said, "came": came, "shrunk": shrunk, "low": low, "high": high}


def model_lines(scores: pa.Table, titles: Mapping[str, Bilingual], notes: Footnotes) -> list[Line]:
    """The table: clues, labelled, cases, AUC, cases found in the first 20 %, calibration gap."""
    lines = []
    for model in figures_by_group(scores, "supervision_model"):
        counts = [Cell(f"{count:,}") for count in (model.rows, model.labelled, model.cases)]
        lines.append(
            Line(
                titles.get(model.value, Bilingual(zh=model.value, en=model.value)),
                (
                    *counts,
                    cell(model.auc, notes, ONE_CLASS),
                    cell(model.found, notes, NO_CASE),
                    cell(model.gap, notes, TOO_FEW, "+.3f"),
                ),
            )
        )
    return lines
