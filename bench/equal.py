"""The same values from every engine, at a size that matters: how many differ, of how many.

    python -m bench.equal

The world has what makes engines disagree: a hot key, records known late, retractions, clues and
records without a key, a state that is a text, ratios up to all records at once.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from base.settings import available_cores
from bench.measure import Comparison
from bench.online import store_engine
from bench.spark import spark_engine
from bench.worlds import DAY, SIZES, WINDOWS, Size, make_world
from features.brute import brute_features
from features.definition import FeatureSet, load_features
from features.sql import sql_features
from features.table import build_features
from governance.reading import Records

Engine = Callable[[FeatureSet, pa.Table, Records], pa.Table]
ENGINES: dict[str, Engine] = {
    "sql": sql_features,
    "online": store_engine,
    "spark": spark_engine,
}
SEED, SAMPLE, MOMENTS, ADDED = 11, 50, 6, 100_000
LATE, RETRACTED, UNNAMED = 0.1, 0.03, 0.01
STATES = ("open", "paid", "stopped", "doubted", None)
KINDS: tuple[dict[str, str], ...] = (
    {"kind": "count"},
    {"kind": "exists"},
    {"kind": "sum", "column": "cents"},
    {"kind": "mean", "column": "cents"},
    {"kind": "min", "column": "cents"},
    {"kind": "max", "column": "cents"},
    {"kind": "last", "column": "cents"},
    {"kind": "last", "column": "state", "type": "category"},
    {"kind": "distinct", "column": "agency"},
    {"kind": "days_since_last"},
    {"kind": "rank", "column": "cents", "of": "cents"},
)


def comparisons() -> Iterator[Comparison]:
    """features.equal.*: ours = values that differ from the sweep's (0 wanted), peer = compared."""
    paid, clues = world(SIZES["m"])
    defined = definitions([{"person": "person"}, {"agency": "agency"}, {}])
    with Records.of_tables({"payments": paid}) as records:
        swept = build_features(defined, clues, records, threads=available_cores())
        for name, engine in ENGINES.items():
            other = engine(defined, clues, records)
            yield _told(f"features.equal.{name}", *differing(swept, other))
        yield _told("features.equal.brute", *_beside_plain_loops(clues, records))
    yield _told("features.equal.leak", *_leaks(defined, paid, clues, swept))


def world(size: Size) -> tuple[pa.Table, pa.Table]:
    """bench.worlds, a tenth known up to 60 days late, some retracted, some without a key."""
    paid, clues = make_world(size)
    draw = np.random.default_rng(SEED)
    happened = paid["happened_at"].to_numpy()
    late = np.where(draw.random(size.records) < LATE, draw.integers(0, 60, size.records), 0)
    known = happened + late * DAY
    retracted = pa.array(
        known + draw.integers(0, 400, size.records) * DAY,
        mask=draw.random(size.records) >= RETRACTED,
    )
    states = pa.array(STATES).take(pa.array(draw.integers(0, len(STATES), size.records)))
    paid = _some_unnamed(paid, "person", draw)
    for name, values in {"known_at": known, "retracted_at": retracted, "state": states}.items():
        paid = paid.append_column(name, pa.array(values))
    clues = _some_unnamed(clues, "person", draw)
    clues = clues.append_column("agency", pa.array(draw.integers(0, 200, size.clues)))
    return paid, clues.append_column("cents", pa.array(draw.integers(0, 100_000, size.clues)))


def _some_unnamed(table: pa.Table, column: str, draw: np.random.Generator) -> pa.Table:
    lost = pa.array(draw.random(table.num_rows) < UNNAMED)
    place = table.schema.get_field_index(column)
    return table.set_column(place, column, pc.if_else(lost, None, table[column]))


def definitions(ladder: list[dict[str, str]]) -> FeatureSet:
    """Every kind in every window, and a ratio over `ladder`."""
    windows = list(WINDOWS)
    features = [{**kind, "windows": windows, "sentence": _words(kind)} for kind in KINDS]
    group = {"group": "own", "source": "payments", "key": {"person": "person"}}
    ratio = {
        "group": "stopped", "source": "payments", "numerator": "state = 'stopped'",
        "where": "state IS NOT NULL", "ladder": ladder, "prior": 0.1, "strength": 20,
        "windows": windows, "sentence": {"zh": "{window}停发{value}", "en": "{value} in {window}"},
    }  # fmt: skip
    return load_features(
        {"history": [{**group, "windows": windows, "features": features}], "ratios": [ratio]},
        sources={
            "payments": {
                "person": "integer",
                "agency": "integer",
                "cents": "integer",
                "state": "string",
            }
        },
        clue_columns={"person": "integer", "agency": "integer", "cents": "integer"},
    )


def _words(kind: Mapping[str, str]) -> dict[str, str]:
    told = " ".join(kind[part] for part in ("kind", "column") if part in kind)
    return {"zh": f"{{window}}{told}：{{value}}", "en": f"{told} in {{window}}: {{value}}"}


