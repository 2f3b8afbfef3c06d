"""What a jurisdiction declares: scaffolded, checked, watched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import DEFAULT_HOME, HomeOption, JsonOption, answers, tell

if TYPE_CHECKING:
    from governance.jurisdiction import Jurisdiction

JurisdictionOption = Annotated[
    str | None, typer.Option(help="A bundled name or a folder; default: the home's.")
]


def _declared(jurisdiction: str | None, home: Path) -> Jurisdiction:
    from governance.home import Home
    from governance.jurisdiction import load_jurisdiction

    return load_jurisdiction(jurisdiction) if jurisdiction else Home.open(home).jurisdiction


@answers
def new_jurisdiction(
    name: Annotated[str, typer.Argument(help="Small letters, digits and _.")],
    into: Annotated[Path, typer.Option(help="The folder is made in this one.")],
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Write a small jurisdiction to start from; it passes `clues init` as it is."""
    from clues.scaffold import new_jurisdiction as write_jurisdiction

    return {"path": str(write_jurisdiction(name, into))}


@answers
def new_record_set(
    name: Annotated[str, typer.Argument(help="Small letters, digits and _.")],
    file: Annotated[Path, typer.Argument(help="A file of it: csv, csv.gz, jsonl or parquet.")],
    key: Annotated[str, typer.Option(help="The column that names a record.")],
    happened_at: Annotated[str, typer.Option(help="The column that says when it happened.")],
    known_at: Annotated[
        str | None, typer.Option(help="The column that says when it was known.")
    ] = None,
    latency_days: Annotated[
        int | None, typer.Option(min=0, help="Or: how long after it happened it is known.")
    ] = None,
    jurisdiction: JurisdictionOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Draft a record set's contract from a file of it."""
    from clues.scaffold import new_record_set as draft

    path = draft(
        name,
        file,
        _declared(jurisdiction, home),
        key=key,
        happened_at=happened_at,
        known_at=known_at,
        latency_days=latency_days,
    )
    return {"path": str(path)}


@answers
def new_model(
    name: Annotated[str, typer.Argument(help="Small letters, digits and _.")],
    jurisdiction: JurisdictionOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Write a supervision model to start from: it loads, and finds nothing yet."""
    from clues.scaffold import new_model as write_model

    return {"path": str(write_model(name, _declared(jurisdiction, home)))}


@answers
def check_model(
    name: Annotated[str, typer.Argument(help="A supervision model of the jurisdiction.")],
    jurisdiction: JurisdictionOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Check a supervision model's SQL and run its examples; exit 2 where one does not hold."""
    from clues.examples import check_examples, examples_wanted, find_model
    from clues.supervision import load_supervision_models

    declared = _declared(jurisdiction, home)
    model = find_model(load_supervision_models(declared), name)
    checked = check_examples(model, declared)
    faults = [*examples_wanted(model, checked), *(f for each in checked for f in each.faults)]
    return {
        "model": model.name,
        "version": model.version,
        "reads": {record_set: list(columns) for record_set, columns in model.columns.items()},
        "examples": [
            {"name": each.name, "says": each.says.en, "finds": each.finds, "ok": not each.faults}
            for each in checked
        ],
        "faults": [str(fault) for fault in faults],
        "ok": not faults,
    }


@answers
def models(
    moment: Annotated[str | None, typer.Option(help="As of this moment; default: now.")] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """The health of each supervision model: clues, cases, returned, what a case costs."""
    from dataclasses import asdict

    from base.moment import WallClock, parse_moment
    from clues.health import model_health
    from dispatch.offices import load_offices
    from governance.home import Home

    opened = Home.open(home)
    zone = opened.jurisdiction.timezone
    at = WallClock(zone).now() if moment is None else parse_moment(moment, zone)
    offices = load_offices(opened.jurisdiction.folder / "offices.yaml").offices
    capacity = {office.office_id: office.weekly_capacity for office in offices}
    told = [
        asdict(each) | {"title": each.title and each.title.model_dump()}
        for each in model_health(opened, at, capacity)
    ]
    if as_json:
        return {"moment": at, "supervision_models": told}
    shown = ("clues", "verified", "cases", "conversion", "returned_share", "verified_per_case")
    lines = [{"name": each["name"], **{name: each[name] for name in shown}} for each in told]
    return {"supervision_models": lines}


@answers
def catalogue(
    record_set: Annotated[
        list[str] | None, typer.Option(help="This record set; may be repeated. Default: all.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Record sets, and the register of clues: rows, freshness, quality over time, and who uses
    which column."""
    from dataclasses import asdict

    from base.errors import NotFound, nearest
    from base.moment import WallClock
    from governance.home import Home
    from scoring.catalogue import CLUES
    from scoring.catalogue import catalogue as read_catalogue

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    told = [asdict(entry) for entry in read_catalogue(opened, clock)]
    names = [each["record_set"] for each in told]
    for name in record_set or ():
        if name not in names:
            raise NotFound(wanted="a record set", got=repr(name), cure=nearest(name, names))
    told = [each for each in told if not record_set or each["record_set"] in record_set]
    if record_set and not as_json:
        return {f"{each['record_set']}.columns": each["columns"] for each in told}
    shown = ("record_set", "owner", "rows", "quarantined_share", "known_until", "late")
    if not as_json:
        told = [{**{name: each[name] for name in shown}, **_columns(each)} for each in told]
        tell("who uses which column: clues catalogue --record-set NAME")
    # The register of clues is no record set: nobody sends it.
    sets = [each for each in told if each["record_set"] != CLUES]
    register = next((each for each in told if each["record_set"] == CLUES), None)
    return {"record_sets": sets} if register is None else {"record_sets": sets, CLUES: register}


def _columns(entry: dict[str, Any]) -> dict[str, int]:
    """How many columns there are, and how many are used: by whom says --record-set NAME."""
    users = ("supervision_models", "features", "scorers")
    columns = entry["columns"]
    return {"columns": len(columns), "used": sum(any(map(each.get, users)) for each in columns)}


@answers
def lineage(
    clue: Annotated[str, typer.Argument(help="The clue's id.")],
    feature: Annotated[str, typer.Argument(help="A feature, or `evidence`.")],
    moment: Annotated[
        str | None, typer.Option(help="As of then; default its newest score's, else its raising.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """From a value of a clue back to its records, their batches and the files they came in.

    The answer says of which moment it speaks (`moment`, and in `moment_is` why that one).
    """
    from base.moment import parse_moment
    from governance.home import Home
    from scoring.lineage import trace

    opened = Home.open(home)
    asked = None if moment is None else parse_moment(moment, opened.jurisdiction.timezone)
    return trace(opened, clue, feature, asked).as_json()
