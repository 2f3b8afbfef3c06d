"""Examples of a supervision model, `examples/*.yaml` in its folder: rows in, clues out.

They are its test (`clues check-model NAME`). A row names the columns that matter, and each value is
judged by its contract, as a file's would be. What an expected clue does not name is not compared.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from base.bilingual import Bilingual
from base.declared import load_declared
from base.errors import CluesError, Fault, NotFound, Refused, nearest
from clues.sandbox import Sandbox
from clues.supervision import SupervisionModel
from governance.contract import Column, Contract, Reference
from governance.engine import connect
from governance.jurisdiction import Jurisdiction
from governance.reading import Records
from governance.source import from_table
from governance.staging import Judge, referred_times_sql

Value = str | int | float | bool | date | datetime | None
Row = dict[str, Value]
NO_GROUND_KEY = "-"


class Example(BaseModel):
    """The shape of an example: what is known of the world at `moment`, and what must be found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    says: Bilingual
    moment: datetime
    records: dict[str, tuple[Row, ...]]
    # Each with `subject_id`, perhaps `ground_key`, and what is to be compared; [] finds nothing.
    clues: tuple[dict[str, Value | list[str]], ...] = Field(...)


@dataclass(frozen=True)
class Checked:
    """An example that was run: faults say what was found instead; none means it holds."""

    name: str
    says: Bilingual
    finds: int
    faults: tuple[Fault, ...]


def check_examples(model: SupervisionModel, jurisdiction: Jurisdiction) -> list[Checked]:
    """Run every example of a supervision model, in the order of their names."""
    found = []
    with connect(threads=1) as judge:
        for path in example_files(model):
            where = f"{model.name}/examples/{path.name}"
            example = load_declared(path, Example)
            faults = tuple(_faults(model, jurisdiction, example, where, judge))
            found.append(Checked(path.stem, example.says, len(example.clues), faults))
    return found


def examples_wanted(model: SupervisionModel, checked: list[Checked]) -> Iterator[Fault]:
    """What is missing before the examples are a test: one that finds, and one that must not."""
    yield from _lacking(model, [each.finds for each in checked])


def require_examples(models: Iterable[SupervisionModel]) -> None:
    """Raises Refused, every fault, for a supervision model without an example that finds and one
    that must find nothing. They are read and not run; a bare file has none."""
    faults: list[Fault] = []
    for model in models:
        if model.folder is None:
            continue
        try:
            finds = [len(load_declared(path, Example).clues) for path in example_files(model)]
        except CluesError as error:
            place = f"{model.name}/examples"
            faults += [replace(each, where=f"{place}/{each.where}") for each in error.faults]
        else:
            faults += _lacking(model, finds)
    if faults:
        raise Refused.gather(faults)


def _lacking(model: SupervisionModel, finds: Collection[int]) -> Iterator[Fault]:
    where, cure = f"{model.name}/examples", "add one; docs/declare.md shows how"
    if not any(finds):
        yield Fault("an example that finds a clue", "none", cure, where)
    if all(finds):
        yield Fault("an example that must find none (clues: [])", "none", cure, where)


def example_files(model: SupervisionModel) -> list[Path]:
    """The files of its examples; none for a bare file."""
    return [] if model.folder is None else sorted((model.folder / "examples").glob("*.yaml"))


def example_records(
    example: Example, jurisdiction: Jurisdiction, where: str, judge: duckdb.DuckDBPyConnection
) -> Records:
    """The example's rows as records: typed, timed and judged by their contracts.

    record_no counts the rows of a record set from 1. Raises Refused with every bad value. `judge`
    is a connection to judge them in; opening one costs more than judging.
    """
    tables: dict[str, pa.Table] = {}
    faults: list[Fault] = []
    for name in sorted(example.records, key=lambda name: _refers(jurisdiction, name)):
        if name not in jurisdiction.contracts:
            cure = nearest(name, jurisdiction.contracts)
            faults.append(Fault(f"a record set of {jurisdiction.name}", repr(name), cure, where))
            continue
        try:
            contract = jurisdiction.contract(name)
            tables[name] = _judged(
                contract, example.records[name], tables, f"{where}: {name}", judge
            )
        except CluesError as error:
            faults += error.faults
    if faults:
        raise Refused.gather(faults)
    return Records.of_tables(tables)


def _refers(jurisdiction: Jurisdiction, name: str) -> bool:
    """Record sets that take their times from another come after it."""
    contract = jurisdiction.contracts.get(name)
    return contract is not None and isinstance(contract.happened_at, Reference)


def _faults(
    model: SupervisionModel,
    jurisdiction: Jurisdiction,
    example: Example,
    where: str,
    judge: duckdb.DuckDBPyConnection,
) -> Iterator[Fault]:
    """What does not hold of one example."""
    try:
        absent = {name: () for name in model.record_sets if name not in example.records}
        with example_records(
            example.model_copy(update={"records": {**example.records, **absent}}),
            jurisdiction,
            where,
            judge,
        ) as records:
            found = found_rows(Sandbox(records, model.columns), model, example.moment)
    except CluesError as error:
        yield from error.faults
        return
    yield from _differences(example, found, where)


def found_rows(sandbox: Sandbox, model: SupervisionModel, moment: datetime) -> list[dict[str, Any]]:
    """What a supervision model finds at a moment, in the order of subject and ground key."""
    sandbox.run(model, moment)
    asked = sandbox.connection.execute("FROM result")
    names = [name for name, *_ in asked.description or []]
    rows = [dict(zip(names, row, strict=True)) for row in asked.fetchall()]
    return sorted(rows, key=_of_clue)


