"""Records come in: init, simulate, admit, quarantine, raise, outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import DEFAULT_HOME, HomeOption, JsonOption, answers, tell

if TYPE_CHECKING:
    from datetime import datetime

    from governance.home import Home
    from governance.intake import Receipt

# Of many refused rows a person needs few.
ROWS_NAMED = 5
FilesOrNone = Annotated[
    list[Path] | None, typer.Argument(help="csv, csv.gz, jsonl or parquet files.")
]
UP_TO_DATE = "up_to_date_until"
AT_A_TERMINAL = {"merged": "found again", UP_TO_DATE: "up to date until"}


@answers
def init(
    jurisdiction: Annotated[
        str, typer.Argument(help="A bundled name, or a folder; with a / in it always a folder.")
    ],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Make a home for a jurisdiction, after checking everything its folder declares."""
    from clues.clue import clue_column_types, source_types
    from clues.examples import require_examples
    from clues.supervision import load_supervision_models
    from dispatch.exchange.destinations import declared_exchange
    from dispatch.life_cycle import load_deadlines
    from dispatch.offices import load_offices
    from dispatch.rules import load_dispatch_rules
    from features.definition import load_features
    from governance.home import Home
    from governance.jurisdiction import load_jurisdiction
    from scoring.watch_rules import load_watch_rules
    from training.experiment import load_experiments
    from training.promotion_rule import load_promotion_rule

    loaded = load_jurisdiction(jurisdiction)
    models = load_supervision_models(loaded)
    require_examples(models)
    features = load_features(
        loaded.folder / "features.yaml",
        sources=source_types(loaded),
        clue_columns=clue_column_types(loaded),
    )
    load_offices(loaded.folder / "offices.yaml")
    load_dispatch_rules(loaded.folder)
    load_promotion_rule(loaded.folder)
    load_deadlines(loaded.folder)
    load_watch_rules(loaded.folder)
    declared_exchange(loaded.folder)
    experiments = load_experiments(loaded.folder / "experiments")
    Home.create(home, loaded)
    beside = Path(jurisdiction).absolute()
    if (beside / "jurisdiction.yaml").is_file() and beside.resolve() != loaded.folder:
        tell(f"the bundled {jurisdiction} was taken; for the folder here write ./{jurisdiction}")
    return {
        "home": str(home),
        "jurisdiction": loaded.name,
        "folder": str(loaded.folder),
        "record_sets": list(loaded.contracts),
        "supervision_models": [model.name for model in models],
        "features": len(features.features),
        "experiments": sorted(experiments),
    }


