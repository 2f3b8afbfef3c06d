"""A test split up by supervision model: who is ranked well, who is promised too much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.metrics import roc_auc_score

from base.bilingual import Bilingual
from training.fairness import GROUP_LABELLED, first_share
from training.figure_table import Cell, Footnotes, Line, cell

Floats = npt.NDArray[np.float64]
CAPACITY = 0.2
ONE_CLASS = Bilingual(
    zh="该模型有标签的线索只有一类（全部成案或全部未成案）。",
    en="All labelled clues of this model are of one class.",
)
NO_CASE = Bilingual(zh="该模型没有已知案件。", en="No known case of this model.")
TOO_FEW = Bilingual(
    zh=f"有标签的线索少于 {GROUP_LABELLED} 条，不评判。",
    en=f"Fewer than {GROUP_LABELLED} labelled clues: not judged.",
)


@dataclass(frozen=True)
class ModelFigures:
    """One supervision model on the test rows; None where a figure is not defined.

    `found`: share of its known cases in the first 20 % of the whole queue. `gap`: mean probability
    less the share that became cases (above 0: promised too much), of its labelled clues.
    """

    name: str
    clues: int
    labelled: int
    cases: int
    auc: float | None
    found: float | None
    gap: float | None


def figures_by_model(scores: pa.Table) -> tuple[ModelFigures, ...]:
    """Per supervision model, most clues first. `scores` has clue_id, supervision_model, label
    (null: unknown), probability and score_scorer.
    """
    label = np.asarray(scores["label"].to_numpy(), np.float64)
    score = np.asarray(scores["score_scorer"].to_numpy(), np.float64)
    probability = np.asarray(scores["probability"].to_numpy(), np.float64)
    names = np.array([str(name) for name in scores["supervision_model"].to_pylist()], dtype=str)
    first = first_share(scores, CAPACITY)
    known = ~np.isnan(label)
    found = []
    for name in np.unique(names):
        here = names == name
        told = here & known
        case = here & (label == 1)
        both = 0 < case.sum() < told.sum()
        found.append(
            ModelFigures(
                name=str(name),
                clues=int(here.sum()),
                labelled=int(told.sum()),
                cases=int(case.sum()),
                auc=float(roc_auc_score(label[told], score[told])) if both else None,
                found=float(first[case].mean()) if case.any() else None,
                gap=float(probability[told].mean() - label[told].mean())
                if told.sum() >= GROUP_LABELLED
                else None,
            )
        )
    return tuple(sorted(found, key=lambda model: (-model.clues, model.name)))


def model_lines(scores: pa.Table, titles: Mapping[str, Bilingual], notes: Footnotes) -> list[Line]:
    """The table: clues, labelled, cases, AUC, cases found in the first 20 %, calibration gap."""
    lines = []
    for model in figures_by_model(scores):
        counts = [Cell(f"{count:,}") for count in (model.clues, model.labelled, model.cases)]
        lines.append(
            Line(
                titles.get(model.name, Bilingual(zh=model.name, en=model.name)),
                (
                    *counts,
                    cell(model.auc, notes, ONE_CLASS),
                    cell(model.found, notes, NO_CASE),
                    cell(model.gap, notes, TOO_FEW, "+.3f"),
                ),
            )
        )
    return lines