def _differences(example: Example, found: list[dict[str, Any]], where: str) -> Iterator[Fault]:
    expected = {_of_clue(clue): clue for clue in example.clues}
    given = {_of_clue(row): row for row in found}
    cure = "mend the SQL, or the example"
    for key in sorted(expected.keys() - given.keys()):
        yield Fault(f"a clue of {' '.join(key)}", "none", cure, where)
    for key in sorted(given.keys() - expected.keys()):
        yield Fault(f"no clue of {' '.join(key)}", "one", cure, where)
    for key in sorted(expected.keys() & given.keys()):
        for name, value in expected[key].items():
            got = given[key].get(name)
            if _comparable(got) != _comparable(value):
                place = f"{where}: {key[0]}: {name}"
                mend = _quoting(value, got) or cure
                yield Fault(repr(value), repr(got), mend, place)


def _quoting(wanted: Any, got: Any) -> str | None:
    """The cure of a value that differs in type only: YAML takes bare digits for a number."""
    if type(wanted) is type(got) or str(wanted) != str(got):
        return None
    return f"write it in quotes: '{wanted}'" if isinstance(got, str) else "write it without quotes"


def _of_clue(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row.get("subject_id")), str(row.get("ground_key", NO_GROUND_KEY))


def _comparable(value: Any) -> Any:
    """Dates as the moment they begin, lists in no order, the rest as it is."""
    if isinstance(value, list | tuple):
        return sorted(map(str, value))
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    return value


def _judged(
    contract: Contract,
    rows: tuple[Row, ...],
    others: Mapping[str, pa.Table],
    where: str,
    judge: duckdb.DuckDBPyConnection,
) -> pa.Table:
    """The rows as the intake would type them. Columns that no row names are empty."""
    texts, faults = _texts(contract, rows, where)
    loose = replace(contract, columns=tuple(_optional(c, texts) for c in contract.columns))
    if isinstance(contract.happened_at, Reference):
        judge.register("referred_rows", _referred(contract.happened_at, others, where))
        times = referred_times_sql(contract.happened_at, "referred_rows")
        judge.execute(f"CREATE OR REPLACE TEMP TABLE referred_times AS {times}")
    [block] = from_table(where, pa.table(texts)).blocks()
    desk = Judge(judge, loose)
    judged = desk.judge(block)
    told = [
        Fault(
            each["wanted"],
            _shown(rows[row["row"] - 1].get(each["column"])),
            each["cure"],
            f"{where} {row['row']}: {each['column']}",
        )
        for row in desk.told(judged).to_pylist()
        for each in row["reasons"]
    ]
    faults += told
    places = {fault.where for fault in told}
    faults += [
        each for each in _timeless(judged.typed, contract, where) if each.where not in places
    ]
    if faults:
        raise Refused.gather(faults)
    return judged.typed


def _texts(
    contract: Contract, rows: tuple[Row, ...], where: str
) -> tuple[dict[str, pa.Array], list[Fault]]:
    """The columns that rows name, as a file would have them, and a fault for each unknown one."""
    named = list(dict.fromkeys(name for row in rows for name in row))
    plain = {column.name for column in contract.columns if column.transform is None}
    unknown = [name for name in named if name not in plain]
    wanted = f"columns of {contract.record_set}"
    faults = [Fault(wanted, repr(name), nearest(name, plain), where) for name in unknown]
    # A table of no columns would have no rows either.
    return {
        name: pa.array([_text(row.get(name)) for row in rows], pa.string())
        for name in [each for each in named if each in plain] or sorted(plain)[:1]
    }, faults


def _referred(reference: Reference, others: Mapping[str, pa.Table], where: str) -> pa.Table:
    if reference.record_set not in others:
        wanted, cure = f"rows of {reference.record_set} too", "they hold its times: add them"
        raise Refused(wanted=wanted, got="none", cure=cure, where=where)
    return others[reference.record_set]


def _timeless(typed: pa.Table, contract: Contract, where: str) -> Iterator[Fault]:
    """A record without its times is never seen: the example would find nothing, and say nothing.
    Each column that is missing for them is told."""
    happened = contract.happened_at
    columns = {
        (happened if isinstance(happened, str) else happened.by): "when it happened",
        **({contract.known_at: "when it was known"} if contract.known_at else {}),
    }
    rows = typed.select(list(columns)).to_pylist()
    for row, values in enumerate(rows, start=1):
        for name, says in columns.items():
            if values[name] is None:
                wanted, got = f"the column {name}, which says {says}", "nothing"
                cure = f"give {name}: a record without its times is never seen"
                yield Fault(wanted, got, cure, f"{where} {row}: {name}")


def _optional(column: Column, named: Container[str]) -> Column:
    return column if column.name in named else replace(column, required=False)


def _shown(value: Value) -> str:
    """A value as its writer wrote it: an example is a file of his own, and no record."""
    return "nothing" if value is None else repr(value)[:60]


def _text(value: Value) -> str | None:
    """A value as a file would have it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else str(value)


def find_model(models: list[SupervisionModel], name: str) -> SupervisionModel:
    """The supervision model of that name. Raises NotFound."""
    for model in models:
        if model.name == name:
            return model
    cure = nearest(name, [model.name for model in models])
    raise NotFound(wanted="a supervision model", got=repr(name), cure=cure)
