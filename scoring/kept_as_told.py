"""Whether scores and events of clues still say what the audit says they did: its deep part (P-12).

The chain proves the audit; here the rows that it tells of are read again and compared with the
digests in it. Events of the platform's own (a clue was scored) are told of by the scores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson
import sqlalchemy as sa

from scoring.ledger.events import digest_of_event, digest_of_events
from scoring.ledger.scores import digest_of_batch, digest_of_score
from scoring.ledger.tables import audit, clue_events, scores_given


class NotAsTold(Exception):
    """Row `seq` of the audit tells of something that is not what is kept."""

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(reason)
        self.seq, self.reason = seq, reason


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
        elif row["source"] == "person":
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
