"""Spark beside the batch engine: the same table, bit for bit, whatever the buckets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import feature_worlds as worlds
import hamlet
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from base.errors import Refused
from base.moment import FixedClock
from clues.clue import clue_column_types, clues_asked_at, source_types
from features.declared import declared_features
from features.definition import FeatureSet, load_features
from features.table import build_features
from governance.home import Home
from governance.intake import admit_table
from governance.reading import Records

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from features.spark.table import Load

START = np.datetime64("2024-01-01", "us").astype(np.int64)
DAY = 86_400_000_000
NEVER = -1
DEFINED = worlds.definitions()
pytestmark = [
    # A session on Java and its workers take most of two minutes of processor time.
    pytest.mark.slow,
    # Told on every use of Arrow; nothing here goes through pandas.
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas"),
]


@pytest.fixture(scope="module")
def session() -> Iterator[SparkSession]:
    """Two workers on this machine; Spark needs a Java runtime, and nothing stands in for it."""
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17 or later, and no `java` is on the path")
    from features.spark.session import local_session

    # Jobs of a second each: compiling them well would take longer than they run.
    quick = {"spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1"}
    started = local_session(2, memory="1g", more=quick)
    yield started
    started.stop()


@dataclass(frozen=True)
class World:
    """A seeded world of the shape of feature_worlds, larger: records, and clues that ask."""

    paid: pa.Table
    ended: pa.Table
    asked: pa.Table

    def told_by_batch(self, defined: FeatureSet = DEFINED) -> pa.Table:
        with worlds.records_of(self.paid, self.ended) as records:
            return build_features(defined, self.asked, records, threads=1)

    def frames(self, session: SparkSession) -> tuple[DataFrame, dict[str, DataFrame]]:
        with worlds.records_of(self.paid, self.ended) as records:
            given = {name: records.arrow(name) for name in ("payments", "outcomes")}
        tables = {name: session.createDataFrame(table) for name, table in given.items()}
        return session.createDataFrame(self.asked), tables


def make_world(seed: int, *, records: int, clues: int, hot: float = 0.0, days: int = 60) -> World:
    """Ties to the microsecond, 30 % known late or early, 20 % retracted, NULLs in every column.

    One payment in a hundred is near 2^53 cents, so that sums are beyond what a float64 can add.
    `hot` is the share of payments and of clues that one person has; kinds are zipf-like, so that a
    window holds few of many.
    """
    draw = np.random.default_rng(seed)

    def moments(count: int) -> Any:
        edges = draw.choice([-1, 0, 0, 0, 1, 3_600_000_000], count)
        return START + draw.integers(0, days, count) * DAY + edges

    def times(values: Any) -> pa.Array:
        return pa.array(values, mask=values == NEVER).cast(pa.timestamp("us"))

    def texts(prefix: str, numbers: Any, missing: int) -> pa.Array:
        return pa.array([None if n == missing else f"{prefix}{n}" for n in numbers], pa.string())

    def persons(count: int) -> pa.Array:
        spread = draw.integers(1, 40, count)
        return texts("p", np.where(draw.random(count) < hot, 0, spread), missing=39)

    def cents(count: int, vast: float = 0.0) -> pa.Array:
        values = draw.integers(-5, 10, count)
        values = np.where(draw.random(count) < vast, 2**53 + values, values)
        return pa.array(values, mask=values == 9)

    happened = moments(records)
    known = np.where(draw.random(records) < 0.3, moments(records), happened)
    retracted = np.where(draw.random(records) < 0.2, moments(records), NEVER)
    paid = {
        "person": persons(records),
        "agency": texts("a", draw.integers(0, 4, records), missing=3),
        "cents": cents(records, vast=0.01),
        "kind": texts("k", np.minimum(draw.zipf(1.3, records), 900), missing=2),
        "happened_at": times(happened),
        "known_at": times(known),
        "retracted_at": times(retracted),
    }
    ended = {
        "model": texts("m", draw.integers(0, 3, records // 3), missing=NEVER),
        "became_case": pa.array(draw.integers(0, 3, records // 3)),
        "happened_at": times(moments(records // 3)),
    }
    became = pc.if_else(pc.equal(ended["became_case"], 2), None, ended["became_case"])
    asked = {
        "clue_id": [f"c{number}" for number in range(clues)],
        "person": persons(clues),
        "agency": texts("a", draw.integers(0, 4, clues), missing=3),
        "model": texts("m", draw.integers(0, 5, clues), missing=4),
        "cents": cents(clues),
        "raised_at": times(moments(clues)),
    }
    return World(pa.table(paid), pa.table({**ended, "became_case": became}), pa.table(asked))


def loaded(declared: dict[str, Any]) -> FeatureSet:
    return load_features(declared, sources=worlds.SOURCES, clue_columns=worlds.CLUE_COLUMNS)


def own_group(windows: list[Any], *kinds: str) -> dict[str, Any]:
    """The group `own` of feature_worlds in other windows, with some of its kinds (all if none)."""
    listed = [kind for kind in worlds.KINDS if not kinds or kind["kind"] in kinds]
    features = [{**kind, "sentence": worlds.WORDS} for kind in listed]
    return {**worlds.DEFINITIONS["history"][0], "windows": windows, "features": features}


def told_by_spark(
    world: World, session: SparkSession, defined: FeatureSet = DEFINED, **bounds: int
) -> tuple[pa.Table, dict[str, Load]]:
    """The table, and how full the buckets were, by the first feature of each sweep."""
    from features.spark.table import SparkPlan, collected

    plan = SparkPlan.of(defined, *world.frames(session), session, **bounds)
    loads = {load.group: load for load in plan.loads()} if "rows_per_bucket" in bounds else {}
    return collected(plan.features(), defined, world.asked), loads


def require_equal(ours: pa.Table, theirs: pa.Table) -> None:
    """Names the columns that differ."""
    differing = [name for name in theirs.column_names if not ours[name].equals(theirs[name])]
    assert differing == []
    assert ours.equals(theirs)


def test_every_kind_equals_the_batch_engine(session: SparkSession) -> None:
    """4,000 clues, 9,000 payments, all kinds: the same table, its types and nulls included."""
    world = make_world(11, records=9_000, clues=4_000)
    batch = world.told_by_batch()
    kinds = {feature.kind for feature in DEFINED.features}
    assert kinds >= {"column", "calendar", "ratio", *(kind["kind"] for kind in worlds.KINDS)}
    assert all(len(pc.unique(batch[name])) > 1 for name in DEFINED.names)
    told, _ = told_by_spark(world, session, buckets=8)
    require_equal(told, batch)


def test_a_hot_key_is_cut_and_no_value_changes(session: SparkSession) -> None:
    """One person has 60 % of 6,000 payments; no bucket holds more than 500 rows of either side.

    The key is cut for every kind, distinct (by intervals) included; so is the key of everything.
    """
    world = make_world(12, records=6_000, clues=1_500, hot=0.6)
    held = pc.sum(pc.equal(world.paid["person"], "p0")).as_py()
    assert held > 3_400
    recent = {**own_group([2], "count", "last"), "group": "recent", "where": "agency IS NOT NULL"}
    history = [own_group([3, "all"]), recent, worlds.DEFINITIONS["history"][2]]
    defined = loaded({"history": history, "ratios": worlds.DEFINITIONS["ratios"]})
    told, loads = told_by_spark(world, session, defined, rows_per_bucket=500, buckets=4)
    assert max(load.most_records for load in loads.values()) <= 500
    assert max(load.most_clues for load in loads.values()) <= 500
    for group in ("own__count_3d", "everywhere__count_all", "conversion__ratio_2d"):
        assert loads[group].salted == 1
    assert {f"own__distinct_kind_{window}" for window in ("3d", "all")} < loads.keys()
    # A window that ends spares the buckets of records and clues too far apart to meet.
    assert loads["recent__count_2d"].salted == 1
    assert loads["recent__count_2d"].buckets < loads["own__count_3d"].buckets * 2 / 3
    require_equal(told, world.told_by_batch(defined))


def test_what_has_one_moment_is_cut_too(session: SparkSession) -> None:
    """A first delivery: all payments known at one instant, more intervals than a bucket holds."""
    defined = loaded({"history": [own_group([400, "all"], "distinct", "last", "rank", "sum")]})
    world = make_world(13, records=1_500, clues=300, hot=0.9, days=500)
    at = pa.array([datetime(2024, 6, 1)] * 1_500, pa.timestamp("us"))
    place = world.paid.schema.get_field_index("known_at")
    world = World(world.paid.set_column(place, "known_at", at), world.ended, world.asked)
    told, loads = told_by_spark(world, session, defined, rows_per_bucket=120, buckets=1)
    assert max(load.most_records for load in loads.values()) <= 120
    assert loads["own__distinct_kind_all"].salted == 1
    require_equal(told, world.told_by_batch(defined))


def test_a_hot_key_that_no_clue_asks_for_goes_nowhere(session: SparkSession) -> None:
    """Its 700 of 800 records are in no bucket; those of others are, and give the batch's values."""
    defined = loaded({"history": [own_group(["all"], "count", "last")]})
    world = make_world(17, records=800, clues=60, hot=0.9)
    others = world.asked.filter(pc.not_equal(world.asked["person"], "p0"))
    world = World(world.paid, world.ended, others)
    told, loads = told_by_spark(world, session, defined, rows_per_bucket=200, buckets=1)
    assert 0 < loads["own__count_all"].most_records < 200
    require_equal(told, world.told_by_batch(defined))


