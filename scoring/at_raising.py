"""Feature rows of clues as of their raising: the moment of every row that training looks at.

A queue is scored as of now, old clues and new ones alike; counts and days have grown since. What a
scorer learned from can be compared with rows of the same kind of moment only. They are computed
once and kept in the home, as what was known before a raising does not change, but for records that
are admitted late: whoever watches every night asks `anew`. The file may be deleted at any time.

    at_raising/<fingerprint>.parquet       as build_features gives it, categories as texts
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from governance.home import Home

FOLDER = "at_raising"
# Of more than so many those raised first are not kept.
KEPT = 50_000
# The feature table of clues, each at its own raised_at.
FeatureRows = Callable[[pa.Table], pa.Table]


def rows_at_raising(
    home: Home, fingerprint: str, clues: pa.Table, feature_rows: FeatureRows, *, anew: bool = False
) -> pa.Table:
    """The feature rows of `clues` (of the register), in no order; `fingerprint`: of the definitions
    that `feature_rows` asks. `anew`: none of them as they were kept."""
    if clues.num_rows == 0:
        return pa.table({"clue_id": pa.array([], pa.string())})
    folder = home.path / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{fingerprint[:16]}.parquet"
    with (folder / ".lock").open("w") as lock:
        # One process computes, the others wait and read what it wrote.
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = pq.read_table(path) if path.is_file() else None
        known = None if kept is None else kept["clue_id"].combine_chunks()
        asked = clues
        if known is not None and not anew:
            asked = clues.filter(pc.invert(pc.is_in(clues["clue_id"], known)))
        if asked.num_rows:
            kept = _with(kept, _plain(feature_rows(asked)))
            _write(kept, path)
    assert kept is not None
    return kept.filter(pc.is_in(kept["clue_id"], clues["clue_id"].combine_chunks()))


def _with(kept: pa.Table | None, new: pa.Table) -> pa.Table:
    """What was kept and is not among the new, and the new."""
    if kept is None:
        return new
    others = kept.filter(pc.invert(pc.is_in(kept["clue_id"], new["clue_id"].combine_chunks())))
    return pa.concat_tables([others, new]).combine_chunks()


def _write(kept: pa.Table, path: Path) -> None:
    """Whole or not at all, the newest raised."""
    newest = kept.sort_by([("moment", "descending"), ("clue_id", "ascending")]).slice(0, KEPT)
    draft = path.with_suffix(".new")
    pq.write_table(newest, draft)
    draft.replace(path)


def _plain(rows: pa.Table) -> pa.Table:
    """Categories as texts: no two tables need agree on codes."""
    fields = [
        pa.field(each.name, pa.string()) if pa.types.is_dictionary(each.type) else each
        for each in rows.schema
    ]
    return rows.cast(pa.schema(fields))