@answers
def simulate(
    jurisdiction: Annotated[str, typer.Argument(help="anhui, the simulated province.")],
    clues: Annotated[int, typer.Option(help="About how many clues the records will raise.")],
    out: Annotated[Path, typer.Option(help="Where the files go; the truth apart in OUT/truth.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same province.")] = 7,
    months: Annotated[int, typer.Option(help="How many months of history.")] = 60,
    plenty: Annotated[
        float, typer.Option(help="How many times the ordinary number of harmless records.")
    ] = 1.0,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Write the record files of a fictitious province whose truth is known."""
    from base.errors import Refused
    from base.progress import Stages
    from experiments.province.simulate import simulate as simulate_province

    if jurisdiction != "anhui":
        raise Refused(wanted="anhui", got=repr(jurisdiction), cure="only anhui is simulated")
    return simulate_province(
        out, clues=clues, seed=seed, months=months, plenty=plenty, stages=Stages()
    )


@answers
def admit(
    record_set: Annotated[str, typer.Argument(help="A record set of the jurisdiction.")],
    files: FilesOrNone = None,
    pull: Annotated[bool, typer.Option(help="Fetch by the contract's query.")] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Admit files as one batch: every row is admitted, quarantined, or known already."""
    from base.errors import Refused
    from base.moment import WallClock
    from base.progress import Stages
    from governance.home import Home
    from governance.intake import admit as admit_files
    from governance.pull import admit_pulled

    if pull == bool(files):
        raise Refused(wanted="files, or --pull", got="both or neither", cure="give one")
    opened = Home.open(home)
    with Stages().stage(f"admit {record_set}") as bar:
        clock = WallClock(opened.jurisdiction.timezone)
        if pull:
            receipt = admit_pulled(opened, record_set, clock, bar)
        else:
            receipt = admit_files(opened, record_set, files or [], clock, bar)
    _tell_admitted(opened, receipt)
    for notice in receipt.notices:
        tell(str(notice))
    if record_set == "outcomes" and receipt.quarantined:
        tell("a file of clue_id, status, decided_at, reported_at is for: clues outcome FILE")
    if receipt.quarantined and not (receipt.admitted or receipt.already_admitted):
        tell(
            f"NOTHING WAS ADMITTED: all {receipt.rows} rows are in the quarantine;"
            f" see why: clues quarantine {record_set}"
        )
    answer = receipt.as_json()
    return answer if as_json else {key: answer[key] for key in answer if key != "notices"}


@answers
def quarantine(
    record_set: Annotated[str, typer.Argument(help="A record set of the jurisdiction.")],
    limit: Annotated[int, typer.Option(min=0, help="Rows shown at a terminal.")] = 20,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """What a record set could not use: how many rows for which reason, then row by row."""
    from base.moment import WallClock
    from cli.governing import note_read_here
    from governance.home import Home
    from governance.quarantine import by_reason, read

    opened = Home.open(home)
    clock = WallClock(opened.jurisdiction.timezone)
    rows = read(opened, record_set, partial(note_read_here, opened, clock=clock))
    if as_json:
        return {"rows": rows}
    if len(rows) > limit:
        tell(f"{limit} of {len(rows)} rows are shown; more: --limit N, all: --json")
    return {"quarantined": len(rows), "reasons": by_reason(rows), "rows": rows[:limit]}


@answers
def raise_clues(
    until: Annotated[str, typer.Option(help="Run every cycle up to and including this moment.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be raised; store nothing.")
    ] = False,
    model: Annotated[
        list[str] | None, typer.Option(help="Dry run of this supervision model alone.")
    ] = None,
    samples: Annotated[int, typer.Option(min=0, help="Clues shown by a dry run, masked.")] = 3,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Run the supervision models over the records known at each cycle."""
    from base.errors import Refused
    from base.moment import parse_moment
    from base.progress import Stages
    from clues.raising import raise_until, rehearse
    from governance.home import Home

    opened = Home.open(home)
    moment = parse_moment(until, opened.jurisdiction.timezone)
    if dry_run:
        told = rehearse(opened, moment, model or (), samples)
        return _counted(told, as_json)
    if model:
        cure = "leave --model out, or add --dry-run"
        raise Refused(wanted="all supervision models together", got="some", cure=cure)
    with Stages().stage("raise") as bar:
        raised = raise_until(opened, moment, bar)
    _tell_raised(opened, moment, sum(count.raised for count in raised.values()))
    return _counted(raised, as_json)


def _counted(told: Mapping[str, Any], as_json: bool) -> dict[str, Any]:
    """Counts of each supervision model; at a terminal `merged` is called what it is: a find of a
    clue that there was already, also one of an earlier cycle of the same run. Where nothing was due
    it says until when all was run."""
    counts = {name: _plain(count) for name, count in told.items()}
    if as_json:
        return counts
    return {
        name: {
            AT_A_TERMINAL.get(key, key): each
            for key, each in count.items()
            if key != UP_TO_DATE or each is not None
        }
        for name, count in counts.items()
    }


def _plain(count: Any) -> dict[str, Any]:
    until = count.up_to_date_until
    return {**asdict(count), UP_TO_DATE: until and until.isoformat()}


def _tell_raised(home: Home, moment: datetime, rows: int) -> None:
    """To a lineage collector, if there is one: what was read, and what was written."""
    from base.moment import WallClock
    from clues.clue import clue_column_types
    from clues.sandbox import columns_read
    from clues.supervision import load_supervision_models
    from governance.openlineage import Dataset, tell_run

    declared = home.jurisdiction
    read = columns_read(load_supervision_models(declared))
    types = {name: declared.contract(name).types for name in read}
    told = tell_run(
        declared,
        "raise",
        moment.isoformat(),
        WallClock(declared.timezone),
        inputs=[
            Dataset(name, {each: types[name].get(each, "system") for each in sorted(columns)})
            for name, columns in sorted(read.items())
        ],
        outputs=[Dataset("clues", clue_column_types(declared), rows)],
    )
    if told:
        tell(told)


def _tell_admitted(home: Home, receipt: Receipt) -> None:
    """The same of a batch."""
    from base.moment import WallClock
    from governance.openlineage import Dataset, tell_run

    contract = home.jurisdiction.contract(receipt.record_set)
    columns = {column.name: column.type for column in contract.columns}
    told = tell_run(
        home.jurisdiction,
        f"admit.{receipt.record_set}",
        receipt.batch,
        WallClock(home.jurisdiction.timezone),
        inputs=[Dataset(name, {}, is_file=True) for name in receipt.files],
        outputs=[Dataset(receipt.record_set, columns, receipt.admitted)],
    )
    if told:
        tell(told)


@answers
def outcome(
    file: Annotated[Path, typer.Argument(help="csv, csv.gz, jsonl or parquet of outcomes.")],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Take in what became of clues; an outcome is a record like any other."""
    from base.moment import WallClock
    from dispatch.outcome import take_outcomes
    from governance.home import Home

    opened = Home.open(home)
    told = take_outcomes(opened, file, WallClock(opened.jurisdiction.timezone))
    return told if as_json else _refused_by_kind(told)


def _refused_by_kind(told: dict[str, Any]) -> dict[str, Any]:
    """What a person reads of refused outcomes: how many for which reason, then the first rows."""
    from governance.quarantine import by_reason

    rows = told["refused"]
    if len(rows) > ROWS_NAMED:
        tell(f"the first {ROWS_NAMED} of {len(rows)} refused rows are shown; all: --json")
    reasons = {"reasons": by_reason(rows), "first_refused": rows[:ROWS_NAMED]} if rows else {}
    return {**told, "refused": len(rows), **reasons}
