"""A feed that has changed its shape without a word: named, and flagged or refused as its contract
says.

Six kinds: a column renamed, dropped or added; a column retyped; numbers in another unit (the
median a hundred times another, as when yuan become cents); a category never seen before. A batch
of a few rows shows nothing: numbers are compared from ROWS_TO_JUDGE rows on.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from base.errors import Fault
from governance.batch import Batch, Kinds
from governance.checks import convertible, quoted, wanted_form
from governance.columns import renamed
from governance.contract import Column, Contract
from governance.jurisdiction import OPEN
from governance.shapes import shapes

ROWS_TO_JUDGE = 30
# Medians this many times apart are another unit; yuan and cents are 100.
JUMP = 20.0
RETYPED_SHARE = 0.5
GROUPS_KEPT, CATEGORIES_TOLD = 200, 5
CURES = {
    "renamed": "rename it back, or change the contract",
    "dropped": "ask the sender for it, or change the contract",
    "added": "declare it, or ask the sender to drop it",
    "retyped": "ask the sender what has changed, or change the contract",
    "unit_jump": "ask the sender for the unit before anybody reads these amounts",
    "new_category": "ask what it means; it is stored as it came",
}
# Kinds that are about values; the others are about a file's columns.
OF_VALUES = frozenset({"retyped", "unit_jump", "new_category"})
# Column -> median, or column -> {value of unitJumpBy -> median}.
Profile = dict[str, Any]


@dataclass(frozen=True)
class Drift:
    """One change of shape. `action`: flag or refuse, as the contract says."""

    kind: str
    column: str
    got: str
    action: str

    def fault(self, where: str) -> Fault:
        """What to say of it."""
        wanted = f"the column {self.column!r} as before ({self.kind})"
        return Fault(wanted, self.got, CURES[self.kind], where)


@dataclass
class Arrived:
    """What the files of a batch had: columns with their types, rows, why rows were quarantined."""

    types: dict[str, pa.DataType] = field(default_factory=dict)
    rows: int = 0
    kinds: list[Kinds] = field(default_factory=list)


def drifts(
    batch: Batch, arrived: Arrived, rows: str, profile: Profile, earlier: Sequence[Profile]
) -> list[Drift]:
    """Every drift of a batch. `rows`: its good rows as a relation; `earlier`: the last profiles."""
    contract = batch.contract
    found = [
        *_columns(contract, arrived),
        *_retyped(contract, arrived),
        *_jumps(profile, earlier),
        *_new_categories(batch, rows),
    ]
    return [Drift(kind, column, got, contract.terms.action(kind)) for kind, column, got in found]


def profile_of(
    connection: duckdb.DuckDBPyConnection, contract: Contract, rows: str, count: int
) -> Profile:
    """The median of each numeric column that is no key, by group where the contract names one.

    Groups are named in receipts: only a column that everybody may read can name them.
    """
    numeric = [
        column.name
        for column in contract.columns
        if column.type in ("integer", "number") and not column.primary_key
    ]
    if count < ROWS_TO_JUDGE or not numeric:
        return {}
    medians = ", ".join(f"median({quoted(name)})" for name in numeric)
    [row] = connection.execute(f"SELECT {medians} FROM {rows} t").fetchall()
    told: Profile = dict(zip(numeric, map(_number, row), strict=True))
    by = contract.terms.unit_jump_by
    if by is not None and contract.column(by).classification in OPEN:
        groups = connection.execute(
            f"SELECT {quoted(by)}::VARCHAR, {medians} FROM {rows} t WHERE {quoted(by)} IS NOT NULL"
            f" GROUP BY 1 HAVING count(*) >= {ROWS_TO_JUDGE} ORDER BY count(*) DESC"
            f" LIMIT {GROUPS_KEPT}"
        ).fetchall()
        for at, name in enumerate(numeric, start=1):
            told[f"{name} by {by}"] = {group[0]: _number(group[at]) for group in groups}
    return told


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _columns(contract: Contract, arrived: Arrived) -> Iterator[tuple[str, str, str]]:
    expected = [column.name for column in contract.columns if column.transform is None]
    missing = [name for name in expected if name not in arrived.types]
    strays = [name for name in arrived.types if name not in expected]
    stray_of = {name: stray for stray, name in renamed(strays, missing).items()}
    for name in missing:
        if name in stray_of:
            yield "renamed", name, f"a column {stray_of[name]!r} instead"
        else:
            yield "dropped", name, "no such column"
    for name in (each for each in strays if each not in stray_of.values()):
        yield "added", name, "a column that the contract does not know (not stored)"


def _retyped(contract: Contract, arrived: Arrived) -> Iterator[tuple[str, str, str]]:
    """Another type in the file, or most values of a column without its form."""
    for column in contract.columns:
        kind = arrived.types.get(column.name)
        if kind is None or pa.types.is_null(kind):
            continue
        if not pa.types.is_string(kind) and (
            column.type == "string" or not convertible(kind, column)
        ):
            yield "retyped", column.name, f"values of type {kind}"
            continue
        formless = _without_form(column, arrived.kinds)
        if arrived.rows >= ROWS_TO_JUDGE and formless >= RETYPED_SHARE * arrived.rows:
            yield "retyped", column.name, f"{formless} of {arrived.rows} rows without its form"


def _without_form(column: Column, kinds: Sequence[Kinds]) -> int:
    reason = (column.name, wanted_form(column))
    return sum(each.found[reason][3] for each in kinds if reason in each.found)


def _jumps(profile: Profile, earlier: Sequence[Profile]) -> Iterator[tuple[str, str, str]]:
    for name, now in profile.items():
        if isinstance(now, Mapping):
            column, _, by = name.partition(" by ")
            for group, median in now.items():
                before = [(each.get(name) or {}).get(group) for each in earlier]
                told = _jump(median, before)
                if told:
                    yield "unit_jump", column, f"{told} where {by} is {group!r}"
        else:
            told = _jump(now, [each.get(name) for each in earlier])
            if told:
                yield "unit_jump", name, told


def _jump(now: float | None, before: Sequence[float | None]) -> str | None:
    known = [each for each in before if each]
    if not now or not known:
        return None
    usual = statistics.median(known)
    times = now / usual if usual else math.inf
    if times < 0 or 1 / JUMP < times < JUMP:
        return None
    return f"a median of {now:g} where it was {usual:g} (x{times:.3g})"


def _told(value: str, column: Column) -> str:
    """A value where everybody may read it, else its shape: receipts are no place for it."""
    return repr(value if column.classification in OPEN else shapes(pa.array([value]))[0].as_py())


def _new_categories(batch: Batch, rows: str) -> Iterator[tuple[str, str, str]]:
    """Values of declared categories that no stored row has; of an enum, those quarantined."""
    for column in batch.contract.columns:
        if not column.category:
            continue
        name = quoted(column.name)
        seen = f"SELECT DISTINCT {name} FROM stored WHERE {name} IS NOT NULL"
        [(known,)] = batch.connection.execute(f"SELECT count(*) FROM ({seen})").fetchall()
        if known == 0:
            continue
        new = batch.connection.execute(
            f"SELECT {name}::VARCHAR, count(*) FROM {rows} t WHERE {name} IS NOT NULL"
            f" AND {name} NOT IN ({seen}) GROUP BY 1 ORDER BY 2 DESC LIMIT {CATEGORIES_TOLD}"
        ).fetchall()
        if new:
            told = ", ".join(f"{_told(value, column)} ({count} rows)" for value, count in new)
            yield "new_category", column.name, told
