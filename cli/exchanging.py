"""Exchange with the case system: deliver, look into the outbox, compare both sides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import DEFAULT_HOME, HomeOption, JsonOption, answers, tell


@answers
def deliver(
    once: Annotated[bool, typer.Option("--once", help="One pass, then end.")] = False,
    again: Annotated[
        str | None, typer.Option(help="Let this dead message (or `all`) be tried again; then end.")
    ] = None,
    skip: Annotated[
        str | None, typer.Option(help="Never send this dead message; those behind it go on.")
    ] = None,
    by: Annotated[str, typer.Option(help="Who skips; told in the audit.")] = "",
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Tell other systems what happened to clues, until Ctrl-C; nothing is lost by a kill."""
    from base.errors import Refused
    from base.moment import WallClock
    from dispatch.exchange import outbox, worker
    from governance.home import Home
    from scoring.ledger import open_ledger

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    if again is not None:
        return {"waiting_again": outbox.send_again(open_ledger(opened.ledger_url), again, clock)}
    if skip is not None:
        if not by.strip():
            raise Refused(wanted="who skips", got="nobody", cure="give --by NAME")
        return {"skipped": outbox.skip(open_ledger(opened.ledger_url), skip, by=by, clock=clock)}
    if once:
        return worker.deliver_once(opened, clock)
    tell(f"delivering from {opened.path}; Ctrl-C ends")
    return worker.deliver(opened, clock, lambda told: tell(json.dumps(told)))


@answers
def outbox(
    dead: Annotated[bool, typer.Option("--dead", help="Those that were given up only.")] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """What waits to be told to other systems, and what was given up."""
    from base.moment import WallClock
    from dispatch.exchange.outbox import DEAD, WAITING, counts, listed
    from governance.home import Home
    from scoring.ledger import open_ledger

    opened = Home.open(home)
    ledger = open_ledger(opened.ledger_url)
    now = WallClock(opened.jurisdiction.timezone).now()
    states = [DEAD] if dead else [WAITING, DEAD]
    return {"destinations": counts(ledger, now), "messages": listed(ledger, states)}


@answers
def webhook_key(
    party: Annotated[str, typer.Argument(help="A destination or a source of exchange.yaml.")],
    retire: Annotated[
        bool, typer.Option("--retire", help="Leave the newest key alone in force.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Make the key that signs what a destination is told, or what a source tells; an earlier one
    counts beside it."""
    from dispatch.exchange.destinations import key_path, load_exchange
    from dispatch.exchange.signature import new_key
    from dispatch.exchange.signature import retire as retire_old
    from governance.home import Home

    opened = Home.open(home)
    path = key_path(opened, load_exchange(opened).party(party))
    if retire:
        return {"file": str(path), "retired": retire_old(path)}
    return {"file": str(path), "key": new_key(path)}


@answers
def reconcile(
    export: Annotated[str, typer.Argument(help="The case system's export: a file or an address.")],
    take: Annotated[
        bool, typer.Option("--take", help="Set right what needs no person to decide.")
    ] = False,
    by: Annotated[str, typer.Option(help="Who takes; told in the audit.")] = "",
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Compare where clues stand here and in the case system; exit 2 where they differ."""
    from base.moment import WallClock
    from dispatch.exchange.reconcile import reconcile as compare
    from governance.home import Home

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    return compare(opened, export, clock, take=take, by=by)


def case_system(
    folder: Annotated[Path, typer.Option(help="Where it keeps what it was told.")],
    key_file: Annotated[Path, typer.Option(help="The key of `clues webhook-key`.")],
    port: Annotated[int, typer.Option(help="0: any that is free.")] = 8100,
    slow: Annotated[float, typer.Option(help="Seconds before each answer.")] = 0.0,
    faults: Annotated[float, typer.Option(help="Share answered 500 and not kept.")] = 0.0,
    lost_answers: Annotated[float, typer.Option(help="Share kept and answered 500.")] = 0.0,
    platform: Annotated[str, typer.Option(help="Where outcomes are reported to.")] = "",
    platform_key: Annotated[
        str, typer.Option(envvar="CASE_SYSTEM_KEY", help="A key of the role case_system.")
    ] = "",
    report_key_file: Annotated[
        Path | None, typer.Option(help="The key of a source, SOURCE.key: outcomes are signed.")
    ] = None,
    after: Annotated[float, typer.Option(help="Mean seconds until an outcome.")] = 5.0,
    case_share: Annotated[float, typer.Option(help="Share that becomes a case.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 1,
) -> None:
    """A stand-in for the case system, for trials: takes messages, reports outcomes."""
    from base.errors import CluesError
    from experiments.case_system.run import run
    from experiments.case_system.server import Manners

    try:
        run(
            folder,
            key_file,
            port,
            Manners(slow, faults, lost_answers, seed),
            platform,
            platform_key,
            after,
            case_share,
            lambda on: tell(f"case system on http://127.0.0.1:{on}/events; Ctrl-C ends"),
            report_key_file,
        )
    except CluesError as error:
        tell(str(error))
        raise typer.Exit(2) from None