def test_chunks_that_meet_in_one_microsecond_are_brought_together(session: SparkSession) -> None:
    """400 payments two days before, 400 just now: one microsecond decides which 400 count."""
    defined = loaded({"history": [own_group([2], "count", "sum", "last")]})
    day = START + 2 * DAY
    happened = pa.array([START] * 400 + [day] * 400).cast(pa.timestamp("us"))
    paid = pa.table({"person": ["p0"] * 800, "cents": range(800), "happened_at": happened})
    paid = paid.append_column("agency", pa.nulls(800, pa.string()))
    paid = paid.append_column("kind", pa.array(["k"] * 800))
    world = make_world(18, records=30, clues=60)
    at = pa.array([day] * 30 + [day + 1] * 30).cast(pa.timestamp("us"))
    asked = world.asked.drop_columns(["person", "raised_at"])
    asked = asked.append_column("person", pa.array(["p0"] * 60)).append_column("raised_at", at)
    world = World(paid, world.ended, asked)
    told, loads = told_by_spark(world, session, defined, rows_per_bucket=150, buckets=1)
    assert loads["own__count_2d"].most_records <= 150
    sums = [float(sum(range(400)))] * 30 + [float(sum(range(400, 800)))] * 30
    assert told["own__sum_cents_2d"].to_pylist() == sums
    require_equal(told, world.told_by_batch(defined))


