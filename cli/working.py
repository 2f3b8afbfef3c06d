"""The scorer works: score, explain, serve; and the keys of those who may ask."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli.options import DEFAULT_HOME, HomeOption, JsonOption, answers, tell

LanguageOption = Annotated[Literal["zh", "en"], typer.Option(help="The language of sentences.")]


@answers
def score(
    moment: Annotated[str, typer.Option(help="Score as of this moment.")],
    output: Annotated[Path, typer.Option(help="The Parquet file to write.")],
    source: Annotated[
        Path | None,
        typer.Option("--input", help="Parquet or Delta with clue_id; default all open."),
    ] = None,
    reasons: Annotated[int, typer.Option(min=0, help="Reasons kept per clue.")] = 5,
    purpose: Annotated[
        Literal["handling", "export"],
        typer.Option(help="Who the file is for: others get ids and what is not open hidden."),
    ] = "handling",
    language: LanguageOption = "zh",
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Score clues with the champion, keep the scores in the ledger, write them with reasons."""
    from base.moment import WallClock, parse_moment
    from base.progress import Stages
    from dispatch.score_clues import score_clues
    from governance.home import Home

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    return score_clues(
        opened,
        parse_moment(moment, opened.jurisdiction.timezone),
        output=output,
        chosen=source,
        reasons=reasons,
        language=language,
        purpose=purpose,
        clock=clock,
        stages=Stages(),
    )


@answers
def explain(
    clue: Annotated[str, typer.Argument(help="The clue's id.")],
    language: LanguageOption = "zh",
    reasons: Annotated[int, typer.Option(min=0, help="Reasons told; the rest is `other`.")] = 10,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Why a clue has its score: the reasons in words, and what they add up to."""
    from dispatch.scoring_run import explain_clue
    from governance.home import Home

    return explain_clue(Home.open(home), clue, language=language, reasons=reasons)


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Serve the API and the console until Ctrl-C."""
    from base.errors import CluesError
    from governance.home import Home
    from serving.run import serve as serve_home

    try:
        serve_home(Home.open(home), host=host, port=port, workers=workers)
    except CluesError as error:
        tell(str(error))
        raise typer.Exit(2) from None


keys = typer.Typer(help="Keys of those who may ask the service.", no_args_is_help=True)


@keys.command("create")
@answers
def create_key(
    role: Annotated[str, typer.Option(help="case_system, reviewer, dispatcher, ...")],
    office: Annotated[str | None, typer.Option(help="Sees this office and those below it.")] = None,
    holder: Annotated[str | None, typer.Option(help="The person or machine it is for.")] = None,
    expires: Annotated[str | None, typer.Option(help="Refused from this moment on.")] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Make a key. It is shown this once and kept only as a digest."""
    from base.moment import WallClock, parse_moment
    from dispatch.offices import load_offices
    from governance.home import Home
    from scoring.ledger import open_ledger
    from serving.keys import create

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    if office is not None:
        load_offices(opened.jurisdiction.folder / "offices.yaml").office(office)
    return create(
        open_ledger(opened.ledger_url),
        role=role,
        office_id=office,
        clock=clock,
        holder=holder,
        expires_at=None if expires is None else parse_moment(expires, clock.zone.key),
    )


@keys.command("list")
@answers
def list_keys(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> dict[str, Any]:
    """Every key ever made: its role, office and holder, and whether it is in force."""
    from base.moment import WallClock
    from governance.home import Home
    from scoring.ledger import open_ledger
    from serving.keys import list_keys as listed

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    return {"keys": listed(open_ledger(opened.ledger_url), clock)}


@keys.command("revoke")
@answers
def revoke_key(
    key: Annotated[str, typer.Argument(help="The key's id, as `key create` told it.")],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Revoke a key; it is refused from the next request on."""
    from base.moment import WallClock
    from governance.home import Home
    from scoring.ledger import open_ledger
    from serving.keys import revoke

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    return revoke(open_ledger(opened.ledger_url), key, clock=clock)
