"""How columns of a declared type are kept: records, and the clue register."""

from __future__ import annotations

import pyarrow as pa

ARROW_TYPES = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "boolean": pa.bool_(),
}