def test_what_becomes_known_at_or_after_the_moment_changes_nothing(session: SparkSession) -> None:
    """The leak law: clues of one moment, with and without the records known from then on."""
    moment = pa.scalar(datetime(2024, 1, 31), pa.timestamp("us"))
    whole = make_world(14, records=3_000, clues=500)
    place = whole.asked.schema.get_field_index("raised_at")
    asked = whole.asked.set_column(place, "raised_at", pa.array([moment.as_py()] * 500))
    paid = whole.paid.filter(pc.less(whole.paid["known_at"], moment))
    ended = whole.ended.filter(pc.less(whole.ended["happened_at"], moment))
    assert 0 < len(paid) < len(whole.paid)
    defined = loaded({"history": [own_group([3, "all"])], "ratios": worlds.DEFINITIONS["ratios"]})
    with_later, _ = told_by_spark(World(whole.paid, whole.ended, asked), session, defined)
    before, _ = told_by_spark(World(paid, ended, asked), session, defined)
    require_equal(before, with_later)


def test_no_records_at_all_give_zeros_and_missing_values(session: SparkSession) -> None:
    """Counts are 0 where the clue has the key, missing where it has none, as in the batch."""
    world = make_world(15, records=30, clues=200)
    world = World(world.paid.slice(0, 0), world.ended.slice(0, 0), world.asked)
    told, _ = told_by_spark(world, session, buckets=2)
    require_equal(told, world.told_by_batch())
    assert set(told["own__count_all"].to_pylist()) == {0.0, None}


def test_the_register_is_looked_at_as_each_clue_was_raised(session: SparkSession) -> None:
    """Clues asked about at one later moment: every kind over the register and over payments."""
    from features.spark.table import collected, spark_features

    world, defined = make_world(17, records=300, clues=200), worlds.over_the_register()
    later = clues_asked_at(world.asked, worlds.START + timedelta(days=70))
    with worlds.register_of(world.paid, world.asked, world.asked.slice(0, 50)) as records:
        batch = build_features(defined, later, records, threads=1)
        names = ("payments", "clues")
        tables = {name: session.createDataFrame(records.arrow(name)) for name in names}
    told = spark_features(defined, session.createDataFrame(later), tables, session, buckets=3)
    require_equal(collected(told, defined, later), batch)


def test_a_home_is_read_at_its_delta_versions(
    session: SparkSession, tmp_path: Path, clock: FixedClock
) -> None:
    """The hamlet's own definitions over its record sets, one of them still empty."""
    from features.spark.session import record_frames
    from features.spark.table import collected, spark_features

    home = hamlet.settled_hamlet(tmp_path, clock)
    defined, frames = declared_features(home), record_frames(home, session)
    with Records(home) as records:
        asked = records.arrow("clues")
        batch = build_features(defined, asked, records, threads=1)
    assert frames["outcomes"].isEmpty()
    assert len(batch) == 12
    told = spark_features(defined, frames["clues"], frames, session)
    require_equal(collected(told, defined, asked), batch)
    before = record_frames(home, session, {"payments": 0})["payments"]
    assert sorted(before.columns) == sorted(frames["payments"].columns)


