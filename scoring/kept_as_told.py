"""Whether scores and events of clues still say what the audit says they did, and clues stand where
their events leave them: its deep part (P-12).

The chain proves the audit; here the rows that it tells of are read again and compared with the
digests in it. Events of the platform's own (a clue was scored) are told of by the scores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

import orjson
import sqlalchemy as sa

from scoring.ledger.events import digest_of_event, digest_of_events
from scoring.ledger.scores import digest_of_batch, digest_of_score
from scoring.ledger.tables import audit, clue_events, clue_states, scores_given

CLUES_AT_ONCE = 5_000
# State, version, office.
Standing = tuple[str, int, str | None]
# Registered and no more; scored or ordered before the ledger kept events.
WITHOUT_EVENTS = frozenset({("raised", 0), ("scored", 1), ("dispatched", 1)})
_newest = (
    sa.select(sa.func.max(clue_events.c.version))
    .where(clue_events.c.clue_id == clue_states.c.clue_id)
    .correlate(clue_states)
    .scalar_subquery()
)
STANDING = (
    sa.select(
        clue_states.c.clue_id,
        clue_states.c.state,
        clue_states.c.version,
        clue_states.c.open,
        clue_states.c.office_id,
        clue_events.c.to_state,
        clue_events.c.version.label("event_version"),
        clue_events.c.office_id.label("event_office"),
        clue_events.c.facts,
    )
    .outerjoin(
        clue_events,
        sa.and_(clue_events.c.clue_id == clue_states.c.clue_id, clue_events.c.version == _newest),
    )
    .where(clue_states.c.clue_id > sa.bindparam("after"))
    .order_by(clue_states.c.clue_id)
    .limit(CLUES_AT_ONCE)
)
NOWHERE = (
    sa.select(sa.func.min(clue_events.c.clue_id))
    .outerjoin(clue_states, clue_states.c.clue_id == clue_events.c.clue_id)
    .where(clue_states.c.clue_id.is_(None), clue_events.c.version.is_not(None))
)


class NotAsTold(Exception):
    """Row `seq` of the audit tells of something that is not what is kept (None: no row names it).

    `clue`: the one that stands elsewhere than its events say.
    """

    def __init__(self, seq: int | None, reason: str, clue: str | None = None) -> None:
        super().__init__(reason)
        self.seq, self.reason, self.clue = seq, reason, clue


def check_scores(connection: sa.Connection) -> int:
    """Every batch of scores that the audit tells of is there, whole and unchanged; how many."""
    known, checked = set(), 0
    for seq, _, _, _, body in _told(connection, "scores"):
        query = sa.select(scores_given).where(scores_given.c.batch == body["batch"])
        digests = [digest_of_score(dict(row)) for row in connection.execute(query).mappings()]
        if digest_of_batch(digests) != body["digest"]:
            raise NotAsTold(seq, f"its {body['scores']} scores are not those that were kept")
        known.add(body["batch"])
        checked += 1
    strays = connection.execute(sa.select(scores_given.c.batch).distinct()).scalars()
    if set(strays) - known - {""}:
        raise NotAsTold(checked, "scores are kept that no row tells of")
    return checked


def check_events(connection: sa.Connection) -> int:
    """Every event of a person and every outcome is told of, and is what was told; how many."""
    moved: dict[str, int] = {}
    told: dict[tuple[str, str], list[tuple[int, str, dict[str, Any]]]] = {}
    for seq, at, who, about, body in _told(connection, "transition", "outcomes"):
        if "event" in body:
            moved[body["event"]] = seq
        elif "events" in body:
            told.setdefault((at, who), []).append((seq, about, body))
    found: Counter[str] = Counter()
    kept: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in _events(connection):
        digest = digest_of_event(row)
        if digest in moved:
            found[digest] += 1
        elif row["source"] == "person" or (
            row["source"] == "platform" and row["to_state"] != "scored"
        ):
            raise NotAsTold(_about(moved, connection, row), "an event is not what was told")
        elif row["source"] == "outcome":
            key = (row["kept_at"].isoformat(), row["by"])
            kept.setdefault(key, []).append((row["clue_id"], digest))
    lost = [seq for digest, seq in moved.items() if found[digest] != 1]
    if lost:
        raise NotAsTold(min(lost), "its event is not there, or is there twice")
    checked = sum(found.values()) + sum(map(len, kept.values()))
    _check_outcomes(told, kept)
    return checked


def check_states(connection: sa.Connection, open_states: Collection[str] = ()) -> int:
    """Every clue stands where its events leave it: state, version, office; how many do.

    With `open_states`, whether it counts as open is checked too. Part after part of the table, by
    its key, so that memory stays bounded. Events of clues that stand nowhere are found as well.
    """
    after, checked = "", 0
    while rows := connection.execute(STANDING, {"after": after}).fetchall():
        for row in rows:
            stands = (row.state, row.version, row.office_id)
            wanted = _left_by_events(row)
            if stands != wanted or (open_states and row.open != (row.state in open_states)):
                raise _elsewhere(connection, row.clue_id, _told_standing(stands, wanted))
        after, checked = rows[-1].clue_id, checked + len(rows)
    lost = connection.execute(NOWHERE).scalar()
    if lost is not None:
        raise _elsewhere(connection, lost, "stands nowhere, though events moved it")
    return checked


def _left_by_events(row: Any) -> Standing:
    """State, version and office after the newest event that moved the clue."""
    if row.to_state is None:
        stands = (row.state, row.version)
        return (*(stands if stands in WITHOUT_EVENTS else ("raised", 0)), row.office_id)
    office = row.event_office
    if row.to_state == "dispatched":
        office = (row.facts or {}).get("office_id", office)
    return row.to_state, row.event_version, office


def _told_standing(stands: Standing, wanted: Standing) -> str:
    if stands == wanted:
        return f"is {stands[0]}, and is not kept as open or ended as that is"
    told = "{} (version {}) at {}"
    return f"stands as {told.format(*stands)}, its events leave it {told.format(*wanted)}"


def _elsewhere(connection: sa.Connection, clue: str, reason: str) -> NotAsTold:
    """With the row of the audit that told of the clue last, if one names it."""
    query = sa.select(sa.func.max(audit.c.seq)).where(audit.c.about == clue)
    return NotAsTold(connection.execute(query).scalar(), f"clue {clue} {reason}", clue)


def _check_outcomes(
    told: dict[tuple[str, str], list[tuple[int, str, dict[str, Any]]]],
    kept: dict[tuple[str, str], list[tuple[str, str]]],
) -> None:
    """Outcomes kept at one moment by one caller are those that a row tells of."""
    for key, rows in told.items():
        events = kept.pop(key, [])
        named = Counter(about for _, about, _ in rows)
        for seq, about, body in rows:
            own = [digest for clue, digest in events if about in ("", clue)]
            # Where several rows of one moment may tell of an event, their sum alone is known.
            alone = len(rows) == 1 or (about != "" and named[about] == 1 and not named[""])
            if alone and digest_of_events(own) != body["digest"]:
                raise NotAsTold(seq, f"its {body['events']} outcomes are not those that were kept")
        if sum(body["events"] for _, _, body in rows) != len(events):
            raise NotAsTold(rows[0][0], "outcomes are kept that no row tells of, or are lost")
    if kept:
        raise NotAsTold(1, "outcomes are kept that no row tells of")


def _about(moved: dict[str, int], connection: sa.Connection, row: dict[str, Any]) -> int:
    """The row that told of the event as it was: that of the same clue and version."""
    wanted = [
        seq
        for seq, _, _, about, body in _told(connection, "transition")
        if about == row["clue_id"] and body.get("version") == row["version"]
    ]
    return min(wanted, default=min(moved.values(), default=1))


def _told(
    connection: sa.Connection, *kinds: str
) -> Iterator[tuple[int, str, str, str, dict[str, Any]]]:
    columns = (audit.c.seq, audit.c.at, audit.c.who, audit.c.about, audit.c.body)
    query = sa.select(*columns).where(audit.c.kind.in_(kinds)).order_by(audit.c.seq)
    for seq, at, who, about, body in connection.execute(query).fetchall():
        yield seq, at, who, about, orjson.loads(body)


def _events(connection: sa.Connection) -> Iterator[dict[str, Any]]:
    for row in connection.execute(sa.select(clue_events)).mappings():
        yield dict(row)
