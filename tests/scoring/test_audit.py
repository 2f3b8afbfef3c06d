"""P-12: whatever is done to the audit up to the last outside checkpoint is found, and where."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from ledgers import Ticking

from base.errors import NotFound, Refused
from scoring.audit import entries_after, note_read, verify
from scoring.checkpoint import Checkpoint, make_checkpoint, read_checkpoints
from scoring.ledger import GivenScore, ScoreWriter, record_scores, writing
from scoring.ledger.chain import GENESIS, Entry, append, digest_of
from scoring.ledger.tables import audit, audit_head, scores_given

ROWS = 20
DAY = datetime(2026, 1, 5, 9)
NAMES = ("seq", "at", "kind", "who", "about", "body", "previous")


def score(clue: str, margin: float = 0.5) -> GivenScore:
    return GivenScore(
        clue, "A", DAY, "d" * 64, "f" * 64, {"payments": 3}, margin, 0.6, -2.0,
        [1.5, None, "民事"], np.array([0.25, -0.1]), ["missing:x"], DAY,
    )  # fmt: skip


@pytest.fixture
def ledger(either_ledger: sa.Engine) -> sa.Engine:
    """Twenty rows, in transactions of one and of several."""
    for number in range(0, ROWS, 4):
        with writing(either_ledger) as connection:
            append(
                connection,
                [
                    Entry("read", "key1", f"clue{number + more}", {"what": "history"}, DAY)
                    for more in range(4)
                ],
            )
    return either_ledger


def rows(ledger: sa.Engine) -> list[dict[str, Any]]:
    with ledger.connect() as connection:
        found = connection.execute(sa.select(audit).order_by(audit.c.seq)).mappings()
        return [dict(row) for row in found]


def put(ledger: sa.Engine, changed: list[dict[str, Any]], head: bool = False) -> None:
    """Replace the whole table, as somebody who can write SQL would."""
    with ledger.begin() as connection:
        connection.execute(sa.delete(audit))
        if changed:
            connection.execute(sa.insert(audit), changed)
        if head:
            end = changed[-1] if changed else {"seq": 0, "digest": GENESIS}
            connection.execute(sa.update(audit_head).values(seq=end["seq"], digest=end["digest"]))


def rechained(changed: list[dict[str, Any]], start: int = 0) -> list[dict[str, Any]]:
    """Numbers, links and digests made right from a place on."""
    told, previous = [], GENESIS
    for at, row in enumerate(changed):
        made = dict(row)
        if at >= start:
            made |= {"seq": at + 1, "previous": previous}
            made["digest"] = digest_of(*(made[name] for name in NAMES))
        previous = made["digest"]
        told.append(made)
    return told


def edited(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "body": row["body"].replace("history", "nothing")}


def self_consistent(row: dict[str, Any]) -> dict[str, Any]:
    made = edited(row)
    return {**made, "digest": digest_of(*(made[name] for name in NAMES))}


def renumbered(changed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "seq": at} for at, row in enumerate(changed, 1)]


def inserted(changed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row in the eighth place, rightly linked to the seventh, the others moved on."""
    new = {**edited(changed[6]), "seq": 8, "previous": changed[6]["digest"]}
    new["digest"] = digest_of(*(new[name] for name in NAMES))
    return renumbered([*changed[:7], new, *changed[7:]])


Tamper = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
# kind -> what is done to the rows, whether the end is mended too, the first bad row.
TAMPERING: dict[str, tuple[Tamper, bool, int]] = {
    "a body edited": (lambda r: [*r[:7], edited(r[7]), *r[8:]], False, 8),
    "edited with its digest": (lambda r: [*r[:7], self_consistent(r[7]), *r[8:]], False, 8),
    "who edited in the first": (lambda r: [{**r[0], "who": "key2"}, *r[1:]], False, 1),
    "the last edited with its digest": (lambda r: [*r[:-1], self_consistent(r[-1])], False, 20),
    "deleted": (lambda r: [*r[:7], *r[8:]], False, 8),
    "deleted and renumbered": (lambda r: renumbered([*r[:7], *r[8:]]), True, 8),
    "inserted": (inserted, True, 8),
    "put after the end": (lambda r: rechained([*r, edited(r[-1])], ROWS), False, 21),
    "two in the other order": (
        lambda r: renumbered([*r[:7], r[8], r[7], *r[9:]]),
        False,
        8,
    ),
    "cut off": (lambda r: r[:15], False, 16),
    "cut off with its end": (lambda r: r[:15], True, 16),
    "all gone": (lambda r: [], True, 1),
    "rewritten from the middle": (
        lambda r: rechained([*r[:13], edited(r[13]), *r[14:]], 13),
        True,
        11,
    ),
    "rewritten whole": (lambda r: rechained([edited(each) for each in r]), True, 1),
}
ONLY_BY_CHECKPOINT = {
    "cut off with its end", "all gone", "rewritten from the middle", "rewritten whole",
}  # fmt: skip


@pytest.mark.parametrize("kind", TAMPERING)
def test_tampering_is_found_and_the_first_bad_row_named(
    ledger: sa.Engine, kind: str, tmp_path: Path
) -> None:
    """Checkpoints at rows 10 and 20; where only they can tell, the chain alone says all is well."""
    tamper, mend_end, first_bad = TAMPERING[kind]
    whole = rows(ledger)
    marks = [Checkpoint(seq, whole[seq - 1]["digest"], "2026-01-05", "") for seq in (10, ROWS)]
    assert verify(ledger, marks).as_json() == {
        "ok": True, "rows": ROWS, "first_bad": None, "reason": None, "checkpoints": 2,
        "batches": None, "events": None, "states": None, "clue": None,
    }  # fmt: skip
    put(ledger, tamper(whole), head=mend_end)
    found = verify(ledger, marks)
    assert (found.ok, found.first_bad) == (False, first_bad), found
    assert verify(ledger).ok == (kind in ONLY_BY_CHECKPOINT)