def differing(ours: pa.Table, theirs: pa.Table) -> tuple[int, int]:
    """Values that are not the same to the last bit (missing equals missing), and all values."""
    assert ours.schema == theirs.schema, (ours.schema, theirs.schema)
    assert ours["clue_id"].equals(theirs["clue_id"])
    different = 0
    for name in ours.column_names[2:]:
        mine, other = _bits(ours[name]), _bits(theirs[name])
        same = pc.fill_null(pc.equal(mine, other), False)
        neither = pc.and_(pc.is_null(mine), pc.is_null(other))
        different += ours.num_rows - int(pc.sum(pc.or_(same, neither)).as_py() or 0)
    return different, ours.num_rows * (ours.num_columns - 2)


def _bits(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    if pa.types.is_floating(whole.type):
        return whole.view(pa.int64())
    return whole.cast(pa.string())


def _beside_plain_loops(clues: pa.Table, records: Records) -> tuple[int, int]:
    """The plain loops on a seeded sample of clues, a fifth of them of the hottest key.

    Without the ratio's last step: a loop over all records for each clue is what sweeps spare us,
    and small worlds prove that step.
    """
    defined = definitions([{"person": "person"}, {"agency": "agency"}])
    draw = np.random.default_rng(SEED)
    hot = np.flatnonzero(pc.fill_null(pc.equal(clues["person"], 0), False).to_numpy())
    rows = np.append(
        draw.choice(hot, SAMPLE // 5, replace=False),
        draw.choice(len(clues), SAMPLE - SAMPLE // 5, replace=False),
    )
    some = clues.take(pa.array(rows))
    swept = build_features(defined, clues, records, threads=available_cores()).take(pa.array(rows))
    looped = brute_features(defined, some, records)
    arrays = [some["clue_id"], some["raised_at"]]
    for name in defined.names:
        category = pa.types.is_dictionary(swept[name].type)
        plain = pa.array(looped[name], pa.string() if category else pa.float64())
        arrays.append(plain.dictionary_encode() if category else plain)
    return differing(swept, pa.table(arrays, names=swept.column_names))


def _leaks(
    defined: FeatureSet, paid: pa.Table, clues: pa.Table, swept: pa.Table
) -> tuple[int, int]:
    """Values of clues that change when what they could not know is changed at random.

    At each of some moments everything known at or after it is drawn anew and more is added; the
    clues raised at that very moment or before it must not notice.
    """
    draw = np.random.default_rng(SEED)
    raised = clues["raised_at"].to_numpy()
    changed = compared = 0
    for moment in draw.choice(np.unique(raised), MOMENTS, replace=False):
        rows = pa.array(np.flatnonzero(raised <= moment))
        with Records.of_tables({"payments": otherwise(paid, moment, draw)}) as records:
            after = build_features(defined, clues.take(rows), records, threads=available_cores())
        different, count = differing(swept.take(rows), after)
        changed, compared = changed + different, compared + count
    return changed, compared


def otherwise(paid: pa.Table, moment: np.datetime64, draw: np.random.Generator) -> pa.Table:
    """`paid` with all that becomes known at or after `moment` drawn anew, and more of it added."""
    at = pa.scalar(moment, pa.timestamp("us"))
    earlier = paid.filter(pc.less(paid["known_at"], at))
    count = len(paid) - len(earlier) + ADDED
    everyone = pa.array(np.arange(len(paid)))
    anyone = paid.take(everyone.take(pa.array(draw.integers(0, len(paid), count))))
    later = moment + draw.integers(0, 1_000, count) * DAY
    anyone = anyone.set_column(
        anyone.schema.get_field_index("known_at"), "known_at", pa.array(later)
    )
    # A retraction that is known at the moment or later is none yet: it may move, come or go.
    retracted = earlier["retracted_at"]
    open_yet = pc.fill_null(pc.greater_equal(retracted, at), True)
    moved = pa.array(
        moment + draw.integers(0, 1_000, len(earlier)) * DAY, mask=draw.random(len(earlier)) < 0.5
    )
    earlier = earlier.set_column(
        earlier.schema.get_field_index("retracted_at"),
        "retracted_at",
        pc.if_else(open_yet, moved, retracted),
    )
    return pa.concat_tables([earlier, anyone])


def _told(name: str, different: int, compared: int) -> Comparison:
    """`ratio` is the share of values that are equal."""
    share = round(1 - different / compared, 6)
    load = os.getloadavg()[0]
    return Comparison(
        name, different, compared, share, "values differing", 1, load, available_cores()
    )


def main() -> None:
    """Print each comparison as it comes."""
    arguments: Any = argparse.ArgumentParser(description=__doc__)
    arguments.parse_args()
    for comparison in comparisons():
        print(f"{comparison.name:<24} {comparison.ours:>6} of {comparison.peer:>12,} differ")


if __name__ == "__main__":
    main()
