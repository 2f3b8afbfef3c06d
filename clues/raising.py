"""Raising: every supervision model over the records known at each cycle, up to a moment.

    raise_until -> sandbox (records laid out) -> finding (run, merge) -> clue table

A clue's moment is that of the first cycle that found it. The same subject on the same ground is one
clue: whoever finds it again, later or by another supervision model, is counted as merged.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
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
from governance.home import Home
from governance.jurisdiction import Jurisdiction

Due = dict[str, list[datetime]]


def raise_until(home: Home, until: datetime, bar: Bar | None = None) -> dict[str, Raised]:
    """Run every supervision model for each of its cycles up to and including `until`.

    Cycles that an earlier call ran are not run again. Returns supervision model -> counts.
    """
    bar = bar or SilentBar()
    with tables.writing(home.table("clues")):
        models = load_supervision_models(home.jurisdiction)
        done = _cycles_done(home)
        due = _due(home.jurisdiction, models, done, until)
        bar.expect(sum(map(len, due.values())) + 1)
        connection, counts = find(home, models, due, bar)
        if connection is not None:
            _store(connection, home, until)
        _note_cycles(home, done, due)
        bar.advance()
    return counts


def rehearse(
    home: Home, until: datetime, only: Collection[str] = (), samples: int = 3
) -> dict[str, Rehearsed]:
    """What `raise_until` would do, with some of the clues it would raise; nothing is stored.

    `only`: these supervision models alone; they then have no rivals for a clue. Raises NotFound for
    one that does not exist.
    """
    models = load_supervision_models(home.jurisdiction)
    names = [model.name for model in models]
    for name in only:
        if name not in names:
            cure = nearest(name, names)
            raise NotFound(wanted="a supervision model", got=repr(name), cure=cure)
    models = [model for model in models if not only or model.name in only]
    due = _due(home.jurisdiction, models, _cycles_done(home), until)
    connection, counts = find(home, models, due, SilentBar())
    return {
        name: Rehearsed(
            count.raised,
            count.merged,
            count.runs,
            told_samples(connection, home.jurisdiction, name, samples),
        )
        for name, count in counts.items()
    }


def _due(
    jurisdiction: Jurisdiction,
    models: list[SupervisionModel],
    done: Mapping[str, str],
    until: datetime,
) -> Due:
    """Supervision model -> the moments at which it is still to run."""
    return {model.name: list(_still_due(jurisdiction, model, done, until)) for model in models}


def _still_due(
    jurisdiction: Jurisdiction, model: SupervisionModel, done: Mapping[str, str], until: datetime
) -> Iterator[datetime]:
    last = datetime.fromisoformat(done[model.name]) if model.name in done else None
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
               'raised ' || strftime(raised_at, '%Y-%m-%d') AS batch, *
        FROM found ORDER BY record_no
    """).to_arrow_table()
    if rows.num_rows:
        schema = clue_schema(home.jurisdiction)
        tables.append(path, rows.select(schema.names).cast(schema), {"until": until.isoformat()})


def _cycles_done(home: Home) -> dict[str, str]:
    note = home.path / "raised.json"
    return dict(json.loads(note.read_text("utf-8"))) if note.is_file() else {}


def _note_cycles(home: Home, done: dict[str, str], due: Due) -> None:
    """Written after the clues: a crash between runs the cycles again, and finds nothing new."""
    ran = {name: moments[-1].isoformat() for name, moments in due.items() if moments}
    draft = home.path / "raised.json.new"
    draft.write_text(json.dumps({**done, **ran}, indent=1) + "\n", "utf-8")
    draft.replace(home.path / "raised.json")
