"""Runs beside each other on the test rows they share: paired differences with intervals.

A run is read from the scores it kept of its test rows (`reports/*/test_scores.parquet`). Each row
was scored by the scorer of its own split, which had not learned from it. Rows are paired by clue,
and ranked apart wherever any of the runs had another split: a queue never holds clues scored by
two scorers. Figures are the mean over these splits.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from base.errors import Refused
from governance.home import Home
from training.baselines import Ranking
from training.capacity import chance_of_a_place, left_out_note, queues_of, weekly_places
from training.intervals import REDRAWS, SEED, Redrawn, Rows, redraw
from training.metrics import ROUNDING
from training.runs import SCORE, SCORER, Run, find_run

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
WEIGHT = "selection_weight"
LOWER_IS_BETTER = frozenset({"tail_recall_loss", "ece", "log_loss", "brier"})


@dataclass(frozen=True)
class Paired:
    """Rows that all runs have, cut into splits. `counts` tells how many, and how many were left.

    `weighted` are the same rows with the first run's weights for selection, where it kept them.
    """

    splits: tuple[Rows, ...]
    weighted: tuple[Rows, ...] | None
    counts: dict[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Every ranking's figures, and what the first run's scorer has more (or less) than each."""

    runs: tuple[Run, ...]
    reference: str
    counts: dict[str, int]
    found: Redrawn
    weighted: Redrawn | None
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values; a figure that is not defined is None."""
        answer = {
            "runs": [
                {"scorer": run.scorer, "experiment": run.experiment, "rows": run.scores.num_rows}
                for run in self.runs
            ],
            "rows": self.counts,
            "reference": self.reference,
            "redraws": self.found.redraws,
            **told(self.found, self.reference),
            "notes": list(self.notes),
        }
        if self.weighted is not None:
            answer["weighted"] = told(self.weighted, self.reference)
        return answer


def compare(
    home: Home,
    asked: Sequence[str],
    *,
    only_splits: Collection[int] = (),
    redraws: int = REDRAWS,
    seed: int = SEED,
) -> Comparison:
    """Compare runs (run ids, scorer digests or report folders) over the rows all of them tested.

    One run is compared within itself: its scorer with its baselines and rivals. `only_splits`
    (numbers of the first run, from 1): leave out the others. Raises NotFound for an unknown run,
    Refused where one is named twice or no labelled row is common.
    """
    runs = tuple(find_run(home, each) for each in asked)
    if not runs or len({run.scorer[:12] for run in runs}) < len(runs):
        raise Refused(
            wanted="different runs", got=f"{', '.join(asked) or 'none'}", cure="name each run once"
        )
    paired = pair(runs, weekly_places(home.jurisdiction.folder), only_splits)
    weighted = paired.weighted
    found = redraw(paired.splits, redraws=redraws, seed=seed)
    return Comparison(
        runs=runs,
        reference=next(iter(paired.splits[0].rankings)),
        counts={**paired.counts, "subjects": found.subjects},
        found=found,
        weighted=None if weighted is None else redraw(weighted, redraws=redraws, seed=seed),
        notes=paired.notes,
    )


def pair(
    runs: Sequence[Run], places: dict[str, int] | None = None, only_splits: Collection[int] = ()
) -> Paired:
    """The rows of all runs, paired by clue; `places`: what each office can verify in a week.

    A row counts where all runs know its label and it is the same. Raises Refused where none does.
    """
    tables = _common(runs, only_splits)
    labels = np.array([_floats(table["label"]) for table in tables])
    known = ~np.isnan(labels)
    everywhere = known.all(axis=0)
    same = everywhere & (np.nan_to_num(labels, nan=-1.0) == np.nan_to_num(labels[0], nan=-1.0)).all(
        axis=0
    )
    _, split = np.unique(
        np.array([table["split"].to_numpy() for table in tables]), axis=1, return_inverse=True
    )
    split = split.reshape(-1)
    rankings = _rankings(runs, tables)
    notes: list[str] = []
    taken = _taken(tables[0], split, rankings, places, notes)
    parts = [same & (split == at) for at in np.unique(split)]
    if dropped := sum(not part.any() for part in parts):
        notes.append(f"{dropped} splits are left out: no common row of theirs has a label")
    parts = [part for part in parts if part.any()]
    if not parts:
        raise _nothing_common(runs, f"{len(same)} common rows, none with a label known to all")
    splits = tuple(_rows(tables[0], labels[0], rankings, taken, part) for part in parts)
    weighted = None
    if WEIGHT in tables[0].column_names:
        weight = np.nan_to_num(_floats(tables[0][WEIGHT]))
        weighted = tuple(
            replace(rows, weight=weight[part]) for rows, part in zip(splits, parts, strict=True)
        )
    counts = {
        "common": len(same),
        "labelled": int(same.sum()),
        "cases": int(labels[0][same].sum()),
        "splits": len(parts),
        "labels_differ": int((everywhere & ~same).sum()),
        "labelled_in_some": int((known.any(axis=0) & ~everywhere).sum()),
    }
    return Paired(splits, weighted, counts, tuple(notes))


def told(found: Redrawn, reference: str) -> dict[str, Any]:
    """`figures` per ranking, and `differences`: the reference minus each other ranking."""
    figures = {}
    for name, seen in found.seen.items():
        spans = found.intervals(name)
        figures[name] = {
            figure: None
            if np.isnan(value)
            else {"value": value, **dict(zip(("low", "high"), spans.get(figure, ()), strict=False))}
            for figure, value in seen.items()
        }
    differences = {
        name: {
            figure: {**vars(each), "better": better(figure, each.low, each.high)}
            for figure, each in found.differences(reference, name).items()
        }
        for name in found.seen
        if name != reference
    }
    return {"figures": figures, "differences": differences}


def better(figure: str, low: float, high: float) -> str:
    """Which is surely better: `reference` or `other`; `open` where the interval holds 0."""
    if low <= ROUNDING and high >= -ROUNDING:
        return "open"
    return "reference" if (low > 0) != (figure in LOWER_IS_BETTER) else "other"


def _common(runs: Sequence[Run], only_splits: Collection[int]) -> list[pa.Table]:
    """The runs' tables, cut to the clues that all have, in one order."""
    first = runs[0].scores
    ids = np.array(first["clue_id"].to_pylist(), dtype=str)
    if only_splits:
        numbers = np.asarray(first["split"].to_numpy())
        absent = sorted(set(only_splits) - set(numbers.tolist()))
        if absent:
            raise Refused(
                wanted=f"splits 1 to {numbers.max()} of the first run",
                got=", ".join(map(str, absent)),
                cure="leave the others out",
            )
        ids = ids[np.isin(numbers, list(only_splits))]
    for run in runs[1:]:
        ids = np.intersect1d(ids, np.array(run.scores["clue_id"].to_pylist(), dtype=str))
    if not len(ids):
        raise _nothing_common(runs, "none")
    ids = np.sort(ids)
    tables = []
    for run in runs:
        theirs = np.array(run.scores["clue_id"].to_pylist(), dtype=str)
        order = np.argsort(theirs)
        tables.append(run.scores.take(order[np.searchsorted(theirs, ids, sorter=order)]))
    return tables


