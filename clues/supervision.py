"""Supervision models: a folder each in a jurisdiction's `supervision/`, with a file `model.sql`.

Its YAML head says what the model is for; its SQL says what it finds. Checked before it ever runs
(permitted.py) and, where it raises clues from a schedule, for columns that tell how a thing ended.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlglot import expressions as exp

from base.bilingual import Bilingual
from base.declared import declared_faults, read_yaml
from base.errors import CluesError, Fault, Refused, nearest
from clues.permitted import Permitted, permit
from governance.jurisdiction import NAME, Jurisdiction

FILE = "model.sql"
STOOD = "columns that stood when the clue was raised"
FOUND_LATER = "leave it out: it tells what was found only later"
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
    # Written for Spark too (clues/spark.py): where one machine is outgrown.
    spark: bool = False


@dataclass(frozen=True)
class SupervisionModel:
    """A checked supervision model. `version` changes with every letter of its file.

    `columns`: record set -> the columns its SQL reads. `query` is what runs: the SQL as it was
    read, to be copied before it is changed. `folder` holds its examples; None for a bare file.
    """

    name: str
    head: Head
    sql: str
    record_sets: tuple[str, ...]
    version: str
    columns: Mapping[str, tuple[str, ...]] = field(compare=False)
    query: exp.Query = field(compare=False, repr=False)
    folder: Path | None = field(default=None, compare=False)


def load_supervision_models(jurisdiction: Jurisdiction) -> list[SupervisionModel]:
    """Every supervision model, most severe first, then by name; all faults told together."""
    models: list[SupervisionModel] = []
    faults: list[Fault] = []
    for path in model_files(jurisdiction):
        try:
            models.append(load_supervision_model(path, jurisdiction))
        except CluesError as error:
            faults += error.faults
    names = [model.name for model in models]
    for name in sorted({name for name in names if names.count(name) > 1}):
        cure = f"leave supervision/{name}/{FILE}, and remove {name}.sql"
        faults.append(Fault("each name once", f"{name} twice", cure, "supervision"))
    if faults:
        raise Refused.gather(faults)
    return sorted(models, key=lambda model: (-model.head.severity, model.name))


def model_files(jurisdiction: Jurisdiction) -> list[Path]:
    """`supervision/NAME/model.sql`, and bare `supervision/NAME.sql`."""
    folder = jurisdiction.folder / "supervision"
    return [*sorted(folder.glob("*.sql")), *sorted(folder.glob(f"*/{FILE}"))]


def load_supervision_model(path: Path, jurisdiction: Jurisdiction) -> SupervisionModel:
    """Read and check one file."""
    text = path.read_text("utf-8")
    bare = path.name != FILE
    name, where = (
        (path.stem, path.name) if bare else (path.parent.name, f"{path.parent.name}/{FILE}")
    )
    match = HEAD.fullmatch(text)
    if match is None or NAME.fullmatch(name) is None:
        raise _not_a_model(name, where)
    head = _head(match["head"], where)
    faults = list(_head_faults(head, jurisdiction, where))
    try:
        shown = {name: contract.types for name, contract in jurisdiction.contracts.items()}
        permitted = permit(match["sql"], shown, where)
        faults += _outcome_faults(permitted, head, jurisdiction, where)
    except CluesError as error:
        faults += _explained(error.faults, jurisdiction)
    if faults:
        raise Refused.gather(faults)
    return SupervisionModel(
        name,
        head,
        match["sql"].strip(),
        tuple(permitted.columns),
        hashlib.sha256(text.encode()).hexdigest()[:12],
        permitted.columns,
        permitted.query,
        None if bare else path.parent,
    )


def _not_a_model(name: str, where: str) -> Refused:
    if NAME.fullmatch(name) is None:
        wanted, cure = "a name of small letters, digits and _", "rename it"
        return Refused(wanted=wanted, got=repr(name)[:60], cure=cure, where=where)
    return Refused(
        wanted="a YAML head between /* --- and --- */, then one SELECT",
        got="no such head",
        cure="start the file as docs/declare.md shows",
        where=where,
    )


def _head(text: str, where: str) -> Head:
    try:
        if "*" in text and any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            wanted, cure = "plain YAML", "write each value where it stands"
            raise Refused(wanted=wanted, got="an alias (*name)", cure=cure, where=where)
        return Head.model_validate(read_yaml(text))
    except yaml.YAMLError as error:
        got = " ".join(str(error).split())
        raise Refused(wanted="YAML", got=got, cure="mend the head", where=where) from None
    except ValidationError as error:
        raise Refused.gather(declared_faults(error, Head, where)) from None


def _head_faults(head: Head, jurisdiction: Jurisdiction, where: str) -> Iterator[Fault]:
    for name in head.evidence:
        if name not in jurisdiction.contracts:
            cure = nearest(name, jurisdiction.contracts)
            yield Fault(f"a record set of {jurisdiction.name}", repr(name), cure, where)
    for name in head.columns:
        if name not in jurisdiction.clue_columns:
            cure = nearest(name, jurisdiction.clue_columns)
            yield Fault("a clue column of jurisdiction.yaml", repr(name), cure, where)


def _outcome_faults(
    permitted: Permitted, head: Head, jurisdiction: Jurisdiction, where: str
) -> Iterator[Fault]:
    """A schedule is seen whole, so what tells how a thing ended may not be looked at."""
    if head.raised == "each_cycle":
        return
    for record_set, columns in permitted.columns.items():
        for name in sorted(jurisdiction.contract(record_set).outcome_columns & set(columns)):
            yield Fault(STOOD, f"column {name!r} of {record_set}", FOUND_LATER, where)


def _explained(faults: Iterable[Fault], jurisdiction: Jurisdiction) -> Iterator[Fault]:
    """A column that is declared but overwritten later has a reason of its own."""
    hidden = {
        column.name
        for contract in jurisdiction.contracts.values()
        for column in contract.columns
        if column.overwritten
    }
    for fault in faults:
        named = {name for name in hidden if re.search(rf"\b{re.escape(name)}\b", fault.got)}
        yield Fault(STOOD, fault.got, FOUND_LATER, fault.where) if named else fault
