"""The audit, verified: the chain row by row, its end, the checkpoints kept outside, and (deep) that
scores and events still say what the audit says they did and clues stand where events left them
(P-12).

A chain alone shows neither that its end was cut off nor that all of it was written anew. So its
end is signed now and then and the line kept outside the database (scoring/checkpoint.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from base.moment import Clock
from scoring.checkpoint import Checkpoint
from scoring.kept_as_told import NotAsTold, check_events, check_scores, check_states
from scoring.ledger.chain import COLUMNS, GENESIS, Entry, append, digest_of
from scoring.ledger.opening import writing
from scoring.ledger.tables import audit, audit_head

ROWS_AT_ONCE = 5_000


@dataclass(frozen=True)
class Verdict:
    """`first_bad`: the number of the first row that is not as it was told (None: none). `clue`: one
    that stands elsewhere than its events say; `first_bad` is then the last row about it, if any."""

    ok: bool
    rows: int
    first_bad: int | None = None
    reason: str | None = None
    checkpoints: int = 0
    batches: int | None = None
    events: int | None = None
    states: int | None = None
    clue: str | None = None

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


def verify(
    ledger: sa.Engine,
    checkpoints: Sequence[Checkpoint] = (),
    *,
    deep: bool = False,
    open_states: Collection[str] = (),
) -> Verdict:
    """Check the chain from its first row, in bounded memory, as it stands at one moment.

    `checkpoints` are those whose signatures were checked (`read_checkpoints`). `deep` also reads
    every kept score and every event of a clue again and compares them with the digests in the
    audit, and where each clue stands with its events; `open_states`: those in which it is open.
    """
    marks = sorted(checkpoints, key=lambda mark: mark.seq)
    count = 0
    batches = events = states = 0 if deep else None
    with ledger.connect() as connection:
        if ledger.dialect.name != "sqlite":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        try:
            for row in _walk(connection, marks):
                count = row
            if deep:
                batches = check_scores(connection)
                events = check_events(connection)
                states = check_states(connection, open_states)
        except NotAsTold as bad:
            found = (bad.seq, bad.reason, len(marks), batches, events, states, bad.clue)
            return Verdict(False, count, *found)
    return Verdict(True, count, None, None, len(marks), batches, events, states)


def note_read(ledger: sa.Engine, *, who: str, about: str, what: str, clock: Clock) -> None:
    """Tell that somebody with a privilege read something; ids only."""
    with writing(ledger) as connection:
        append(connection, [Entry("read", who, about, {"what": what}, clock.now())])


def tell_promotion(
    ledger: sa.Engine, scorer: str, *, change: str, by: str, approved_by: str, clock: Clock
) -> None:
    """Tell of a change of the champion, before it is made: none is ever made untold.

    `by` and `approved_by` are names of accounts: who stands for it is what has to be proved.
    """
    body = {"change": change, "approved_by": approved_by}
    with writing(ledger) as connection:
        append(connection, [Entry("promotion", by, scorer, body, clock.now())])


def entries_after(ledger: sa.Engine, after: int, limit: int) -> list[dict[str, Any]]:
    """Rows of the audit after a number, in order, as they are kept; `body` as JSON."""
    query = sa.select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(limit)
    with ledger.connect() as connection:
        found = [dict(row) for row in connection.execute(query).mappings()]
    return [{**row, "body": orjson.loads(row["body"])} for row in found]


def _walk(connection: sa.Connection, marks: Sequence[Checkpoint]) -> Iterator[int]:
    """Yields the number of each good row; raises NotAsTold at the first that is not."""
    head_seq, head_digest = _head(connection)
    previous, seq, good_mark = GENESIS, 0, 0
    waiting = list(reversed(marks))
    for row in _rows(connection):
        seq = _check_row(row, seq, previous, head_seq)
        previous = row[7]
        while waiting and waiting[-1].seq == seq:
            mark = waiting.pop()
            if mark.digest != previous and (seq, mark.digest) == (head_seq, head_digest):
                raise NotAsTold(
                    seq, "changed: the ledger ended with another row, as the checkpoint"
                )
            if mark.digest != previous:
                raise NotAsTold(
                    good_mark + 1,
                    f"rewritten: rows {good_mark + 1} to {seq} are not those of the checkpoint",
                )
            good_mark = seq
        yield seq
    if waiting:
        raise NotAsTold(seq + 1, f"cut off: a checkpoint tells of row {waiting[-1].seq}")
    if seq < head_seq:
        raise NotAsTold(seq + 1, f"cut off: the ledger had come to row {head_seq}")
    if head_digest != previous:
        raise NotAsTold(max(seq, 1), "the last row is not the one the ledger ended with")


def _check_row(row: Sequence[Any], before: int, previous: str, head_seq: int) -> int:
    """`row` in the order of the table's columns; `before`, `previous`: number and digest before."""
    seq, expected = row[0], before + 1
    if seq > expected:
        raise NotAsTold(expected, "a row is missing")
    if seq < expected:
        raise NotAsTold(seq, "a row before the first")
    if seq > head_seq:
        raise NotAsTold(seq, "a row after the end that the ledger came to")
    if digest_of(*row[:7]) != row[7]:
        if digest_of(before, *row[1:7]) == row[7]:
            raise NotAsTold(before, "a row was put in before the next one")
        raise NotAsTold(seq, "changed: it is not what its digest covers")
    if row[6] != previous:
        if before:
            raise NotAsTold(before, "changed: the next row was chained to another")
        raise NotAsTold(seq, "it does not begin the chain")
    return int(seq)


def _head(connection: sa.Connection) -> tuple[int, str]:
    found = connection.execute(sa.select(audit_head.c.seq, audit_head.c.digest)).all()
    if len(found) != 1:
        raise NotAsTold(1, "the ledger has lost where its audit ends")
    return found[0][0], found[0][1]


def _rows(connection: sa.Connection) -> Iterator[Sequence[Any]]:
    """Rows by number, a part of the table at a time (a seek by its key, no cursor held)."""
    after = -(2**62)
    listed = ", ".join(COLUMNS)
    query = sa.text(
        f"SELECT {listed} FROM audit WHERE seq > :after ORDER BY seq LIMIT {ROWS_AT_ONCE}"
    )
    while found := connection.execute(query, {"after": after}).fetchall():
        yield from found
        after = found[-1][0]
