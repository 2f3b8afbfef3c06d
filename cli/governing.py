"""What the data steward asks: receipts, quality, freshness; and what the law asks: retention."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import DEFAULT_HOME, HomeOption, JsonOption, answers

if TYPE_CHECKING:
    from base.moment import Clock
    from governance.home import Home

RecordSet = Annotated[str | None, typer.Argument(help="A record set; none: every one.")]


@answers
def receipts(
    record_set: RecordSet = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 20,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """What became of each batch: rows, notices, drift, quality; the newest first."""
    from governance.home import Home
    from governance.receipts import receipts as kept

    found = kept(Home.open(home), record_set, limit)
    if as_json:
        return {"receipts": found}
    shown = ("at", "record_set", "batch", "rows", "admitted", "quarantined", "already_admitted")
    return {"receipts": [{name: each.get(name) for name in shown} for each in found]}


@answers
def quality(
    record_set: Annotated[str, typer.Argument(help="A record set of the jurisdiction.")],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Measure a record set by the quality rules of its contract; exit 2 where one fails."""
    from governance.home import Home
    from governance.quality import measured

    found = measured(Home.open(home), record_set)
    return {"ok": all(each.ok for each in found), "rules": [asdict(each) for each in found]}


@answers
def freshness(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> dict[str, Any]:
    """How each record set stands: owner, rows, when it came last, whether it is late."""
    from base.moment import WallClock
    from governance.freshness import standings
    from governance.home import Home

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    return {"record_sets": [asdict(each) for each in standings(opened, clock)]}


@answers
def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Remove records whose contract's time is over, and tell what a past score still shows."""
    from base.moment import WallClock
    from governance.home import Home
    from governance.retention import STILL_SHOWN, enforce

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    removed = enforce(opened, clock, dry_run=dry_run)
    if not dry_run:
        for each in removed:
            if each.records or each.quarantined:
                note_read_here(opened, each.record_set, f"removed {each.records} records", clock)
    told = [asdict(each) for each in removed]
    answer = {"dry_run": dry_run, "removed": told, "still_shown": STILL_SHOWN}
    if not dry_run:
        return answer
    # Programs read `removed` either way; a person is told what is true.
    if not as_json:
        del answer["removed"]
    return {"dry_run": dry_run, "would_remove": told, **answer}


def note_read_here(home: Home, about: str, what: str, clock: Clock) -> None:
    """Tell the audit who did or read something on this machine."""
    from getpass import getuser

    from scoring.audit import note_read
    from scoring.ledger import open_ledger

    ledger = open_ledger(home.ledger_url)
    note_read(ledger, who=f"system:{getuser()}", about=about, what=what, clock=clock)
