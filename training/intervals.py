"""Intervals of figures, and of differences between rankings of the same rows, by the bootstrap.

Subjects are redrawn, not clues: clues of one subject share their fate (cluster bootstrap: Field and
Welsh, "Bootstrapping clustered data", 2007). A redrawn subject counts as often as it was drawn, so
a resample is a row of weights and the rows are sorted once per ranking. Every ranking is judged on
the same resamples, so that differences are paired; a subject that stands in several splits is drawn
alike in each. Intervals are 95 %, by percentiles (Davison and Hinkley, "Bootstrap Methods and Their
Application", 1997).

- Calibration error grows with chance, in the rows seen and once more in a resample. Of a perfectly
  calibrated scorer all error seen is chance, and that of a resample is the square root of 2 times
  as large; so where resamples lean by x, up to x / (sqrt(2) - 1) of what is seen may be chance, and
  the interval (1.96 standard deviations to either side) reaches that much further down. That of a
  difference reaches so far down for one ranking and so far up for the other.
- Where no resample moves (no case lost, all cases found) nothing is certain yet: the interval
  reaches 3 / size away, size being the places of a precision and else the subjects with a case
  (rule of three: Hanley and Lippman-Hand, 1983).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from base.errors import Refused
from training.baselines import Ranking
from training.metrics import CAPACITIES, FIRST, figures_by_weight

Floats = npt.NDArray[np.float64]
Texts = npt.NDArray[np.str_]
REDRAWS, SEED = 1_000, 20_260_101
TAILS, NORMAL_95 = (0.025, 0.975), 1.96
# Resamples at a time: what is held is this many times the rows.
BATCH = 64
# A figure that fewer resamples have tells more of those that lack it.
DEFINED = 0.9
LEANING = frozenset({"ece"})
OF_PROBABILITIES = frozenset({"ece", "log_loss", "brier"})
AT_CAPACITY = "cases_found_at_capacity"


@dataclass(frozen=True)
class Rows:
    """The labelled rows of one split. `label` (0 or 1), `subject` and `weight` are (n,), and so are
    the rankings' scores. `taken` (ranking -> (n,)): the chance that an office takes the row;
    NaN where no declared office has it: such a row is left out of cases found at capacity.
    """

    label: Floats
    subject: Texts
    rankings: Mapping[str, Ranking]
    weight: Floats | None = None
    taken: Mapping[str, Floats] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """One ranking's figure minus another's on the same rows, with its 95 % interval."""

    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Redrawn:
    """Figures as seen and in every resample, each the mean over splits. NaN: undefined.

    `seen`: ranking -> figure -> value; `drawn`: ranking -> figure -> (resamples,). `subjects`: how
    many distinct ones stand behind them; `sizes`: how many places, or subjects with a case, stand
    behind a figure ("" for those not named).
    """

    seen: Mapping[str, Mapping[str, float]]
    drawn: Mapping[str, Mapping[str, Floats]]
    subjects: int
    sizes: Mapping[str, int]

    @property
    def redraws(self) -> int:
        """How many resamples there were."""
        return next((len(each) for told in self.drawn.values() for each in told.values()), 0)

    def intervals(self, ranking: str) -> dict[str, tuple[float, float]]:
        """Figure -> (low, high), for a ranking; figures without an interval are left out."""
        found = {}
        for name, value in self.seen[ranking].items():
            drawn = self.drawn[ranking][name]
            leaning = (self._chance(ranking, name), 0.0) if name in LEANING else None
            span = _interval(value, drawn, leaning)
            if span is None:
                continue
            if span[0] == span[1]:
                span = self._not_certain(value, name)
            found[name] = max(0.0, span[0]), span[1]
        return found

    def by_ranking(self) -> dict[str, dict[str, tuple[float, float]]]:
        """Intervals of every ranking, as reports take them."""
        return {ranking: self.intervals(ranking) for ranking in self.seen}

    def differences(self, one: str, other: str) -> dict[str, Difference]:
        """`one` minus `other`, paired: figure -> difference; what one of them lacks is left out."""
        found = {}
        for name in self.seen[one]:
            if name not in self.seen[other]:
                continue
            value = self.seen[one][name] - self.seen[other][name]
            drawn = self.drawn[one][name] - self.drawn[other][name]
            leaning = (self._chance(one, name), self._chance(other, name))
            span = _interval(value, drawn, leaning if name in LEANING else None)
            if span is not None:
                found[name] = Difference(value, *span)
        return found

    def _chance(self, ranking: str, name: str) -> float:
        return _chance(self.seen[ranking][name], self.drawn[ranking][name])

    def _not_certain(self, value: float, name: str) -> tuple[float, float]:
        if value not in (0.0, 1.0) or name in OF_PROBABILITIES:
            return value, value
        reach = 3 / max(1, self.sizes.get(name, self.sizes[""]))
        return max(0.0, value - reach), min(1.0, value + reach)


def redraw(
    splits: Sequence[Rows],
    *,
    redraws: int = REDRAWS,
    seed: int = SEED,
    capacities: Sequence[str] = CAPACITIES,
) -> Redrawn:
    """Judge every ranking on every resample of the subjects; the same seed gives the same draws.

    `capacities` are per cent of the queue, as in metrics.figures_by_weight. Raises Refused where
    the splits do not have the same rankings, a score is missing, or there is no row at all.
    """
    names = _require_comparable(splits)
    subjects, of = np.unique(np.concatenate([rows.subject for rows in splits]), return_inverse=True)
    places = np.split(of, np.cumsum([len(rows.label) for rows in splits])[:-1])
    draw = np.random.default_rng(seed)
    once = [np.ones((1, len(rows.label))) for rows in splits]
    seen = _mean_over_splits(splits, once, names, capacities)
    batches = []
    for size in _batches(redraws):
        often = _redrawn_subjects(draw, len(subjects), size)
        weights = [often[:, place] for place in places]
        batches.append(_mean_over_splits(splits, weights, names, capacities))
    return Redrawn(
        seen={
            name: {figure: float(value[0]) for figure, value in figures.items()}
            for name, figures in seen.items()
        },
        drawn={
            name: {
                figure: np.concatenate([batch[name][figure] for batch in batches])
                for figure in figures
            }
            for name, figures in seen.items()
        },
        subjects=len(subjects),
        sizes=_sizes(splits),
    )


def _sizes(splits: Sequence[Rows]) -> dict[str, int]:
    rows = [len(each.label) for each in splits]
    with_case = {subject for each in splits for subject in each.subject[each.label == 1].tolist()}
    return {
        "": len(with_case),
        "precision@10%": sum(count // 10 for count in rows),
        f"precision@{FIRST}": FIRST * len(rows),
    }


def _mean_over_splits(
    splits: Sequence[Rows],
    weights: Sequence[Floats],
    names: Sequence[str],
    capacities: Sequence[str],
) -> dict[str, dict[str, Floats]]:
    """ranking -> figure -> (draws,); NaN where any split has none."""
    found = {}
    for name in names:
        parts = [
            _figures(rows, name, weight, capacities)
            for rows, weight in zip(splits, weights, strict=True)
        ]
        shared = [figure for figure in parts[0] if all(figure in part for part in parts)]
        found[name] = {
            figure: np.mean([part[figure] for part in parts], axis=0) for figure in shared
        }
    return found


def _figures(rows: Rows, name: str, often: Floats, capacities: Sequence[str]) -> dict[str, Floats]:
    ranking = rows.rankings[name]
    weights = often if rows.weight is None else often * rows.weight
    figures = figures_by_weight(ranking.score, rows.label, weights, ranking.probability, capacities)
    if name in rows.taken:
        taken = rows.taken[name]
        cases = weights @ (rows.label * ~np.isnan(taken))
        found = weights @ (rows.label * np.nan_to_num(taken))
        nothing = np.full(len(cases), np.nan)
        figures[AT_CAPACITY] = np.divide(found, cases, out=nothing, where=cases > 0)
    return figures


def _redrawn_subjects(draw: np.random.Generator, subjects: int, size: int) -> Floats:
    """How often each subject was drawn: (size, subjects), each row adding up to `subjects`."""
    chosen = draw.integers(0, subjects, (size, subjects))
    chosen += np.arange(size)[:, None] * subjects
    counts = np.bincount(chosen.ravel(), minlength=size * subjects)
    return counts.reshape(size, subjects).astype(np.float64)


def _batches(redraws: int) -> list[int]:
    whole, rest = divmod(redraws, BATCH)
    return [BATCH] * whole + [rest] * (rest > 0)


def _chance(value: float, drawn: Floats) -> float:
    """How much of a figure that only grows by chance may be chance."""
    lean = float(np.nanmean(drawn)) - value if np.isfinite(drawn).any() else 0.0
    return max(0.0, lean / (np.sqrt(2) - 1))


def _interval(
    value: float, drawn: Floats, chance: tuple[float, float] | None = None
) -> tuple[float, float] | None:
    """Percentiles of the resamples that have the figure, and the figure itself, which rounding to
    whole places may push aside; None where too few have it. `chance`: of a leaning figure, how
    far the truth may lie below and above what was seen, besides the spread of the resamples."""
    there = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not len(there) or len(there) < DEFINED * len(drawn):
        return None
    if chance is not None:
        reach = NORMAL_95 * float(there.std())
        below, above = chance if reach > 0 else (0.0, 0.0)
        return value - below - reach, value + above + reach
    low, high = (float(end) for end in np.quantile(there, TAILS))
    return min(low, value), max(high, value)


def _require_comparable(splits: Sequence[Rows]) -> list[str]:
    """The rankings that all splits have."""
    if not sum(len(rows.label) for rows in splits):
        raise Refused(wanted="labelled test rows", got="none", cure="admit outcomes, or test later")
    names = list(splits[0].rankings)
    for rows in splits:
        if set(rows.rankings) != set(names):
            raise Refused(
                wanted=f"the rankings {', '.join(names)} in every split",
                got=", ".join(rows.rankings),
                cure="compare rankings that all splits have",
            )
        for name, ranking in rows.rankings.items():
            missing = int((~np.isfinite(ranking.score)).sum()) + abs(
                len(ranking.score) - len(rows.label)
            )
            if missing:
                raise Refused(
                    wanted="a score for every labelled row",
                    got=f"{missing} missing",
                    cure="leave out the rows it has not scored",
                    where=name,
                )
    return names
