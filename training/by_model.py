"""A test split up by supervision model, office and function: who is ranked well, who is promised
too much.

A group with few outcomes tells mostly of chance, so what came of it is shrunk towards what came of
the whole (training/shifts.py): a small group is told about what the whole is told, a large one what
came of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import expit, logit

from base.bilingual import Bilingual
from base.errors import Refused, nearest
from training.fairness import GROUP_LABELLED, first_share
from training.figure_table import Cell, Footnotes, Line, cell
from training.metrics import SURE, evaluate_scores
from training.shifts import GroupShifts, group_shifts

Floats = npt.NDArray[np.float64]
CAPACITY = 0.2
COLUMNS = ("supervision_model", "office_id", "function")
NORMAL_95 = 1.96
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
