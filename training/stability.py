"""How alike two scorers order the same clues: the share of the top they agree on, and ranks.

A queue breaks ties, so both orders break theirs the same way, by the order of the rows: a scorer
therefore always agrees with itself, whatever ties it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from base.errors import Refused
from scoring.matrix import to_matrix
from training.evaluate import Judged
from training.fit import margins

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
TOP_SHARES = (0.1, 0.2, 0.3)


@dataclass(frozen=True)
class TopOverlap:
    """The first `share` of a queue by two orders: `rows` in it, of which `shared` are in both.

    `only_one` and `only_other`: known cases that only this order has in its top, None where no
    labels were given.
    """

    share: float
    rows: int
    shared: int
    only_one: int | None = None
    only_other: int | None = None

    @property
    def overlap(self) -> float | None:
        """Share of the top in both, 0 to 1; None where the top is empty."""
        return self.shared / self.rows if self.rows else None


@dataclass(frozen=True)
class ScorerStep:
    """From one split's scorer to the next one's, on the `rows` test clues of the later split.

    In `overlaps`, `one` is the later scorer. `correlation`: see rank_correlation.
    """

    earlier: int
    later: int
    rows: int
    overlaps: tuple[TopOverlap, ...]
    correlation: float | None


def consecutive_scorers(judged: Sequence[Judged]) -> tuple[ScorerStep, ...]:
    """How much the queue would change when each split's scorer takes over, in order of the tests.

    Neither scorer has learned from the later test, so that both are judged alike. Splits are
    numbered from 1 as they are given. Empty for one split.
    """
    steps = []
    ordered = sorted(enumerate(judged, 1), key=lambda pair: pair[1].split.test_from)
    for (earlier, before), (later, after) in pairwise(ordered):
        matrix = to_matrix(before.features, after.test_rows)
        theirs = margins(before.fitted.booster, matrix)
        ours = np.asarray(after.scores["score_scorer"].to_numpy(), np.float64)
        label = np.asarray(after.scores["label"].to_numpy(), np.float64)
        steps.append(
            ScorerStep(
                earlier=earlier,
                later=later,
                rows=len(ours),
                overlaps=overlap_of_top(ours, theirs, label=label),
                correlation=rank_correlation(ours, theirs),
            )
        )
    return tuple(steps)


def top_rows(score: Floats, share: float) -> Bools:
    """Which rows stand in the first `share` of the queue; `score` (n,), highest first."""
    order = np.argsort(-score, kind="stable")
    chosen = np.zeros(len(score), bool)
    chosen[order[: round(len(score) * share)]] = True
    return chosen


def overlap_of_top(
    one: Floats,
    other: Floats,
    shares: Sequence[float] = TOP_SHARES,
    label: Floats | None = None,
) -> tuple[TopOverlap, ...]:
    """What two orders of the same rows agree on; `one`, `other`, `label` (1, 0, NaN) are (n,).

    Raises Refused where the orders are of different rows, or a score is missing.
    """
    _require_comparable(one, other)
    found = []
    for share in shares:
        ours, theirs = top_rows(one, share), top_rows(other, share)
        case = None if label is None else label == 1
        found.append(
            TopOverlap(
                share=share,
                rows=int(ours.sum()),
                shared=int((ours & theirs).sum()),
                only_one=None if case is None else int((ours & ~theirs & case).sum()),
                only_other=None if case is None else int((theirs & ~ours & case).sum()),
            )
        )
    return tuple(found)


def rank_correlation(one: Floats, other: Floats) -> float | None:
    """Spearman's rank correlation, tied rows at their mean rank; None where an order is one tie.

    Raises Refused where the orders are of different rows, or a score is missing.
    """
    _require_comparable(one, other)
    ranks = [rankdata(score) for score in (one, other)]
    if len(one) < 2 or any(np.ptp(rank) == 0 for rank in ranks):
        return None
    return float(np.clip(np.corrcoef(*ranks)[0, 1], -1.0, 1.0))


def _require_comparable(one: Floats, other: Floats) -> None:
    if len(one) != len(other):
        raise Refused(
            wanted="two scores of the same rows",
            got=f"{len(one)} and {len(other)} rows",
            cure="score both on one table",
        )
    missing = int(np.isnan(one).sum() + np.isnan(other).sum())
    if missing:
        raise Refused(
            wanted="a score for every row",
            got=f"{missing} missing",
            cure="leave out the rows that one of them has not scored",
        )