def test_checkpoints_are_signed_and_a_forged_one_is_named(
    ledger: sa.Engine, tmp_path: Path
) -> None:
    """A changed line, a line of another key, a file or key that is not there."""
    keys, file = tmp_path / "keys", tmp_path / "outside" / "checkpoints.jsonl"
    first = make_checkpoint(ledger, keys, file, Ticking())
    note_read(ledger, who="k", about="clue1", what="evidence", clock=Ticking())
    second = make_checkpoint(ledger, keys, file, Ticking())
    assert (first.seq, second.seq) == (ROWS, ROWS + 1)
    assert read_checkpoints(file, keys / "audit.pub") == [first, second]
    assert verify(ledger, [first, second]).ok
    assert (keys / "audit.key").stat().st_mode & 0o077 == 0
    other = tmp_path / "other"
    make_checkpoint(ledger, other, file, Ticking())
    lines = file.read_text("utf-8").splitlines()
    file.write_text("\n".join([lines[0], lines[1].replace(":21", ":20"), *lines[2:]]), "utf-8")
    with pytest.raises(Refused) as told:
        read_checkpoints(file, keys / "audit.pub")
    assert [fault.where for fault in told.value.faults] == [
        "checkpoints.jsonl: line 2", "checkpoints.jsonl: line 3",
    ]  # fmt: skip
    with pytest.raises(NotFound):
        read_checkpoints(tmp_path / "none", keys / "audit.pub")
    with pytest.raises(Refused):
        read_checkpoints(file, file)


def test_writers_at_once_make_one_chain(either_ledger: sa.Engine) -> None:
    """Eight threads, single rows and several; no row is lost and none forks the chain."""

    def tell(name: int) -> None:
        for number in range(12):
            with writing(either_ledger) as connection:
                entry = Entry("read", f"key{name}", f"clue{number}", {"what": "x"}, DAY)
                append(connection, [entry] * (1 + number % 3))

    threads = [threading.Thread(target=tell, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    verdict = verify(either_ledger)
    assert (verdict.ok, verdict.rows) == (True, 8 * 4 * (1 + 2 + 3))


def test_what_is_undone_is_not_told(either_ledger: sa.Engine) -> None:
    """The row goes with the transaction of what it tells."""
    with writing(either_ledger) as connection:
        append(connection, [Entry("read", "k", "c", {}, DAY)])
        connection.get_transaction().rollback()  # type: ignore[union-attr]
    assert verify(either_ledger).rows == 0
    assert entries_after(either_ledger, 0, 10) == []


@pytest.mark.parametrize(
    "change",
    [
        {"margin": 0.75},
        {"office_id": "B"},
        {"contributions": np.array([0.25, -0.2]).tobytes()},
        {"feature_values": [1.5, None, "刑事"]},
        {"batch": "0" * 32},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_score_that_was_changed_is_found_deep(
    either_ledger: sa.Engine, change: dict[str, Any]
) -> None:
    """The audit holds the digest over scores kept together: each value of each score counts."""
    record_scores(either_ledger, [score("a"), score("b", 0.1 + 0.2)])
    record_scores(either_ledger, [score("c")])
    assert verify(either_ledger, deep=True).batches == 2
    with either_ledger.begin() as connection:
        connection.execute(
            sa.update(scores_given).where(scores_given.c.clue_id == "b").values(change)
        )
    found = verify(either_ledger, deep=True)
    assert (found.ok, found.first_bad) == (False, 1)
    assert verify(either_ledger).ok


def test_many_callers_share_commits_and_each_score_is_kept_once(
    either_ledger: sa.Engine,
) -> None:
    """Sixteen threads through one writer; what a caller was told is kept, is there."""
    writer = ScoreWriter(lambda: either_ledger, by="key1")

    def ask(name: int) -> None:
        for number in range(5):
            assert writer.keep([score(f"{name}-{number}-{more}") for more in range(2)]) == 2

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    writer.close()
    with either_ledger.connect() as connection:
        clues = connection.execute(sa.select(scores_given.c.clue_id)).scalars().all()
    assert sorted(clues) == sorted(
        f"{a}-{b}-{c}" for a in range(16) for b in range(5) for c in (0, 1)
    )
    verdict = verify(either_ledger, deep=True)
    assert verdict.ok
    assert verdict.rows == verdict.batches == writer.commits < 80
    assert writer.kept == 160


def test_one_that_cannot_be_kept_takes_no_other_with_it(either_ledger: sa.Engine) -> None:
    """The bad one's caller is told; the good ones are kept."""
    writer = ScoreWriter(lambda: either_ledger)
    bad = replace(score("bad"), scorer=None)  # type: ignore[arg-type]
    told = [writer.hand_over([each]) for each in (score("a"), bad, score("b"))]
    assert told[0].result(30) == told[2].result(30) == 1
    with pytest.raises(sa.exc.IntegrityError):
        told[1].result(30)
    writer.close()
    assert verify(either_ledger, deep=True).ok
