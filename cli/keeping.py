"""What was done can be proved and brought back: audit, backup, restore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import DEFAULT_HOME, HomeOption, JsonOption, answers

CheckpointsOption = Annotated[
    Path | None, typer.Option(help="A file of checkpoints; default: the home's own, if any.")
]
KeyOption = Annotated[
    Path | None, typer.Option("--key", help="The public key; default: the home's own.")
]
audit = typer.Typer(help="The audit trail: verified, signed, recomputed.", no_args_is_help=True)


@audit.command("verify")
@answers
def verify(
    checkpoints: CheckpointsOption = None,
    key: KeyOption = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every kept score, event and standing too.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Check the chain of what was done, and name its first bad row; exit 2 where there is one.

    Without checkpoints kept elsewhere, a chain that was cut off or written anew looks whole.
    """
    from dispatch.life_cycle import OPEN
    from governance.home import Home
    from scoring.audit import verify as verify_ledger
    from scoring.checkpoint import FILE, PUBLIC, read_checkpoints
    from scoring.ledger import open_ledger

    opened = Home.open(home)
    file, public = checkpoints or opened.audit / FILE, key or opened.audit / PUBLIC
    named = checkpoints is not None or file.is_file()
    marks = read_checkpoints(file, public) if named else []
    ledger = open_ledger(opened.ledger_url)
    return verify_ledger(ledger, marks, deep=deep, open_states=OPEN).as_json()


@audit.command("checkpoint")
@answers
def checkpoint(
    to: Annotated[
        Path | None, typer.Option(help="The file to append to, best on another machine.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Sign where the audit ends now; keep the line where those who may write the ledger may not."""
    from dataclasses import asdict

    from base.moment import WallClock
    from governance.home import Home
    from scoring.checkpoint import FILE, PUBLIC, make_checkpoint
    from scoring.ledger import open_ledger

    opened = Home.open(home)
    file = to or opened.audit / FILE
    clock = WallClock(opened.jurisdiction.timezone)
    made = make_checkpoint(open_ledger(opened.ledger_url), opened.audit, file, clock)
    return {**asdict(made), "file": str(file), "public_key": str(opened.audit / PUBLIC)}


@audit.command("recompute")
@answers
def recompute(
    clue: Annotated[str, typer.Argument(help="The clue's id.")],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Compute every score a clue was given again, from the records as they were; exit 2 where one
    does not come again, bit for bit."""
    from governance.home import Home
    from scoring.ledger import open_ledger
    from scoring.ledger.scores import scores_of
    from scoring.recompute import recompute as compute

    opened = Home.open(home)
    given = scores_of(open_ledger(opened.ledger_url), clue)
    told = compute(opened, given)
    scores = [
        {
            "moment": score.moment.isoformat(),
            "scorer": score.scorer,
            "given": _bits(score.margin, as_json),
            "recomputed": _bits(again.margin, as_json),
            "given_probability": _bits(score.probability, as_json),
            "recomputed_probability": _bits(again.probability, as_json),
            "same": again.same,
        }
        for score, again in zip(given, told, strict=True)
    ]
    return {"clue_id": clue, "ok": all(each.same for each in told), "scores": scores}


def _bits(value: float, as_json: bool) -> float | str:
    """With every digit that tells it from its neighbours, where a person would be shown six."""
    return value if as_json else repr(value)


@answers
def backup(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Save the whole home, ledger included, while it is in use."""
    from base.moment import WallClock
    from governance.home import Home
    from scoring.backup import backup as save

    opened = Home.open(home)
    return save(opened, folder, WallClock(opened.jurisdiction.timezone))


@answers
def restore(
    folder: Annotated[Path, typer.Argument(help="A folder that `clues backup` made.")],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Make a new home from a backup; refused if any file of it is not as it was saved."""
    from scoring.backup import restore as bring_back

    return bring_back(folder, home)
