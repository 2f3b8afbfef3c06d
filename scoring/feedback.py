"""Feedback that looks careless or hostile: endings in bulk, one author for all, against all chance.

A flag names a principal's id and says why; it accuses nobody and drops nothing. Whether flagged
endings teach is a declared rule (`hold_out`), and what was held out is told.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from scipy import stats

from scoring.ledger import clue_events, clue_states
from scoring.watch_rules import AgainstChance, Bulk, Feedback, FlagKind, OneAuthor

CASE = "case_filed"
ENDINGS = (CASE, "unfounded", "transferred")
HANDLING = ("accepted", "verifying", "supplement", *ENDINGS)
# How many endings of all others the base rate of one supervision model is shrunk by.
STRENGTH = 20.0
# As many endings tell of a supervision model that nobody else has ended a clue of.
DOUBT = 2.0
OPINIONS = 3


@dataclass(frozen=True)
class Ending:
    """Who ended which clue how. `person`: not a machine that reports for others."""

    clue_id: str
    by: str
    office_id: str | None
    supervision_model: str | None
    became_case: bool
    person: bool
    at: datetime


@dataclass(frozen=True)
class Flag:
    """What looks odd about one principal's endings. `expected`: cases by the base rates of others
    (against_chance only); `chance`: how often that happens by chance, over all who were judged."""

    kind: FlagKind
    principal: str
    office_id: str | None
    endings: int
    cases: int
    since: datetime
    until: datetime
    clue_ids: frozenset[str]
    expected: float | None = None
    chance: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values, without the clues."""
        told = {name: value for name, value in vars(self).items() if name != "clue_ids"}
        times = {"since": self.since.isoformat(), "until": self.until.isoformat()}
        return {**told, **times}


def flags(
    ledger: sa.Engine, rules: Feedback, now: datetime, offices: Collection[str] | None = None
) -> list[Flag]:
    """Every flag on endings of the last days, of clues that stand at some offices (None: all)."""
    since = now - timedelta(days=rules.days)
    with ledger.connect() as connection:
        endings = read_endings(connection, since, now, offices)
        hands = _hands(connection, since, now, offices)
    by_person = [each for each in endings if each.person]
    found = [
        *bulk(by_person, rules.bulk),
        *one_author(by_person, hands, rules.one_author),
        *against_chance(endings, rules.against_chance),
    ]
    return sorted(found, key=lambda flag: (flag.kind, flag.principal, flag.office_id or ""))


def held_out(ledger: sa.Engine, rules: Feedback) -> dict[str, str]:
    """Clue -> the principal whose ending of it does not teach, by the declared rule; days are
    counted back from the newest ending, so that a training is the same whenever it is run."""
    newest = sa.select(sa.func.max(clue_events.c.kept_at)).where(
        clue_events.c.to_state.in_(ENDINGS)
    )
    with ledger.connect() as connection:
        until = connection.execute(newest).scalar()
    if not rules.hold_out or until is None:
        return {}
    return {
        clue: flag.principal
        for flag in flags(ledger, rules, until + timedelta(microseconds=1))
        if flag.kind in rules.hold_out
        for clue in sorted(flag.clue_ids)
    }


def read_endings(
    connection: sa.Connection,
    since: datetime,
    now: datetime,
    offices: Collection[str] | None,
) -> list[Ending]:
    """The last ending that each principal gave each clue, in the order of time."""
    e, s = clue_events.c, clue_states.c
    query = (
        sa.select(
            e.clue_id, e.by, s.office_id, s.supervision_model, e.to_state, e.source, e.kept_at
        )
        .join(clue_states, s.clue_id == e.clue_id)
        .where(e.to_state.in_(ENDINGS), e.kept_at >= since, e.kept_at < now)
        .order_by(e.kept_at, e.event_id)
    )
    if offices is not None:
        query = query.where(s.office_id.in_(sorted(offices)))
    last: dict[tuple[str, str], Ending] = {}
    for clue, by, office, model, to, source, at in connection.execute(query):
        last.pop((by, clue), None)
        last[by, clue] = Ending(clue, by, office, model, to == CASE, source == "person", at)
    return list(last.values())


def _hands(
    connection: sa.Connection, since: datetime, now: datetime, offices: Collection[str] | None
) -> dict[str | None, set[str]]:
    """Office -> persons who handled clues that stand there."""
    e, s = clue_events.c, clue_states.c
    query = (
        sa.select(s.office_id, e.by)
        .join(clue_states, s.clue_id == e.clue_id)
        .where(e.source == "person", e.to_state.in_(HANDLING))
        .where(e.kept_at >= since, e.kept_at < now)
        .distinct()
    )
    if offices is not None:
        query = query.where(s.office_id.in_(sorted(offices)))
    found: dict[str | None, set[str]] = defaultdict(set)
    for office, by in connection.execute(query):
        found[office].add(by)
    return found


