"""Scaffolds: a jurisdiction, a supervision model or a contract to start from, complete as written.

A scaffolded jurisdiction passes `clues init` at once; a scaffolded supervision model loads, finds
nothing, and says in its own comments what to write. A contract is drafted from the file it is for.
"""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pyarrow as pa
import yaml

from base.errors import Conflict, NotFound, Refused, nearest
from governance.checks import quoted
from governance.contract import load_contract
from governance.jurisdiction import NAME, Jurisdiction
from governance.source import read_whole

TEMPLATE = Path(__file__).resolve().parent / "templates" / "jurisdiction"
PLACEHOLDER = "JURISDICTION"
# What a column's texts look like -> its type; the first that all of them fit.
FORMS: tuple[tuple[str, str], ...] = (
    ("integer", r"[+-]?[0-9]{1,17}"),
    ("number", r"[+-]?[0-9]+\.[0-9]+"),
    ("date", r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    ("timestamp", r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}"),
    ("boolean", r"true|false"),
)
# A number that starts with 0 or is this long names something: sums of it mean nothing.
IDENTIFIER = r"0[0-9]+|[0-9]{15,}"
MODEL = """/* ---
title: {{zh: {name}, en: {name}}}
function: public_interest        # criminal | civil | administrative | public_interest
legal_ground: {{zh: 法律依据, en: the article of law}}
ground: {name}
subject: {subject}
severity: 3                      # 1..5; of two models that find a clue at once the higher has it
evidence: [{record_set}]
columns: []                      # clue columns of jurisdiction.yaml that the SELECT gives
--- */
-- What must be true of the records that are known before $moment. Replace the condition.
SELECT
    r.{key} AS subject_id,
    '-' AS ground_key,           -- tells two matters of one subject on this ground apart
    NULL AS office_id,
    ['{record_set}/' || r.record_no] AS evidence
FROM {record_set} AS r
WHERE r.happened_at > $moment    -- never: what is known happened before
"""
EXAMPLE = """# One example that finds and one that must not are wanted: `clues check-model {name}`.
says: {{zh: 什么都不是线索, en: nothing is a clue yet}}
moment: 2024-07-01
records: {{}}
clues: []
"""


def new_jurisdiction(name: str, into: Path) -> Path:
    """Write the folder `into`/`name`. Raises Refused for a bad name, Conflict where it exists."""
    _require_name(name, "a jurisdiction")
    folder = into / name
    _require_absent(folder)
    for template in sorted(path for path in TEMPLATE.rglob("*") if path.is_file()):
        path = folder / template.relative_to(TEMPLATE)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(template.read_text("utf-8").replace(PLACEHOLDER, name), "utf-8")
    return folder


def new_model(name: str, jurisdiction: Jurisdiction) -> Path:
    """Write `supervision/NAME/` over the jurisdiction's first record set; returns model.sql."""
    _require_name(name, "a supervision model")
    folder = jurisdiction.folder / "supervision" / name
    _require_absent(folder)
    _require_absent(folder.with_suffix(".sql"))
    names = [each for each in jurisdiction.contracts if each != "outcomes"]
    if not names:
        cure = "declare one first: clues new-record-set NAME FILE"
        raise NotFound(wanted="a record set to look at", got="none", cure=cure)
    contract = jurisdiction.contract(names[0])
    keys = [each for each in contract.types if each.endswith("_id")]
    key = (keys or [*contract.primary_key, *contract.types])[0]
    text = MODEL.format(
        name=name, record_set=names[0], key=key, subject=key.removesuffix("_id") or "subject"
    )
    (folder / "examples").mkdir(parents=True)
    (folder / "model.sql").write_text(text, "utf-8")
    (folder / "examples" / "nothing.yaml").write_text(EXAMPLE.format(name=name), "utf-8")
    return folder / "model.sql"


def new_record_set(
    name: str,
    file: Path,
    jurisdiction: Jurisdiction,
    *,
    key: str,
    happened_at: str,
    known_at: str | None = None,
    latency_days: int | None = None,
) -> Path:
    """Draft `records/NAME.odcs.yaml` from a file of the record set: a type for each column, and
    whether it may be empty. Names, titles and bounds are then for the steward to mend.

    Raises Refused where `key`, `happened_at` or `known_at` is no column, or not what it should be.
    """
    _require_name(name, "a record set")
    path = jurisdiction.folder / "records" / f"{name}.odcs.yaml"
    _require_absent(path)
    if (known_at is None) == (latency_days is None):
        cure = "say when a record becomes known: one column, or days after it happened"
        raise Refused(wanted="--known-at or --latency-days", got="both or neither", cure=cure)
    rows = read_whole(file).rows.drop_columns(["source_row"])
    for column in filter(None, (key, happened_at, known_at)):
        if column not in rows.column_names:
            cure = nearest(column, rows.column_names)
            raise Refused(wanted=f"a column of {file.name}", got=repr(column), cure=cure)
    properties = [_drafted(rows, column, key) for column in rows.column_names]
    times = [{"property": "happenedAt", "value": happened_at}]
    times += [{"property": "knownAt", "value": known_at}] if known_at else []
    drafted = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": f"{jurisdiction.name}-{name}",
        "version": "1.0.0",
        "status": "draft",
        "name": name,
        "schema": [
            {
                "name": name,
                "logicalType": "object",
                "businessName": name,
                "description": name,
                "customProperties": times,
                "properties": properties,
            }
        ],
    }
    if latency_days is not None:
        drafted["slaProperties"] = [{"property": "latency", "value": latency_days, "unit": "d"}]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(drafted, allow_unicode=True, sort_keys=False), "utf-8")
    try:
        load_contract(path)
    except Refused:
        path.unlink()
        raise
    return path


def _drafted(rows: pa.Table, name: str, key: str) -> dict[str, object]:
    """One property of a contract, from the values of its column."""
    with duckdb.connect() as connection:
        connection.register("arrived", rows.select([name]))
        text = f"trim({quoted(name)}::VARCHAR)"
        fits = ", ".join(
            f"coalesce(bool_and(regexp_full_match({text}, '{form}')), false)" for _, form in FORMS
        )
        named = f"coalesce(bool_or(regexp_full_match({text}, '{IDENTIFIER}')), false)"
        empty = f"coalesce(bool_or({quoted(name)} IS NULL OR {text} = ''), true)"
        *fitting, names, gaps = connection.execute(
            f"SELECT {fits}, {named}, {empty} FROM arrived"
        ).fetchall()[0]
    kinds = [kind for (kind, _), fit in zip(FORMS, fitting, strict=True) if fit]
    kind = kinds[0] if kinds and not (names and kinds[0] == "integer") else "string"
    drafted: dict[str, object] = {"name": name, "logicalType": kind}
    drafted |= {"businessName": name, "description": name}
    return drafted | ({"primaryKey": True} if name == key else {} if gaps else {"required": True})


def _require_name(name: str, wanted: str) -> None:
    if NAME.fullmatch(name) is None or not re.search("[a-z]", name):
        cure = "write small letters, digits and _, a letter first"
        raise Refused(wanted=f"the name of {wanted}", got=repr(name)[:60], cure=cure)


def _require_absent(path: Path) -> None:
    if path.exists():
        raise Conflict(wanted=f"no {path.name} yet", got="one", cure="choose another name")
