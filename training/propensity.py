"""Who was looked at was chosen: the chance of it, and figures that allow for it.

Only clues that somebody pursued have labels. Offices pursue what looks serious, so labelled clues
hold more cases than all clues do. Each labelled clue therefore counts by one over the chance it
had of being pursued (Horvitz and Thompson, 1952), divided by the sum of these (Hajek, 1971).

The chance is known where it was noted when the clue was drawn. Elsewhere it is estimated from what
the office saw, each clue by a model that was fitted on other subjects (cross-fitting: Chernozhukov
et al., 2018). The estimate allows for what was seen and written down, for nothing else: an office
that follows a ranking of its own, which nobody kept, stays a bias (docs/decisions).

Intervals are 95 %, by influence functions summed per subject. They take the chances as given,
which for estimated ones errs on the wide side (Lunceford and Davidian, 2004).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from base.errors import Refused
from training.metrics import calibration_error

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]
SEEN = ("supervision_model", "office_id", "severity", "function")
FOLDS, PARTS = 5, 10
LEAST_SEEN = 5
# Chosen on simulated worlds of 1,500 to 12,000 clues in 104 offices: log loss out of fold.
RIDGE = 0.3
CERTAIN = 0.999


@dataclass(frozen=True)
class Chances:
    """`value` (n,): chance of having been pursued, in (0, 1]. `noted` (n,): known, not estimated.

    `auc` and `ece`: how well the estimated ones foretell who was pursued, out of fold; None where
    nothing was estimated or all were pursued. An AUC near 1 warns: some clues had no chance.
    """

    value: Floats
    noted: Bools
    auc: float | None
    ece: float | None


def chance_over_drawings(drawings: Iterable[tuple[str, float]]) -> dict[str, float]:
    """clue_id -> chance of being chosen at least once, from (clue_id, chance) of each drawing.

    A clue that stands in several queues may be drawn in any of them; the chance of the drawing
    that took it is too small. Every drawing counts in which it was a candidate and still open.
    """
    missed: dict[str, float] = {}
    for clue, chance in drawings:
        if not 0 <= chance <= 1:
            raise Refused(
                wanted="chances between 0 and 1",
                got=repr(chance),
                cure="mend the order",
                where=clue,
            )
        missed[clue] = missed.get(clue, 1.0) * (1 - chance)
    return {clue: 1 - miss for clue, miss in missed.items()}


def pursuit_chances(
    clues: pa.Table,
    labelled: Bools,
    standing: Bools,
    *,
    kind: Literal["estimated", "known"],
    noted: Mapping[str, float],
    seed: int,
    also: pa.Table | None = None,
) -> Chances:
    """Chance of each clue of having been pursued; `labelled` and `standing` (n,) as in Labels.

    `kind` and `noted` (clue_id -> chance): `known` takes what was noted and estimates the rest.
    `also`: further columns the office saw, parallel to `clues` (the queue's margin, an amount).
    Clues that do not stand (unripe, withdrawn, merged) teach no chance, and get one.
    Raises Refused where no standing clue has a label.
    """
    if not (labelled & standing).any():
        raise Refused(
            wanted="ripe clues that somebody pursued",
            got=f"none among {len(labelled)} clues",
            cure="admit outcomes, or leave selection out",
            where="selection",
        )
    told = [noted.get(clue) if kind == "known" else None for clue in clues["clue_id"].to_pylist()]
    is_noted = np.array([each is not None for each in told], bool)
    value = np.ones(len(labelled))
    if not is_noted.all():
        seen = seen_by_offices(clues, also)
        value = _estimated(seen, _texts(clues["subject_id"]), labelled, standing, seed)
    judged = standing & ~is_noted
    both = 0 < labelled[judged].sum() < judged.sum()
    auc = float(roc_auc_score(labelled[judged], value[judged])) if both else None
    ece = calibration_error(value[judged], labelled[judged].astype(np.float64)) if both else None
    value[is_noted] = [each for each in told if each is not None]
    return Chances(value, is_noted, auc, ece)


def seen_by_offices(clues: pa.Table, also: pa.Table | None = None) -> Texts:
    """What offices saw, as categories (n, columns): SEEN, the half-year, the model in it, and
    `also` (numbers in tenths of equal size, missing as a value of its own)."""
    given = [_texts(clues[name]) for name in SEEN if name in clues.column_names]
    moments = clues["raised_at"].to_pylist()
    half = np.array([f"{m.year}/{(m.month - 1) // 6}" for m in moments], dtype=str)
    given += [half, np.char.add(np.char.add(given[0], " "), half)]
    for name in also.column_names if also is not None else ():
        assert also is not None
        column = also[name]
        plain = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        given.append(_tenths(column) if plain else _texts(column))
    return np.column_stack(given)


def _texts(column: pa.ChunkedArray) -> Texts:
    return np.array(["" if each is None else str(each) for each in column.to_pylist()], dtype=str)


def _tenths(column: pa.ChunkedArray) -> Texts:
    numbers = np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)
    there = numbers[~np.isnan(numbers)]
    edges = np.unique(np.quantile(there, np.arange(1, PARTS) / PARTS)) if len(there) else there
    place = np.searchsorted(edges, numbers, side="right").astype(str)
    return np.where(np.isnan(numbers), "", place).astype(str)


def _estimated(seen: Texts, subject: Texts, pursued: Bools, standing: Bools, seed: int) -> Floats:
    """Logistic regression over categories, out of fold by subject; clues that do not stand get
    the mean of all folds' models."""
    subjects, of = np.unique(subject, return_inverse=True)
    fold = np.random.default_rng(seed).permutation(len(subjects))[of] % FOLDS
    value = np.zeros(len(pursued))
    share = float(pursued[standing].mean())
    for at in range(FOLDS):
        learn, out = standing & (fold != at), fold == at
        if not 0 < pursued[learn].sum() < learn.sum():
            value[out & standing] = share
            value[~standing] += share / FOLDS
            continue
        model = _office_model().fit(seen[learn], pursued[learn])
        chance = model.predict_proba(seen)[:, 1]
        value[out & standing] = chance[out & standing]
        value[~standing] += chance[~standing] / FOLDS
    return np.maximum(value, 1 - CERTAIN)


def _office_model() -> Pipeline:
    rare = OneHotEncoder(min_frequency=LEAST_SEEN, handle_unknown="infrequent_if_exist")
    return make_pipeline(rare, LogisticRegression(C=RIDGE, max_iter=500))


@dataclass(frozen=True)
class SelectionWeights:
    """`value` (n,): 0 where there is no label, mean 1 over the labelled. `floored`: labelled clues
    whose chance lay below the floor. `effective`: how many clues drawn by lot they are worth."""

    value: Floats
    floored: int
    effective: float


def selection_weights(chance: Floats, labelled: Bools, floor: float) -> SelectionWeights:
    """One over the chance, which counts as at least `floor`; scaled so that their mean is 1."""
    value = np.where(labelled, 1 / np.maximum(chance, floor), 0.0)
    value = scaled(value, labelled)
    floored = int((labelled & (chance < floor)).sum())
    return SelectionWeights(value, floored, effective_sample_size(value))


def scaled(weight: Floats, labelled: Bools) -> Floats:
    """Weights (n,) with mean 1 over the labelled and 0 elsewhere, so that a tree's leaf sizes and
    penalties keep their meaning. Products of weights go through here too."""
    total = weight[labelled].sum()
    return np.where(labelled, weight * (labelled.sum() / total if total else 0.0), 0.0)


def effective_sample_size(weight: Floats) -> float:
    """(sum w)^2 / sum w^2 (Kish, Survey Sampling, 1965); 0 where all weights are 0."""
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares else 0.0


@dataclass(frozen=True)
class Estimate:
    """A weighted figure with its 95 % interval."""

    value: float
    low: float
    high: float


def weighted_ratio(
    above: Floats, below: Floats, weight: Floats, subject: Texts | None = None, most: float = 1.0
) -> Estimate | None:
    """sum(weight * above) / sum(weight * below), all (n,); None where the lower sum is 0.

    Shares, precision, recall and mean losses are all of this form (Hajek's ratio). No interval
    goes below 0 or above `most`.
    """
    total = float((weight * below).sum())
    if total <= 0:
        return None
    value = float((weight * above).sum()) / total
    influence = weight * (above - value * below) / total
    return _estimate(value, influence, subject, effective_sample_size(weight * below), most)


def weighted_auc(
    score: Floats, label: Floats, weight: Floats, subject: Texts | None = None
) -> Estimate | None:
    """Chance that a case outranks another clue, ties counting half, rows (n,) counting `weight`.

    None where one class has no weight. The influence of a row is how far its own share of pairs
    won lies from the mean (DeLong, DeLong and Clarke-Pearson, 1988, with weights).
    """
    case, other = weight * (label == 1), weight * (label == 0)
    if case.sum() <= 0 or other.sum() <= 0:
        return None
    _, place = np.unique(score, return_inverse=True)
    below_other, below_case = _mass_below(place, other), _mass_below(place, case)
    value = float((case * below_other).sum() / case.sum())
    influence = case * (below_other - value) / case.sum()
    influence += other * (1 - below_case - value) / other.sum()
    size = min(effective_sample_size(case), effective_sample_size(other))
    return _estimate(value, influence, subject, size, 1.0)


def _mass_below(place: npt.NDArray[np.int64], weight: Floats) -> Floats:
    """Per row, the share of all weight on lower scores, and half of that on its own."""
    mass = np.bincount(place, weights=weight)
    return ((np.cumsum(mass) - mass / 2) / mass.sum())[place]


def _estimate(
    value: float, influence: Floats, subject: Texts | None, size: float, most: float
) -> Estimate:
    """An interval from influences that add up to 0; rows of one subject move together.

    Where nothing moves (no case at all, all cases on top) it reaches 3 / `size` away, the rule of
    three (Hanley and Lippman-Hand, 1983): no case among 50 does not make 0 certain.
    """
    if subject is not None:
        _, of = np.unique(subject, return_inverse=True)
        influence = np.asarray(np.bincount(of, weights=influence), np.float64)
    moved = int((np.abs(influence) > 1e-15).sum())
    wider = moved / (moved - 1) if moved > 1 else 1.0
    half = 1.96 * float(np.sqrt((influence**2).sum() * wider)) if moved else 3 / size
    return Estimate(value, max(0.0, value - half), min(most, value + half))


def in_top(score: Floats, k: int) -> Floats:
    """(n,): chance of each row to be among the first `k`, ties in random order."""
    k = min(max(k, 0), len(score))
    if k == 0:
        return np.zeros(len(score))
    edge = np.sort(score)[len(score) - k]
    above, tied = score > edge, score == edge
    return above + tied * ((k - above.sum()) / tied.sum())


@dataclass(frozen=True)
class SelectedFigures:
    """Figures over all ranked clues, of which only some have labels.

    `figures`: the names of `metrics.evaluate_scores`, and base_rate, log_loss, brier; None where
    undefined. `intervals`: name -> (low, high) of those that have one. `labelled`: clues with a
    label, in all and among the first. `effective`: Kish's size of the labelled.
    """

    figures: dict[str, Any]
    intervals: dict[str, tuple[float, float]]
    labelled: dict[str, int]
    effective: float


def figures_for_all(
    score: Floats,
    label: Floats,
    weight: Floats,
    *,
    probability: Floats | None = None,
    subject: Texts | None = None,
    capacities: tuple[int, ...] = (10, 20, 30),
) -> SelectedFigures:
    """Figures of one ranking; `score`, `label` (NaN: unknown), `weight`, `probability` (n,).

    Places are counted over all clues, as an office's are; the labelled ones stand for the rest.
    With weights of 1 these are the naive figures: as if those looked at had been drawn by lot.
    """
    known = ~np.isnan(label)
    n, y, w = len(label), label[known], weight[known]
    of = subject[known] if subject is not None else None
    one = np.ones(len(y))
    tops = {"10%": n // 10, **({"100": 100} if n >= 100 else {})}
    first = {name: in_top(score, k)[known] for name, k in tops.items()}
    found: dict[str, Estimate | None] = {
        "base_rate": weighted_ratio(y, one, w, of),
        "auc": weighted_auc(score[known], y, w, of),
        "tail_recall_loss": weighted_ratio(y * (1 - in_top(score, (n + 1) // 2)[known]), y, w, of),
    }
    for name in ("10%", "100"):
        top = first.get(name)
        found[f"precision@{name}"] = None if top is None else weighted_ratio(y * top, top, w, of)
        found[f"recall@{name}"] = None if top is None else weighted_ratio(y * top, y, w, of)
    for part in capacities:
        top = in_top(score, round(n * part / 100))[known]
        found[f"cases_found/{part}"] = weighted_ratio(y * top, y, w, of)
    if probability is not None:
        p = np.clip(probability[known], 1e-6, 1 - 1e-6)
        loss = -(y * np.log(p) + (1 - y) * np.log(1 - p))
        found["log_loss"] = weighted_ratio(loss, one, w, of, most=float("inf"))
        found["brier"] = weighted_ratio((p - y) ** 2, one, w, of)
    return SelectedFigures(
        figures=_nested(found)
        | {
            "average_precision": _weighted_average_precision(score[known], y, w),
            "ece": None if probability is None else weighted_ece(probability[known], y, w),
        },
        intervals={name: (e.low, e.high) for name, e in found.items() if e is not None},
        labelled={"all": len(y), **{f"@{name}": round(top.sum()) for name, top in first.items()}},
        effective=effective_sample_size(w),
    )


def _nested(found: Mapping[str, Estimate | None]) -> dict[str, Any]:
    plain: dict[str, Any] = {"cases_found": {}}
    for name, estimate in found.items():
        value = None if estimate is None else estimate.value
        place = plain["cases_found"] if name.startswith("cases_found/") else plain
        place[name.removeprefix("cases_found/")] = value
    return plain


def _weighted_average_precision(score: Floats, label: Floats, weight: Floats) -> float | None:
    """Sum over thresholds of (recall step) x precision, rows counting `weight`, ties together."""
    if not (weight * label).sum() > 0:
        return None
    return float(average_precision_score(label, score, sample_weight=weight))


def weighted_ece(probability: Floats, label: Floats, weight: Floats) -> float | None:
    """Expected calibration error over ten bins of (nearly) equal weight; None without weight."""
    total = weight.sum()
    if total <= 0:
        return None
    order = np.argsort(probability, kind="stable")
    place = np.minimum((np.cumsum(weight[order]) - weight[order] / 2) / total * PARTS, PARTS - 1)
    gap = np.bincount(place.astype(np.int64), (weight * (probability - label))[order])
    return float(np.abs(gap).sum() / total)
