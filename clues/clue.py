"""A clue: one subject on one ground, raised at a moment, with the records that say so."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from governance.arrow_types import ARROW_TYPES
from governance.contract import Contract
from governance.jurisdiction import Jurisdiction

SEPARATOR = "\x1f"
FUNCTIONS = ("criminal", "civil", "administrative", "public_interest")

FIXED_COLUMNS: dict[str, pa.DataType] = {
    "clue_id": pa.string(),
    "supervision_model": pa.string(),
    "model_version": pa.string(),
    "function": pa.string(),
    "severity": pa.int64(),
    "subject_kind": pa.string(),
    "subject_id": pa.string(),
    "ground": pa.string(),
    "ground_key": pa.string(),
    "office_id": pa.string(),
    "raised_at": pa.timestamp("us"),
    "evidence": pa.list_(pa.string()),
}
# When a clue was raised that is asked about at another moment (then in `raised_at`). Not in the
# register, where both are one.
RAISING = "clues__raised_at"
SYSTEM_COLUMNS: dict[str, pa.DataType] = {
    "record_no": pa.int64(),
    "happened_at": pa.timestamp("us"),
    "known_at": pa.timestamp("us"),
    "retracted_at": pa.timestamp("us"),
    "batch": pa.string(),
}
COLUMN_TYPES = {
    pa.string(): "string",
    pa.int64(): "integer",
    pa.timestamp("us"): "timestamp",
}


def clue_id(ground: str, subject_id: str, ground_key: str) -> str:
    """The identity of a clue: 16 hex digits over (ground, subject, ground key).

    Two supervision models, or two runs of one, that find the same subject on the same ground find
    the same clue.
    """
    return hashlib.sha256(SEPARATOR.join((ground, subject_id, ground_key)).encode()).hexdigest()[
        :16
    ]


def clue_schema(jurisdiction: Jurisdiction) -> pa.Schema:
    """Columns of the clue table: system, fixed, then the jurisdiction's own."""
    own = {name: ARROW_TYPES[kind] for name, kind in jurisdiction.clue_columns.items()}
    return pa.schema({**SYSTEM_COLUMNS, **FIXED_COLUMNS, **own})


def asked_schema(jurisdiction: Jurisdiction) -> pa.Schema:
    """Columns of clues asked about at a moment: those of the clue table, and when each was raised
    (null: at that moment)."""
    return clue_schema(jurisdiction).append(pa.field(RAISING, pa.timestamp("us")))


def clue_asked_at(clue: Mapping[str, Any], moment: datetime) -> dict[str, Any]:
    """The clue with `moment` as its `raised_at`, and its raising kept beside it."""
    return {**clue, "raised_at": moment, RAISING: clue.get(RAISING) or clue["raised_at"]}


def clues_asked_at(clues: pa.Table, moment: datetime) -> pa.Table:
    """The same of a table of clues."""
    at = clues.schema.get_field_index("raised_at")
    if RAISING not in clues.column_names:
        clues = clues.append_column(RAISING, clues["raised_at"])
    moments = pa.array([moment] * clues.num_rows, pa.timestamp("us"))
    return clues.set_column(at, "raised_at", moments)


def clue_column_types(jurisdiction: Jurisdiction) -> dict[str, str]:
    """Column -> declared type, of every column of a clue that a feature may use."""
    fixed = {
        name: COLUMN_TYPES[kind] for name, kind in FIXED_COLUMNS.items() if kind in COLUMN_TYPES
    }
    return {**fixed, **jurisdiction.clue_columns}


def source_types(jurisdiction: Jurisdiction) -> dict[str, dict[str, str]]:
    """Record set -> column -> type, of everything features may read, the clues included."""
    contracts: dict[str, Contract] = jurisdiction.contracts
    sources = {name: contract.types for name, contract in contracts.items()}
    return {**sources, "clues": clue_column_types(jurisdiction)}
