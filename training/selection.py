"""Weights for who was looked at, as an experiment declares them: for its training, for its figures.

The theory is in propensity.py; here it meets clues, labels and the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import sqlalchemy as sa

from governance.home import Home
from scoring.ledger import open_ledger, orders
from training.baselines import Ranking
from training.experiment import Selection
from training.label import Labels
from training.note import Note
from training.propensity import (
    Chances,
    SelectionWeights,
    figures_for_all,
    pursuit_chances,
    selection_weights,
)

Floats = npt.NDArray[np.float64]
# Chances that foretell so well who was pursued leave clues with hardly any chance at all.
FORETOLD = 0.95


@dataclass(frozen=True)
class Selected:
    """How much each clue counts, (n,), 0 without a label; `notes` for whoever reads the figures."""

    weight: Floats
    effective: float
    notes: tuple[Note, ...]


def noted_chances(home: Home) -> dict[str, float]:
    """Clue id -> the chance it was ordered with, as the ledger notes it; none without a ledger."""
    url = home.ledger_url
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        return {}
    query = sa.select(orders.c.clue_id, orders.c.drawing_probability)
    with open_ledger(url).connect() as connection:
        found = connection.execute(query).all()
    return {clue: float(chance) for clue, chance in found if chance > 0}


def weigh_selection(
    selection: Selection, clues: pa.Table, labels: Labels, noted: Mapping[str, float], seed: int
) -> Selected:
    """One over each labelled clue's chance of having been pursued. `labels` is parallel to `clues`.

    Raises Refused where no ripe clue was pursued.
    """
    labelled = ~np.isnan(labels.values)
    chances = pursuit_chances(
        clues,
        labelled,
        labels.standing,
        kind=selection.propensity,
        noted=noted,
        seed=seed,
        also=clues.select(list(selection.seen)) if selection.seen else None,
    )
    weights = selection_weights(chances.value, labelled, selection.floor)
    return Selected(weights.value, weights.effective, _notes(selection, chances, labelled, weights))


def weighted_figures(
    ranking: Ranking, label: Floats, weight: Floats, subject: npt.NDArray[np.str_]
) -> dict[str, Any]:
    """Figures over all ranked clues, with 95 % intervals and the effective sample size. All (n,).

    `score` may be NaN where a rival did not score an unlabelled clue: it stands last.
    """
    score = np.where(np.isnan(ranking.score), -np.inf, ranking.score)
    found = figures_for_all(score, label, weight, probability=ranking.probability, subject=subject)
    return {
        **found.figures,
        "labelled": found.labelled,
        "effective_sample_size": found.effective,
        "intervals": {name: list(span) for name, span in found.intervals.items()},
    }


def _notes(
    selection: Selection,
    chances: Chances,
    labelled: npt.NDArray[np.bool_],
    weights: SelectionWeights,
) -> tuple[Note, ...]:
    count, noted = int(labelled.sum()), int((labelled & chances.noted).sum())
    told = f"selection: {count} labels are worth {weights.effective:.0f} drawn by lot; chances of"
    told += f" {noted} were noted, of {count - noted} estimated"
    zh = f"选择偏差：{count} 条标签相当于 {weights.effective:.0f} 条随机抽取的标签；核查概率"
    zh += f"有记录的 {noted} 条，估计的 {count - noted} 条"
    if chances.auc is not None and chances.ece is not None:
        told += f" (AUC {chances.auc:.3f}, calibration error {chances.ece:.3f})"
        zh += f"（AUC {chances.auc:.3f}，校准误差 {chances.ece:.3f}）"
    notes = [Note(told, zh)]
    if weights.floored:
        notes.append(
            Note(
                f"selection: {weights.floored} chances below {selection.floor} count as that",
                f"选择偏差：{weights.floored} 条的核查概率低于 {selection.floor}，按此值计",
            )
        )
    if chances.auc is not None and chances.auc > FORETOLD:
        notes.append(
            Note(
                "selection: some clues had hardly any chance; weights cannot speak for them",
                "选择偏差：部分线索几乎没有被核查的可能，加权无法代表它们",
            )
        )
    return tuple(notes)
