"""Local accounts of those who sign in to the console."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.options import DEFAULT_HOME, HomeOption, JsonOption, answers, find_office

LoginArgument = Annotated[str, typer.Argument(help="The name to sign in with.")]
accounts = typer.Typer(help="Accounts of persons who sign in to the console.", no_args_is_help=True)


@accounts.command("create")
@answers
def create_account(
    login: LoginArgument,
    role: Annotated[str, typer.Option(help="reviewer, dispatcher, data_scientist, ...")],
    office: Annotated[str | None, typer.Option(help="Sees this office and those below it.")] = None,
    holder: Annotated[str | None, typer.Option(help="The person it is for.")] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Make an account. Its password is made up, shown this once and kept only as a hash."""
    from base.moment import WallClock
    from governance.home import Home
    from scoring.ledger import open_ledger
    from serving.accounts import create

    opened = Home.open(home)
    if office is not None:
        find_office(opened.jurisdiction.folder, office)
    return create(
        open_ledger(opened.ledger_url),
        login,
        role=role,
        office_id=office,
        holder=holder,
        clock=WallClock(opened.jurisdiction.timezone),
    )


@accounts.command("list")
@answers
def list_accounts(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> dict[str, Any]:
    """Every account: its role, office and person, whether it is in force or locked."""
    from base.moment import WallClock
    from governance.home import Home
    from scoring.ledger import open_ledger
    from serving.accounts import list_accounts as listed

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    return {"accounts": listed(open_ledger(opened.ledger_url), clock)}


@accounts.command("disable")
@answers
def disable_account(
    login: LoginArgument, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False
) -> dict[str, Any]:
    """Let nobody in with an account any more; who is signed in with it is refused at once."""
    from base.moment import WallClock
    from governance.home import Home
    from scoring.ledger import open_ledger
    from serving.accounts import disable

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    return disable(open_ledger(opened.ledger_url), login, clock=clock)


@accounts.command("reset")
@answers
def reset_account(
    login: LoginArgument, home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False
) -> dict[str, Any]:
    """A new password for an account; it is unlocked and enabled."""
    from base.moment import WallClock
    from governance.home import Home
    from scoring.ledger import open_ledger
    from serving.accounts import reset

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    return reset(open_ledger(opened.ledger_url), login, clock=clock)
