"""Both sides compared: the case system's export beside the ledger, clue by clue.

    export (file or address) -> theirs -> difference.py <- ours <- clue_states, clue_events, outbox

Nothing is changed unless it is asked for: then their words are admitted as outcomes, and ours are
told again. What only persons can settle is named and left.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import sqlalchemy as sa

from base.errors import Fault, NotReady, Refused
from base.moment import Clock, parse_moment
from clues.register import read_clues
from dispatch.endings import as_told
from dispatch.exchange.destinations import RESTATED, require_safe_address
from dispatch.exchange.difference import Difference, Side, difference
from dispatch.exchange.outbox import UNSETTLED, Message, post_to, subscribed, told_state
from dispatch.life_cycle import WORDS
from dispatch.outcome import admit_outcomes, require_outcomes, settle_source, told_receipt
from dispatch.standing import chunks, standing
from governance.home import Home
from governance.source import READABLE, from_table, read_whole
from scoring.ledger import clue_events, clue_states, open_ledger, outbox, writing

EXPORT_BYTES, SECONDS = 256_000_000, 60.0


def reconcile(
    home: Home, export: str, clock: Clock, *, take: bool = False, by: str = ""
) -> dict[str, Any]:
    """Compare, and (with `take`) set right what can be set right without a person.

    `export`: a file, or an address (https, or http on 127.0.0.1), of clue_id, state and, of those
    that ended, decided_at and reported_at. Raises Refused for one that cannot be read, and where
    `take` is asked for by nobody.
    """
    if take and not by.strip():
        raise Refused(wanted="who takes", got="nobody", cure="give --by NAME")
    ledger = open_ledger(home.ledger_url)
    theirs, doubled = read_export(home, export)
    with ledger.connect() as connection:
        found = compare(connection, theirs, by_day=_by_day(home), left_out=doubled)
    told = {
        "compared": len(theirs),
        "ok": not found and not doubled,
        "by_kind": dict(sorted(Counter(each.kind for each in found).items())),
        "doubled_there": doubled,
        "differences": [each.as_json() for each in found],
        "taken": None,
    }
    if take:
        told["taken"] = take_all(home, ledger, found, clock, by=by)
    return told


def read_export(home: Home, export: str) -> tuple[dict[str, Side], list[str]]:
    """clue_id -> where it stands there, and clues that the export tells of twice, differently.

    Raises Refused with every row that has no clue, no state or a date that is none.
    """
    fetched = export.startswith(("http://", "https://"))
    path = _place_for(export, home.scratch) if fetched else Path(export)
    try:
        if fetched:
            _fetch(export, path)
        source = read_whole(path)
    finally:
        if fetched:
            path.unlink(missing_ok=True)
    missing = sorted({"clue_id", "state"} - set(source.rows.column_names))
    faults = [Fault(f"the column {name}", "none", "ask for it") for name in missing]
    faults += [
        Fault(each["wanted"], each["got"], each["cure"], f"row {each['row']}")
        for each in source.spoilt.to_pylist()
    ]
    if faults:
        raise Refused.gather(faults[:100])
    theirs: dict[str, Side] = {}
    doubled: set[str] = set()
    for row in source.rows.to_pylist():
        try:
            side = _side(row, home.jurisdiction.timezone)
        except (Refused, TypeError):
            faults.append(
                Fault("a clue, a state and dates", "another", "mend it", f"row {row['source_row']}")
            )
            continue
        clue_id = str(row["clue_id"]).strip()
        if theirs.setdefault(clue_id, side) != side:
            doubled.add(clue_id)
    if faults:
        raise Refused.gather(faults[:100])
    return {clue: side for clue, side in theirs.items() if clue not in doubled}, sorted(doubled)


def _side(row: Mapping[str, Any], timezone: str) -> Side:
    if not row["clue_id"] or not row["state"]:
        raise TypeError
    decided, reported = (_moment(row.get(name), timezone) for name in ("decided_at", "reported_at"))
    return Side(str(row["state"]).strip(), decided, reported)


def _moment(value: Any, timezone: str) -> datetime | None:
    if value is None or value == "":
        return None
    return parse_moment(value if isinstance(value, date) else str(value), timezone)


def _place_for(address: str, folder: Path) -> Path:
    require_safe_address(address)
    ending = next((each for each in READABLE if address.split("?")[0].endswith(each)), ".jsonl")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"export-{uuid.uuid4().hex}{ending}"


def _fetch(address: str, path: Path) -> None:
    """The export behind an address, into a file. No redirect, nothing without end."""
    try:
        with (
            httpx.stream("GET", address, timeout=SECONDS, trust_env=False) as reply,
            path.open("wb") as file,
        ):
            if reply.status_code != httpx.codes.OK:
                raise _unreadable(f"the status {reply.status_code}")
            for chunk in reply.iter_bytes():
                file.write(chunk)
                if file.tell() > EXPORT_BYTES:
                    raise _unreadable(f"more than {EXPORT_BYTES:,} bytes")
    except httpx.HTTPError as error:
        raise _unreadable(type(error).__name__) from None


def _unreadable(got: str) -> NotReady:
    return NotReady(wanted="the case system's export", got=got, cure="give it as a file")


def compare(
    connection: sa.Connection,
    theirs: Mapping[str, Side],
    *,
    by_day: bool,
    left_out: Collection[str] = (),
) -> list[Difference]:
    """Every difference, by clue: of what they tell, and of what was dispatched here."""
    ours = _ours(connection, theirs)
    unsettled = _unsettled(connection)
    each = (
        difference(clue, ours.get(clue), theirs.get(clue), unsettled.get(clue), by_day=by_day)
        for clue in sorted({*ours, *theirs} - {*left_out})
    )
    return [found for found in each if found is not None]


def _ours(connection: sa.Connection, theirs: Iterable[str]) -> dict[str, Side]:
    """Where clues stand here: those they name, and those that are or were at an office."""
    c = clue_states.c
    states: dict[str, str] = {}
    for chunk in chunks(sorted(theirs)):
        query = sa.select(c.clue_id, c.state).where(c.clue_id.in_(chunk))
        states |= _pairs(connection, query)
    given = sa.select(c.clue_id, c.state).where(c.dispatched_at.is_not(None))
    states |= _pairs(connection, given)
    decided: dict[str, datetime] = {}
    e = clue_events.c
    for chunk in chunks(sorted(clue for clue, state in states.items() if state in WORDS)):
        words = sa.select(e.clue_id, e.to_state, e.decided_at).where(
            e.clue_id.in_(chunk), e.version.is_not(None)
        )
        said = connection.execute(words.order_by(e.version))
        decided |= {clue: at for clue, to, at in said if to == states[clue]}
    return {clue: Side(state, decided.get(clue)) for clue, state in states.items()}


def _unsettled(connection: sa.Connection) -> dict[str, str]:
    """clue -> waiting, or dead where any message about it was given up."""
    query = sa.select(outbox.c.clue_id, sa.func.min(outbox.c.state)).where(
        outbox.c.state.in_(UNSETTLED)
    )  # `dead` comes before `waiting`
    return _pairs(connection, query.group_by(outbox.c.clue_id))


def _pairs(connection: sa.Connection, query: sa.Select[Any]) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(query)}


def take_all(
    home: Home, ledger: sa.Engine, found: Iterable[Difference], clock: Clock, *, by: str
) -> dict[str, Any]:
    """Admit their words, tell ours again; returns how many of each, and what was refused."""
    named = list(found)
    admitted = _admit(home, ledger, [each for each in named if each.take == "admit"], clock, by)
    again = [each.clue_id for each in named if each.take == "restate"]
    return {**admitted, "told_again": restate(ledger, again, clock)}


def _admit(
    home: Home, ledger: sa.Engine, found: list[Difference], clock: Clock, by: str
) -> dict[str, Any]:
    if not found:
        return {"admitted": 0, "refused": []}
    contract, now = require_outcomes(home), clock.now()
    rows = []
    for each in found:
        assert each.theirs is not None
        assert each.theirs.decided_at is not None
        rows.append(
            {
                "clue_id": each.clue_id,
                "status": each.theirs.state,
                "decided_at": as_told(contract, "decided_at", each.theirs.decided_at),
                "reported_at": as_told(contract, "reported_at", each.theirs.reported_at or now),
            }
        )
    source = from_table("reconciled", pa.Table.from_pylist(rows))
    clues = read_clues(home, {each.clue_id for each in found})
    receipt = told_receipt(admit_outcomes(home, source, clues, clock))
    with writing(ledger) as connection:
        settle_source(connection, home, source, clock, by=by)
    return {"admitted": receipt["accepted"], "refused": receipt["refused"]}


def restate(ledger: sa.Engine, clue_ids: Iterable[str], clock: Clock) -> int:
    """Tell every destination where clues stand now; returns how many messages were queued."""
    told, now = 0, clock.now()
    with writing(ledger) as connection:
        names = sorted(subscribed(connection))
        for chunk in chunks(sorted(clue_ids)):
            rows = standing(connection, chunk)
            messages = [Message(RESTATED, clue, now, told_state(row)) for clue, row in rows.items()]
            told += sum(post_to(connection, name, messages) for name in names)
    return told


def _by_day(home: Home) -> bool:
    contract = home.jurisdiction.contracts.get("outcomes")
    return contract is None or contract.types.get("decided_at") == "date"
