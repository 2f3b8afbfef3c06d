"""Raising: every supervision model over the records known at each cycle, up to a moment.

    raise_until -> sandbox (records laid out) -> finding (run, merge) -> clue table

A clue's moment is that of the first cycle that found it. The same subject on the same ground is one
clue: whoever finds it again, later or by another supervision model, is counted as merged.

What was run is noted by supervision model and version: one that was mended runs over history once
more, and what the version before had found stays that version's.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

import duckdb

from base.errors import NotFound, nearest
from base.moment import add_months
from base.progress import Bar, SilentBar
from clues.clue import clue_schema
from clues.finding import Raised, find
from clues.rehearsal import Rehearsed, told_samples
from clues.supervision import SupervisionModel, load_supervision_models
from governance import tables
from governance.engine import file_list
from governance.home import Home
from governance.jurisdiction import Jurisdiction

NOTE = "raised.json"
# What the register notes of clues raised here, before the day.
BATCH = "raised "
Due = dict[str, list[datetime]]
# Supervision model -> version -> the last cycle that it ran.
Done = dict[str, dict[str, str]]


def raise_until(home: Home, until: datetime, bar: Bar | None = None) -> dict[str, Raised]:
    """Run every supervision model for each of its cycles up to and including `until`.

    Cycles that an earlier call ran by the same version are not run again. Returns supervision
    model -> counts.
    """
    bar = bar or SilentBar()
    with tables.writing(home.table("clues")):
        models = load_supervision_models(home.jurisdiction)
        done = _cycles_done(home, models)
        due = _due(home.jurisdiction, models, done, until)
        bar.expect(sum(map(len, due.values())) + 1)
        connection, counts = find(home, models, due, bar)
        if connection is not None:
            _store(connection, home, until)
        _note_cycles(home, models, done, due)
        bar.advance()
    for model in models:
        if not due[model.name]:
            counts[model.name].up_to_date_until = _last_run(done, model)
    return counts


def rehearse(
    home: Home, until: datetime, only: Collection[str] = (), samples: int = 3
) -> dict[str, Rehearsed]:
    """What `raise_until` would do, with some of the clues it would raise; nothing is stored.

    `only`: these supervision models alone; they then have no rivals for a clue. One of which no
    cycle is due is run over all of them, so that its writer sees what it finds, and says until when
    it is up to date. Raises NotFound for one that does not exist.
    """
    models = load_supervision_models(home.jurisdiction)
    names = [model.name for model in models]
    for name in only:
        if name not in names:
            cure = nearest(name, names)
            raise NotFound(wanted="a supervision model", got=repr(name), cure=cure)
    models = [model for model in models if not only or model.name in only]
    done = _cycles_done(home, models)
    due = _due(home.jurisdiction, models, done, until)
    idle = [model for model in models if not due[model.name]]
    told = _rehearsed(home, [model for model in models if due[model.name]], due, samples)
    told |= _rehearsed(home, idle, _due(home.jurisdiction, idle, {}, until), samples)
    for model in idle:
        told[model.name].up_to_date_until = _last_run(done, model)
    return {model.name: told[model.name] for model in models}


def _rehearsed(
    home: Home, models: list[SupervisionModel], due: Due, samples: int
) -> dict[str, Rehearsed]:
    connection, counts = find(home, models, due, SilentBar())
    return {
        name: Rehearsed(
            count.raised,
            count.merged,
            count.runs,
            samples=told_samples(connection, home.jurisdiction, name, samples),
        )
        for name, count in counts.items()
    }


def _due(
    jurisdiction: Jurisdiction,
    models: list[SupervisionModel],
    done: Done,
    until: datetime,
) -> Due:
    """Supervision model -> the moments at which it is still to run."""
    return {model.name: list(_still_due(jurisdiction, model, done, until)) for model in models}


def _still_due(
    jurisdiction: Jurisdiction, model: SupervisionModel, done: Done, until: datetime
) -> Iterator[datetime]:
    last = _last_run(done, model)
    if model.head.raised == "by_column":
        if last is None or last < until:
            yield until
        return
    for moment in cycles(jurisdiction, until):
        fresh = last is None or moment > last
        if fresh and (model.head.since is None or moment >= model.head.since):
            yield moment


def cycles(jurisdiction: Jurisdiction, until: datetime) -> Iterator[datetime]:
    """The moments at which supervision models run, up to and including `until`."""
    cycle, steps = jurisdiction.manifest.raise_cycle, 0
    while (moment := add_months(cycle.first, steps * cycle.months)) <= until:
        yield moment
        steps += 1


def _store(connection: duckdb.DuckDBPyConnection, home: Home, until: datetime) -> None:
    path = home.table("clues")
    stored = tables.dataset(path)
    count = 0 if stored is None else stored.count_rows()
    rows = connection.sql(f"""
        SELECT {count} + row_number() OVER (ORDER BY raised_at, clue_id) AS record_no,
               raised_at AS happened_at, raised_at AS known_at, NULL::TIMESTAMP AS retracted_at,
               '{BATCH}' || strftime(raised_at, '%Y-%m-%d') AS batch, *
        FROM found ORDER BY record_no
    """).to_arrow_table()
    if rows.num_rows:
        schema = clue_schema(home.jurisdiction)
        tables.append(path, rows.select(schema.names).cast(schema), {"until": until.isoformat()})


def _last_run(done: Done, model: SupervisionModel) -> datetime | None:
    told = done.get(model.name, {}).get(model.version)
    return None if told is None else datetime.fromisoformat(told)


def _cycles_done(home: Home, models: Sequence[SupervisionModel]) -> Done:
    """What the home's note says. One of before versions were noted names no version: it was run by
    the one that raised its newest clue or, where it raised none, by the present one, so that an
    upgrade alone runs nothing again."""
    note = home.path / NOTE
    if not note.is_file():
        return {}
    told: dict[str, str | dict[str, str]] = json.loads(note.read_text("utf-8"))
    ran_by = {model.name: model.version for model in models}
    if any(isinstance(each, str) for each in told.values()):
        ran_by |= _versions_of_newest(home)
    return {
        name: {ran_by.get(name, ""): each} if isinstance(each, str) else each
        for name, each in told.items()
    }


def _versions_of_newest(home: Home) -> dict[str, str]:
    """Supervision model -> the version that the clue it raised last came from."""
    files = tables.files(home.table("clues"))
    if not files:
        return {}
    query = (
        "SELECT supervision_model, arg_max(model_version, record_no)"
        f" FROM {file_list(files)} WHERE starts_with(batch, '{BATCH}') GROUP BY ALL"
    )
    with duckdb.connect() as connection:
        return dict(connection.execute(query).fetchall())


def _note_cycles(home: Home, models: Sequence[SupervisionModel], done: Done, due: Due) -> None:
    """Written after the clues: a crash between runs the cycles again, and finds nothing new."""
    ran = {
        model.name: {**done.get(model.name, {}), model.version: due[model.name][-1].isoformat()}
        for model in models
        if due[model.name]
    }
    draft = home.path / f"{NOTE}.new"
    draft.write_text(json.dumps({**done, **ran}, indent=1) + "\n", "utf-8")
    draft.replace(home.path / NOTE)
