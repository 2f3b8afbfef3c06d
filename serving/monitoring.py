"""Monitoring: is what is scored still what was learned from, and do the probabilities hold?

Everything is counted over the clues of the caller's offices and no others: the offices are put into
the query, not taken out of its answer. Outcomes are those known now. Clues without one yet are told
by what their probabilities expect (the share of cases, and the AUC such probabilities would have if
they are right), so that a fall is seen before labels ripen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from clues.register import read_clues
from governance.reading import Records, known_before
from scoring.watch_rules import load_watch_rules
from serving.drift import drift, raised_rows, score_drift
from serving.principal import Principal
from serving.service import Service
from serving.watching import alarms, feedback, newest_scores, period, ripening

Floats = npt.NDArray[np.float64]
BANDS = 10


@dataclass(frozen=True)
class Followed:
    """A clue with its newest score and what became of it (None: not known yet)."""

    month: str
    supervision_model: str
    office_id: str
    probability: float
    became_case: float | None


def monitor(service: Service, who: Principal, months: int, *, anew: bool = False) -> dict[str, Any]:
    """Drift, calibration and outcomes of the last `months` months of clues that `who` may see.

    `anew`: clues are looked at again as of their raising, also those that were before.
    """
    scorer, rules = service.champion(), load_watch_rules(service.home.jurisdiction.folder)
    scores = newest_scores(service, who)
    newest, followed = _followed(service, scores, months)
    since = period(newest or service.clock.now(), months)
    rows = raised_rows(service, who, since, anew=anew)
    told: dict[str, Any] = {
        "scorer": scorer.digest,
        "months": months,
        "since": None if newest is None else since.isoformat(),
        "until": None if newest is None else newest.isoformat(),
        "clues": len(followed),
        "drift": drift(service, scorer, rows),
        "scores": score_drift(service, scorer, rows),
        "all": summary(followed),
        "by_month": _grouped(followed, lambda each: each.month),
        "by_supervision_model": _grouped(followed, lambda each: each.supervision_model),
        "by_office": _grouped(followed, lambda each: each.office_id),
        "ripening": ripening(service, who, scores),
        "feedback": feedback(service, who, rules),
    }
    return {**told, "alarms": alarms(told, rules.alarms)}


def summary(followed: Sequence[Followed]) -> dict[str, Any]:
    """Counts, calibration over what is known, expectation over what is not."""
    probability = np.array([each.probability for each in followed], np.float64)
    label = np.array(
        [np.nan if each.became_case is None else each.became_case for each in followed]
    )
    known = ~np.isnan(label)
    open_ = probability[~known]
    return {
        "clues": len(followed),
        "with_outcome": int(known.sum()),
        "cases": int(label[known].sum()),
        "observed_share": _mean(label[known]),
        "predicted_share": _mean(probability[known]),
        "calibration_error": calibration_error(probability[known], label[known]),
        "without_outcome": len(open_),
        "expected_cases": round(float(open_.sum()), 3),
        "expected_auc": expected_auc(open_),
    }


def calibration_error(probability: Floats, label: Floats) -> float | None:
    """Mean distance of predicted and observed share over tenths by probability, (n,) each."""
    if len(label) == 0:
        return None
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, min(BANDS, len(order))) if len(part)]
    gaps = [len(part) * abs(probability[part].mean() - label[part].mean()) for part in parts]
    return round(float(sum(gaps) / len(label)), 6)


def expected_auc(probability: Floats) -> float | None:
    """The AUC that these probabilities would have if every one of them were right, (n,).

    Each clue counts as a case with weight p and as none with weight 1 - p (confidence-based
    estimation of performance); ties count half.
    """
    cases, others = probability.sum(), (1 - probability).sum()
    if len(probability) < 2 or cases <= 0 or others <= 0:
        return None
    values, inverse = np.unique(probability, return_inverse=True)
    case = np.bincount(inverse, weights=probability)
    other = np.bincount(inverse, weights=1 - probability)
    below = np.cumsum(other) - other
    assert len(values) == len(case)
    return round(float((case * (below + other / 2)).sum() / (cases * others)), 6)


def _grouped(followed: list[Followed], key: Callable[[Followed], str]) -> list[dict[str, Any]]:
    groups: dict[str, list[Followed]] = defaultdict(list)
    for each in followed:
        groups[key(each)].append(each)
    return [{"group": name, **summary(groups[name])} for name in sorted(groups)]


def _mean(values: Floats) -> float | None:
    return round(float(values.mean()), 6) if len(values) else None


def _followed(
    service: Service, scores: dict[str, Any], months: int
) -> tuple[datetime | None, list[Followed]]:
    """The newest score of each visible clue raised in the last months, with its outcome."""
    clues = read_clues(service.home, scores).select(["clue_id", "supervision_model", "raised_at"])
    rows = clues.to_pylist()
    if not rows:
        return None, []
    # The year of a demo is that of its data, whatever clue was brought in to try it out.
    newest: datetime = service.data_until or max(row["raised_at"] for row in rows)
    since = period(newest, months)
    became = _outcomes(service)
    return newest, [
        Followed(
            month=f"{row['raised_at']:%Y-%m}",
            supervision_model=row["supervision_model"],
            office_id=scores[row["clue_id"]]["office_id"] or "-",
            probability=scores[row["clue_id"]]["probability"],
            became_case=became.get(row["clue_id"]),
        )
        for row in rows
        if row["raised_at"] >= since
    ]


def _outcomes(service: Service) -> dict[str, float]:
    """Clue id -> 1 (became a case) or 0, as known now. Empty where no outcomes are declared."""
    if "outcomes" not in service.home.jurisdiction.contracts:
        return {}
    query = (
        "SELECT clue_id, became_case FROM outcomes WHERE became_case IS NOT NULL AND "
        + known_before("$now")
        + " ORDER BY decided_at, record_no"
    )
    with Records(service.home, only=("outcomes",)) as records:
        rows = records.connection().execute(query, {"now": service.clock.now()}).fetchall()
    return {clue_id: float(became) for clue_id, became in rows}