def test_a_column_declared_since_is_missing_until_it_is_told(
    session: SparkSession, tmp_path: Path, clock: FixedClock
) -> None:
    """A feature over it sees nothing of it at earlier moments, on one machine and on Spark."""
    from features.spark.session import record_frames
    from features.spark.table import collected, spark_features

    home = hamlet.settled_hamlet(tmp_path, clock)
    columns = [each.name for each in home.jurisdiction.contract("payments").columns]
    path = home.jurisdiction.folder / "records" / "payments.odcs.yaml"
    head, mark, rest = path.read_text("utf-8").partition("    properties:\n")
    path.write_text(f"{head}{mark}      - {{name: place, logicalType: string}}\n{rest}", "utf-8")
    home = Home.open(home.path)
    last = {"kind": "last", "column": "place", "type": "category", "sentence": worlds.WORDS}
    history = {"group": "places", "source": "payments", "key": {"subject_id": "person_id"}}
    declared = {"history": [{**history, "windows": ["all"], "features": [last]}]}
    kinds = source_types(home.jurisdiction), clue_column_types(home.jurisdiction)
    defined = load_features(declared, sources=kinds[0], clue_columns=kinds[1])
    name = defined.names[0]
    for told in range(2):
        frames = record_frames(home, session)
        with Records(home) as records:
            asked, paid = records.arrow("clues"), records.arrow("payments")
            batch = build_features(defined, asked, records, threads=1)
        assert batch[name].null_count == len(batch) == 12
        spread = spark_features(defined, frames["clues"], frames, session)
        require_equal(collected(spread, defined, asked), batch)
        assert (paid["place"].null_count < len(paid)) == bool(told)
        sent = pa.table({each: paid[each].cast(pa.string()) for each in columns})
        again = sent.append_column("place", pa.array(["Hefei"] * len(sent)))
        assert admit_table(home, "payments", again, clock).admitted == (0 if told else len(sent))


def test_keys_are_compared_as_text_and_conditions_are_duckdbs(session: SparkSession) -> None:
    """A key of numbers meets its text; what only DuckDB's dialect says is said in its words."""
    from features.spark.table import collected, spark_features

    history = {
        "group": "area",
        "source": "calls",
        "key": {"postal": "postal"},
        "where": "regexp_matches(note, '^lou+d')"
        " AND date_diff('day', made_on, DATE '2024-02-01') < 31",
        "windows": ["all"],
        "features": [{"kind": "sum", "column": "weight", "sentence": worlds.WORDS}],
    }
    defined = load_features(
        {"history": [history]},
        sources={
            "calls": {
                "postal": "string",
                "note": "string",
                "weight": "integer",
                "made_on": "date",
            }
        },
        clue_columns={"postal": "integer"},
    )
    times = [datetime(2024, 1, day) for day in (1, 2, 3, 4)]
    calls = {
        "postal": ["60609", "60609", "060609", "60609"],
        "note": ["loud", "louud", "loud", "aloud"],
        "weight": [1, 2, 4, 8],
        "made_on": [time.date() for time in times],
        "happened_at": pa.array(times, pa.timestamp("us")),
    }
    asked = pa.table(
        {
            "clue_id": ["one", "two"],
            "postal": [60609, 60610],
            "raised_at": pa.array([datetime(2024, 2, 1)] * 2, pa.timestamp("us")),
        }
    )
    with Records.of_tables({"calls": pa.table(calls)}) as records:
        batch = build_features(defined, asked, records, threads=1)
        frames = {"calls": session.createDataFrame(records.arrow("calls"))}
    told = spark_features(defined, session.createDataFrame(asked), frames, session)
    require_equal(collected(told, defined, asked), batch)
    assert batch["area__sum_weight_all"].to_pylist() == [2.0, 0.0]


def test_what_could_go_wrong_silently_is_refused(session: SparkSession) -> None:
    """Another time zone, a clue that comes twice, buckets of a few rows, no record numbers."""
    from features.spark.table import spark_features

    world = make_world(16, records=30, clues=20)
    clues, tables = world.frames(session)
    with pytest.raises(Refused, match="each clue_id once"):
        spark_features(DEFINED, clues.union(clues), tables, session)
    with pytest.raises(Refused, match="rows per bucket"):
        spark_features(DEFINED, clues, tables, session, rows_per_bucket=5)
    bare = {**tables, "payments": tables["payments"].drop("record_no")}
    with pytest.raises(Refused, match="none named record_no"):
        spark_features(DEFINED, clues, bare, session)
    session.conf.set("spark.sql.session.timeZone", "Asia/Shanghai")
    try:
        with pytest.raises(Refused, match="time zone is UTC"):
            spark_features(DEFINED, clues, tables, session)
    finally:
        session.conf.set("spark.sql.session.timeZone", "UTC")
