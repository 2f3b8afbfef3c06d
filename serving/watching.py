"""What is watched over the caller's clues beside calibration: ripening outcomes, feedback, and the
alarms that declared bounds make of all of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import sqlalchemy as sa

from base.moment import add_months
from clues.register import read_clues
from governance.reading import Records
from scoring.drift import Drift
from scoring.feedback import Flag, flags
from scoring.ledger import clue_states, orders, scores_given
from scoring.ripening import Pursued, told_ripening
from scoring.watch_rules import Alarms, WatchRules
from serving.principal import Principal
from serving.service import Service

# Looked back: months of clues; months from whose first day estimates are checked.
MONTHS, CHECKED = 36, 6
NAMED = 3  # features that an alarm names


# Below these nobody can tell chance from fault: ended clues, and cases expected of them.
ENDED_AT_LEAST, EXPECTED_AT_LEAST = 30, 5.0


def too_few(ended: int, expected: float) -> bool:
    """Whether so few ended clues, of which so many cases were expected, say nothing of the
    probabilities yet."""
    return ended < ENDED_AT_LEAST or expected < EXPECTED_AT_LEAST


def visible(who: Principal) -> sa.ColumnElement[bool]:
    """Scores of clues at work in the caller's offices."""
    work = scores_given.c.purpose == "work"
    if who.offices is None:
        return work
    return work & scores_given.c.office_id.in_(sorted(who.offices))


def newest_scores(service: Service, who: Principal) -> dict[str, Any]:
    """clue_id -> its newest score for work (clue_id, office_id, probability), of visible clues."""
    newest_id = sa.select(sa.func.max(scores_given.c.score_id)).where(visible(who))
    newest_id = newest_id.group_by(scores_given.c.clue_id)
    query = sa.select(
        scores_given.c.clue_id, scores_given.c.office_id, scores_given.c.probability
    ).where(scores_given.c.score_id.in_(newest_id))
    with service.ledger.connect() as connection:
        return {row["clue_id"]: row for row in connection.execute(query).mappings()}


def pursued(
    service: Service, who: Principal, scores: dict[str, Any], now: datetime
) -> list[Pursued]:
    """Clues of the last years that were given to an office and stand at one of the caller's, from
    their order on; where there is no such order, every scored clue from its raising on. The last
    word decides, the first is timed."""
    began = _ordered(service, who)
    if not began:
        rows = read_clues(service.home, scores).select(["clue_id", "raised_at"]).to_pylist()
        began = {row["clue_id"]: row["raised_at"] for row in rows}
    since, words = add_months(now, -MONTHS), _words(service, now)
    told = []
    for clue, start in sorted(began.items()):
        if start >= since:
            became, known_at = words.get(clue, (None, None))
            score = scores.get(clue)
            told.append(Pursued(start, score and score["probability"], became, known_at))
    return told


def _ordered(service: Service, who: Principal) -> dict[str, datetime]:
    """Clue -> when it was ordered, of those that stand at the caller's offices now."""
    office = sa.func.coalesce(clue_states.c.office_id, orders.c.office_id)
    query = sa.select(orders.c.clue_id, orders.c.ordered_at).outerjoin(
        clue_states, clue_states.c.clue_id == orders.c.clue_id
    )
    if who.offices is not None:
        query = query.where(office.in_(sorted(who.offices)))
    with service.ledger.connect() as connection:
        return {row.clue_id: row.ordered_at for row in connection.execute(query)}


def _words(service: Service, now: datetime) -> dict[str, tuple[float, datetime]]:
    """Clue -> whether its last deciding word makes it a case, and when the first was reported."""
    if "outcomes" not in service.home.jurisdiction.contracts:
        return {}
    query = """
        SELECT clue_id, arg_max(became_case, (known_at, decided_at, record_no)), min(known_at)
        FROM outcomes WHERE became_case IS NOT NULL AND known_at < $now GROUP BY clue_id"""
    with Records(service.home, only=("outcomes",)) as records:
        rows = records.connection().execute(query, {"now": now}).fetchall()
    return {clue: (float(became), known_at) for clue, became, known_at in rows}


