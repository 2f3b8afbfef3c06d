"""What every command shares: where the home is, JSON or words, and how a refusal is told."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer

from base.errors import CluesError

P = ParamSpec("P")

HomeOption = Annotated[
    Path, typer.Option("--home", envvar="CLUES_HOME", help="The folder that holds everything.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON object on stdout and nothing else.")
]
DEFAULT_HOME = Path("home")


def answers(command: Callable[P, dict[str, Any]]) -> Callable[P, None]:
    """A command that returns its answer: printed as JSON or as words; refusals exit with 2."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        as_json = bool(kwargs.get("as_json"))
        try:
            answer = command(*args, **kwargs)
        except CluesError as error:
            _tell_refusal(error, as_json)
            raise typer.Exit(2) from None
        if as_json:
            print(json.dumps(answer, ensure_ascii=False, default=str, allow_nan=False))
        else:
            _tell(answer)
        if answer.get("ok") is False:  # what was asked about is not in order
            raise typer.Exit(2)

    run.__annotations__ = {**command.__annotations__, "return": None}
    return run


def find_office(folder: Path, office_id: str) -> None:
    """Raise NotFound where `offices.yaml` has no such office; what was typed is told."""
    from base.errors import NotFound, nearest
    from dispatch.offices import load_offices

    offices = load_offices(folder / "offices.yaml")
    if office_id not in offices.by_id:
        cure = nearest(office_id, offices.by_id)
        raise NotFound(wanted="an office of offices.yaml", got=repr(office_id), cure=cure)


def tell(text: str) -> None:
    """A line for the person at the terminal; stdout stays free for the answer."""
    print(text, file=sys.stderr)


def _tell_refusal(error: CluesError, as_json: bool) -> None:
    kind = type(error).__name__
    if as_json:
        faults = [vars(fault) for fault in error.faults]
        print(json.dumps({"error": kind, "faults": faults}, ensure_ascii=False))
    tell(f"{kind}:")
    for fault in error.faults:
        tell(f"  {fault}")


def _tell(answer: dict[str, Any]) -> None:
    for name, value in answer.items():
        if isinstance(value, list):
            print(f"{name}: {len(value)}")
            for entry in value:
                print(f"  - {_line(entry)}")
        elif isinstance(value, dict):
            print(f"{name}:")
            for key, entry in value.items():
                print(f"  {key}: {_line(entry)}")
        else:
            print(f"{name}: {shown(value)}")


def _line(entry: Any) -> str:
    if isinstance(entry, dict):
        return ", ".join(f"{key} {shown(value)}" for key, value in entry.items())
    return shown(entry)


def shown(value: Any) -> str:
    """A value as a person reads it; what is not known is a dash."""
    if value is None or value == () or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return f"({_line(value)})" if value else "-"
    if isinstance(value, list | tuple | set | frozenset):
        return "; ".join(shown(each) for each in value)
    return str(value)