def bulk(endings: Iterable[Ending], rules: Bulk) -> list[Flag]:
    """Principals with `rules.endings` endings, or more, within `rules.seconds`; all such runs of a
    principal are one flag."""
    found = []
    for principal, own in _grouped(endings, lambda each: each.by).items():
        chosen: set[int] = set()
        first = 0
        for at, each in enumerate(own):
            while (each.at - own[first].at).total_seconds() > rules.seconds:
                first += 1
            if at - first + 1 >= rules.endings:
                chosen.update(range(first, at + 1))
        if chosen:
            found.append(_flag("bulk", principal, None, [own[at] for at in sorted(chosen)]))
    return found


def one_author(
    endings: Iterable[Ending], hands: dict[str | None, set[str]], rules: OneAuthor
) -> list[Flag]:
    """Offices where one person writes (nearly) every ending though two or more handle clues."""
    found = []
    for office, own in _grouped(endings, lambda each: each.office_id or "").items():
        ((principal, count),) = Counter(each.by for each in own).most_common(1)
        enough = len(own) >= rules.endings and count >= rules.share * len(own)
        if enough and len(hands.get(office or None, ())) > 1:
            mine = [each for each in own if each.by == principal]
            found.append(_flag("one_author", principal, office or None, mine))
    return found


def against_chance(endings: Sequence[Ending], rules: AgainstChance) -> list[Flag]:
    """Authors whose cases the base rates of others do not explain.

    The chance is a two-sided tail of the beta-binomial whose mean is the mean base rate: a binomial
    bound (Hoeffding 1956: tails of unequal rates are inside it), widened by what so few endings of
    others leave unknown, times the number of authors judged. The unlikeliest author is flagged
    first and then no longer counts among the others, or he would make honest ones look odd. Of
    two alone nobody can tell which one is odd: there must be two others.
    """
    by_author = _grouped(endings, lambda each: each.by)
    judged = {who: _Tally.of(own) for who, own in by_author.items() if len(own) >= rules.endings}
    pool, authors, found = _Tally.of(endings), len(judged), list[Flag]()
    while judged and len(by_author) - len(found) >= OPINIONS:
        told = {who: _judge(own, pool, rules, authors) for who, own in judged.items()}
        who = min(told, key=lambda each: (told[each][1], each))
        expected, chance = told[who]
        if chance >= rules.chance:
            break
        pool = pool.without(judged.pop(who))
        flag = _flag("against_chance", who, None, by_author[who])
        found.append(replace(flag, expected=round(expected, 3), chance=chance))
    return found


@dataclass(frozen=True)
class _Tally:
    """Endings and cases by supervision model."""

    endings: Counter[str | None]
    cases: Counter[str | None]

    @classmethod
    def of(cls, endings: Iterable[Ending]) -> _Tally:
        count, cases = Counter[str | None](), Counter[str | None]()
        for each in endings:
            count[each.supervision_model] += 1
            cases[each.supervision_model] += each.became_case
        return cls(count, cases)

    def without(self, other: _Tally) -> _Tally:
        return _Tally(self.endings - other.endings, self.cases - other.cases)


def _judge(own: _Tally, pool: _Tally, rules: AgainstChance, authors: int) -> tuple[float, float]:
    """Expected cases of an author by what the others of the pool find on the same supervision
    models (shrunk towards what they find on all), and the chance of so far from it."""
    others = pool.without(own)
    known, number = others.endings.total(), own.endings.total()
    if known < rules.endings:
        return 0.0, 1.0
    overall = others.cases.total() / known
    expected = sum(
        count * (others.cases[model] + STRENGTH * overall) / (others.endings[model] + STRENGTH)
        for model, count in own.endings.items()
    )
    # From how many endings the mean rate is known: errors of models are independent of each other.
    doubt = sum((n / number) ** 2 / (others.endings[m] + DOUBT) for m, n in own.endings.items())
    chance = tail(own.cases.total(), number, expected / number, 1 / doubt)
    return expected, min(1.0, chance * authors)


def tail(cases: int, endings: int, rate: float, known: float) -> float:
    """How often so few, or so many, cases come of `endings` at a base rate that is known from
    `known` endings; two-sided."""
    a, b = rate * known, (1 - rate) * known
    if a <= 0 or b <= 0:  # never, or always: half a clue of doubt
        a, b = max(a, 0.5), max(b, 0.5)
    spread = stats.betabinom(endings, a, b)
    return float(min(1.0, 2 * min(spread.cdf(cases), spread.sf(cases - 1))))


def _grouped(endings: Iterable[Ending], key: Any) -> dict[str, list[Ending]]:
    found: dict[str, list[Ending]] = defaultdict(list)
    for each in endings:
        found[key(each)].append(each)
    return found


def _flag(kind: FlagKind, principal: str, office: str | None, own: Sequence[Ending]) -> Flag:
    return Flag(
        kind,
        principal,
        office,
        len(own),
        sum(each.became_case for each in own),
        own[0].at,
        own[-1].at,
        frozenset(each.clue_id for each in own),
    )