def _newest_report(service: Service, who: Principal, now: datetime) -> datetime | None:
    """When the last word of any kind was reported, on whatever clue stands at the caller's offices:
    ordered or not, its first word or a later one."""
    if "outcomes" not in service.home.jurisdiction.contracts:
        return None
    query = "SELECT clue_id, max(known_at) FROM outcomes WHERE known_at < $now GROUP BY clue_id"
    with Records(service.home, only=("outcomes",)) as records:
        rows = records.connection().execute(query, {"now": now}).fetchall()
    if who.offices is not None:
        own = sa.select(clue_states.c.clue_id).where(
            clue_states.c.office_id.in_(sorted(who.offices))
        )
        with service.ledger.connect() as connection:
            seen = set(connection.execute(own).scalars())
        rows = [row for row in rows if row[0] in seen]
    return max((known_at for _, known_at in rows), default=None)


def ripening(service: Service, who: Principal, scores: dict[str, Any]) -> dict[str, Any]:
    """Cases by month of pursuit, estimated before labels ripen, and how good earlier estimates
    were. `as_of`: the day after the newest report, or now if that
    is earlier (None: there was no report); `silent_days`: since that report. A feed
    that stopped is told as that, and not as cases that did not come."""
    now = service.clock.now()
    clues = pursued(service, who, scores, now)
    newest = _newest_report(service, who, now)
    if newest is None:
        return {"as_of": None, "silent_days": None, **told_ripening(clues, now, first_days)}
    as_of = min(now, newest + timedelta(days=1))
    told = told_ripening(clues, as_of, first_days)
    # A demo's data ended on its day: that nothing came since is no silence.
    until = min(now, max(newest, service.home.data_until or now))
    return {"as_of": as_of.isoformat(), "silent_days": (until - newest).days, **told}


def period(newest: datetime, months: int = 12) -> datetime:
    """From when on months are counted: the first day of the earliest of `months` months, of which
    the newest clue's is the last. The same for every page that tells of a year."""
    return add_months(datetime(newest.year, newest.month, 1), 1 - months)


def first_days(now: datetime) -> list[datetime]:
    """The first of this month and of those before it."""
    first = datetime(now.year, now.month, 1)
    return [add_months(first, -back) for back in range(CHECKED)]


def feedback(service: Service, who: Principal, rules: WatchRules) -> list[dict[str, Any]]:
    """Flags on endings of visible clues, each with whether it is held out of training."""
    found: Iterable[Flag] = flags(service.ledger, rules.feedback, service.clock.now(), who.offices)
    held = rules.feedback.hold_out
    return [{**flag.as_json(), "held_out": flag.kind in held} for flag in found]


def alarms(told: dict[str, Any], bounds: Alarms) -> list[dict[str, Any]]:
    """What of a monitoring's answer is beyond a bound: which, where, what it is, the bound."""
    found = _moved(told["drift"]["features"], bounds)
    scores = told["scores"]
    if scores["psi"] is not None and _drift(scores).beyond(bounds.score_psi):
        found.append(_alarm("score_drift", "all", scores["psi"], bounds.score_psi))
    groups = [("all", told["all"])]
    groups += [(line["group"], line) for line in told["by_supervision_model"]]
    for name, line in groups:
        error = line["calibration_error"]
        if line["with_outcome"] >= bounds.outcomes_at_least and error > bounds.calibration_error:
            found.append(_alarm("calibration", name, error, bounds.calibration_error))
    for line in told["ripening"]["by_month"]:
        if line["chance"] is not None and line["chance"] < bounds.chance:
            way = "fewer" if line["estimated"] < line["expected"] else "more"
            found.append(_alarm(f"{way}_cases", line["month"], line["chance"], bounds.chance))
    silent = told["ripening"]["silent_days"]
    if silent is not None and silent > bounds.silent_days:
        found.append(_alarm("outcomes_silent", "all", silent, bounds.silent_days))
    return found + [
        _alarm("feedback", flag["principal"], flag["kind"], None) for flag in told["feedback"]
    ]


def _moved(features: list[dict[str, Any]], bounds: Alarms) -> list[dict[str, Any]]:
    """One alarm for all features that moved, the furthest first: they tend to move together."""
    moved = [
        line
        for line in features
        if _drift(line).beyond(bounds.feature_psi)
        and not any(fnmatchcase(line["feature"], left) for left in bounds.features_left_out)
    ]
    if not moved:
        return []
    more = f" and {len(moved) - NAMED} more" if len(moved) > NAMED else ""
    at = ", ".join(line["feature"] for line in moved[:NAMED]) + more
    return [_alarm("feature_drift", at, moved[0]["psi"], bounds.feature_psi)]


def _drift(line: dict[str, Any]) -> Drift:
    return Drift(line["psi"], line["usual"])


def _alarm(alarm: str, at: str, got: Any, bound: float | None) -> dict[str, Any]:
    return {"alarm": alarm, "at": at, "got": got, "bound": bound}
