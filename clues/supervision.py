"""Supervision models: one SQL file each, with a YAML head, in a jurisdiction's `supervision/`.

The head says what the model is for; the SQL says what it finds. Checked before it ever runs: one
SELECT, only declared record sets, no function that reaches a file, and, where it raises clues from
a schedule, no column that tells how the thing ended.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import sqlglot
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlglot import expressions as exp
from sqlglot.errors import SqlglotError

from base.bilingual import Bilingual
from base.declared import declared_faults
from base.errors import CluesError, Fault, Refused, nearest
from governance.jurisdiction import Jurisdiction

HEAD = re.compile(r"\s*/\*\s*---\n(?P<head>.*?)\n---\s*\*/(?P<sql>.*)", re.DOTALL)


class Head(BaseModel):
    """The YAML head of a supervision model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Bilingual
    function: Literal["criminal", "civil", "administrative", "public_interest"]
    legal_ground: Bilingual
    ground: Annotated[str, Field(pattern=r"[a-z][a-z0-9_]*")]
    subject: str
    severity: Annotated[int, Field(ge=1, le=5)]
    evidence: tuple[str, ...]
    columns: tuple[str, ...] = ()
    raised: Literal["each_cycle", "by_column"] = "each_cycle"
    since: datetime | None = None


@dataclass(frozen=True)
class SupervisionModel:
    """A checked supervision model. `version` changes with every letter of its file."""

    name: str
    head: Head
    sql: str
    record_sets: tuple[str, ...]
    version: str


def load_supervision_models(jurisdiction: Jurisdiction) -> list[SupervisionModel]:
    """Every `supervision/*.sql`, most severe first, then by name; all faults told together."""
    models: list[SupervisionModel] = []
    faults: list[Fault] = []
    for path in sorted((jurisdiction.folder / "supervision").glob("*.sql")):
        try:
            models.append(load_supervision_model(path, jurisdiction))
        except CluesError as error:
            faults += error.faults
    if faults:
        raise Refused.gather(faults)
    return sorted(models, key=lambda model: (-model.head.severity, model.name))


def load_supervision_model(path: Path, jurisdiction: Jurisdiction) -> SupervisionModel:
    """Read and check one file."""
    text = path.read_text("utf-8")
    match = HEAD.fullmatch(text)
    if match is None:
        raise Refused(
            wanted="a YAML head between /* --- and --- */, then one SELECT",
            got="no such head",
            cure="start the file as docs/declare.md shows",
            where=path.name,
        )
    head = _head(match["head"], path.name)
    query = _parsed(match["sql"], path.name)
    used = _tables(query)
    faults = [
        *_table_faults(used, head, jurisdiction, path.name),
        *_column_faults(query, used, head, jurisdiction, path.name),
    ]
    if faults:
        raise Refused.gather(faults)
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    return SupervisionModel(
        path.stem, head, match["sql"].strip().rstrip(";"), tuple(sorted(used)), version
    )


def _head(text: str, where: str) -> Head:
    try:
        return Head.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        got = " ".join(str(error).split())
        raise Refused(wanted="YAML", got=got, cure="mend the head", where=where) from None
    except ValidationError as error:
        raise Refused.gather(declared_faults(error, Head, where)) from None


def _parsed(sql: str, where: str) -> exp.Query:
    try:
        statements = [each for each in sqlglot.parse(sql, read="duckdb") if each is not None]
    except SqlglotError as error:
        got = str(error).splitlines()[0][:160]
        cure = "mend the SQL (DuckDB dialect)"
        raise Refused(wanted="SQL that parses", got=got, cure=cure, where=where) from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        kinds = ", ".join(type(each).__name__.upper() for each in statements) or "nothing"
        cure = "leave one SELECT (WITH is welcome)"
        raise Refused(wanted="one SELECT", got=kinds, cure=cure, where=where)
    return statements[0]


def _tables(query: exp.Query) -> set[str]:
    """Tables read by the query, common table expressions left out; functions by their SQL."""
    own = {each.alias for each in query.find_all(exp.CTE)}
    named = set()
    for table in query.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and not table.args.get("db"):
            named.add(table.name)
        else:
            named.add(table.sql(dialect="duckdb")[:60])
    return named - own


def _table_faults(
    used: set[str], head: Head, jurisdiction: Jurisdiction, where: str
) -> list[Fault]:
    faults = []
    for name in sorted(used | set(head.evidence)):
        if name not in jurisdiction.contracts:
            cure = nearest(name, jurisdiction.contracts)
            faults.append(Fault(f"a record set of {jurisdiction.name}", repr(name), cure, where))
    for name in head.columns:
        if name not in jurisdiction.clue_columns:
            cure = nearest(name, jurisdiction.clue_columns)
            faults.append(Fault("a clue column of jurisdiction.yaml", repr(name), cure, where))
    return faults


def _column_faults(
    query: exp.Query, used: set[str], head: Head, jurisdiction: Jurisdiction, where: str
) -> list[Fault]:
    """Columns a supervision model may not see, refused by name."""
    contracts = [jurisdiction.contracts[name] for name in used if name in jurisdiction.contracts]
    hidden = {c.name for contract in contracts for c in contract.columns if c.overwritten}
    if head.raised == "by_column":
        hidden |= {name for contract in contracts for name in contract.outcome_columns}
        if any(not isinstance(star.parent, exp.Count) for star in query.find_all(exp.Star)):
            cure = "name the columns"
            return [
                Fault("named columns (a schedule's outcome must not be seen)", "*", cure, where)
            ]
    seen = {column.name for column in query.find_all(exp.Column)} & hidden
    wanted = "columns that stood when the clue was raised"
    cure = "leave it out: it tells what was found only later"
    return [Fault(wanted, f"column {name!r}", cure, where) for name in sorted(seen)]
