"""`clues demo`: the main job from nothing to a served queue."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import DEFAULT_HOME, HomeOption, tell

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from base.moment import WallClock
    from governance.home import Home

# Promotion takes two persons: hence two scientists.
ACCOUNTS = {
    "dispatcher": "dispatcher",
    "reviewer": "reviewer",
    "scientist": "data_scientist",
    "scientist2": "data_scientist",
    "steward": "steward",
    "auditor": "auditor",
    "administrator": "administrator",
}


def demo(
    clues: Annotated[int, typer.Option(help="About how many clues.")] = 12_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same province.")] = 7,
    serve: Annotated[bool, typer.Option(help="Serve the queue afterwards, until Ctrl-C.")] = True,
    port: Annotated[int, typer.Option(help="The port to serve on.")] = 8000,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """A simulated province: admit, raise, learn, compare, promote, score; then serve the queue."""
    from base.errors import CluesError
    from base.progress import Stages
    from experiments.demo import run_demo

    try:
        result = run_demo(home, clues=clues, seed=seed, stages=Stages(visible=True))
        print_result(result)
        if serve:
            _serve(home, port)
        else:
            print(next_steps(home))
    except CluesError as error:
        tell(str(error))
        raise typer.Exit(2) from None


def print_result(result: dict[str, Any]) -> None:
    """The table of cases found, and how long it took."""
    print(f"\nclues {result['clues']}. {judged_by(result)}")
    print("\nshare of all cases found in the first part of the queue\n")
    print(f"{'order':<22}{'10 %':>8}{'20 %':>8}{'30 %':>8}")
    for name, found in sorted(result["cases_found"].items(), key=lambda item: -item[1]["20"]):
        shares = "".join(f"{found[part]:>8.1%}" for part in ("10", "20", "30"))
        print(f"{name:<22}{shares}")
    print(f"\ncases ranked in the bottom half: {result['tail_recall_loss']:.1%}")
    print(f"calibration error (ECE):         {result['ece']:.4f}")
    print("\nseconds")
    for name, seconds in result["seconds"].items():
        print(f"  {name:<12}{seconds:>8.1f}")
    print(f"\nscorer {result['scorer'][:12]}, figures in {result['written']}")


def judged_by(result: dict[str, Any]) -> str:
    """What the figures are judged by; a demo of before did not note of which months."""
    since, until = (str(result.get(f"judged_{end}", ""))[:10] for end in ("from", "until"))
    of = f", raised from {since} to before {until}" if since and until else ""
    return (
        f"Judged by the simulator's truth of {result['judged']} test clues{of}:\n{result['cases']}"
        " of them are cases, also where nobody looked. `clues compare` and the scorers' pages\n"
        "judge by the outcomes that offices reported: fewer clues, other figures."
    )


def next_steps(home: Path) -> str:
    """What to type where the demo does not serve: the service, a login, a program's key.

    The command as it can be found: `make` puts it where no shell looks by itself.
    """
    clues = "clues" if shutil.which("clues") else os.path.relpath(sys.argv[0])
    return f"""
next:
  {clues} serve --home {home}
  {clues} account create li.ming --role dispatcher --home {home}    # a login for the console
  {clues} key create --role case_system --home {home}               # a key for programs"""


def _serve(home: Path, port: int) -> None:
    from base.moment import WallClock
    from governance.home import Home
    from scoring.ledger import open_ledger
    from serving.keys import create
    from serving.run import serve as serve_home

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    ledger = open_ledger(opened.ledger_url)
    key = create(ledger, role="dispatcher", office_id=None, clock=clock)
    print(f"\nhttp://127.0.0.1:{port}  sign in with one of\n")
    print(f"{'login':<16}{'password':<22}role")
    for each in _accounts(opened, ledger, clock):
        print(f"{each['login']:<16}{each['password']:<22}{each['role']}{each['where']}")
    print(f"\nor, as programs do, with a dispatcher's key: {key['key']}")
    serve_home(opened, host="127.0.0.1", port=port, workers=1)


def _accounts(home: Home, ledger: Engine, clock: WallClock) -> list[dict[str, Any]]:
    """An account of each role, with a password of this run; the reviewer is of one city."""
    from dispatch.offices import load_offices
    from serving.accounts import create, list_accounts, reset

    offices = load_offices(home.jurisdiction.folder / "offices.yaml").offices
    city = next((each for each in offices if each.level == "city"), None)
    known = {each["login"] for each in list_accounts(ledger, clock)}
    told = []
    for login, role in ACCOUNTS.items():
        office = city.office_id if city and role == "reviewer" else None
        if login in known:
            made = reset(ledger, login, clock=clock)
        else:
            made = create(ledger, login, role=role, office_id=office, clock=clock)
        where = f", {city.title.zh} {city.title.en}" if city and office else ""
        told.append({**made, "role": role, "where": where})
    return told
