"""A clue: one subject on one ground, raised at a moment, with the records that say so."""

from __future__ import annotations

import hashlib

import pyarrow as pa

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
SYSTEM_COLUMNS: dict[str, pa.DataType] = {
    "record_no": pa.int64(),
    "happened_at": pa.timestamp("us"),
    "known_at": pa.timestamp("us"),
    "retracted_at": pa.timestamp("us"),
    "batch": pa.string(),
}
ARROW_TYPES = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "boolean": pa.bool_(),
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