def _rankings(runs: Sequence[Run], tables: Sequence[pa.Table]) -> dict[str, Ranking]:
    """Every ranking of every run, the first run's scorer first; what two runs share, once."""
    found: dict[str, Ranking] = {}
    before: dict[str, list[Floats]] = {}
    for run, table in zip(runs, tables, strict=True):
        columns = [name for name in table.column_names if name.startswith(SCORE)]
        for column in sorted(columns, key=lambda name: name != SCORE + SCORER):
            name, score = column.removeprefix(SCORE), _floats(table[column])
            known = before.setdefault(name, [])
            if name != SCORER and any(np.array_equal(score, each, True) for each in known):
                continue
            known.append(score)
            probability = _floats(table["probability"]) if name == SCORER else None
            found[name if len(runs) == 1 else f"{run.name}/{name}"] = Ranking(score, probability)
    return found


def _taken(
    clues: pa.Table,
    split: Ints,
    rankings: dict[str, Ranking],
    places: dict[str, int] | None,
    notes: list[str],
) -> dict[str, Floats]:
    """Per ranking each row's chance of a place; empty, with a note, where nobody declared places.

    All rows stand in the queue, labelled or not; one without a score stands last.
    """
    if places is None:
        notes.append("cases found at capacity are not told: no offices are declared")
        return {}
    if note := left_out_note(clues, places):
        notes.append(note)
    queues = queues_of(clues, places)
    if np.isnan(queues.places).all():
        return {}
    found = {}
    for name, ranking in rankings.items():
        score = np.where(np.isnan(ranking.score), -np.inf, ranking.score)
        chance = np.zeros(len(score))
        for at in np.unique(split):
            here = split == at
            chance[here] = chance_of_a_place(score[here], queues.where(here))
        found[name] = chance
    return found


def _rows(
    clues: pa.Table,
    label: Floats,
    rankings: dict[str, Ranking],
    taken: dict[str, Floats],
    part: npt.NDArray[np.bool_],
) -> Rows:
    subjects = zip(clues["subject_id"].to_pylist(), clues["clue_id"].to_pylist(), strict=True)
    subject = np.array([clue if own is None else str(own) for own, clue in subjects], dtype=str)
    return Rows(
        label=label[part],
        subject=subject[part],
        rankings={
            name: Ranking(
                each.score[part], None if each.probability is None else each.probability[part]
            )
            for name, each in rankings.items()
        },
        taken={name: chance[part] for name, chance in taken.items()},
    )


def _floats(column: pa.ChunkedArray) -> Floats:
    return np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)


def _nothing_common(runs: Sequence[Run], got: str) -> Refused:
    tested = ", ".join(f"{run.name} of {run.experiment}: {run.scores.num_rows}" for run in runs)
    return Refused(
        wanted="labelled test rows that all runs have",
        got=f"{got} ({tested})",
        cure="compare runs that tested the same clues",
    )
