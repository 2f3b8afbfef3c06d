"""The clue ledger: scores given, shadow scores, orders, keys. SQLite, or PostgreSQL by its URL.

SQLite runs in WAL with synchronous=FULL: what was acknowledged survives a crash (P-1).
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from base.errors import NotFound

MIGRATION_LOCK = 7_306_001  # any number, the same in every process
metadata = sa.MetaData()
Floats = npt.NDArray[np.float64]

scores_given = sa.Table(
    "scores_given",
    metadata,
    sa.Column("score_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("clue_id", sa.String(64), nullable=False, index=True),
    sa.Column("office_id", sa.String(64)),
    sa.Column("moment", sa.DateTime, nullable=False),
    sa.Column("scorer", sa.String(64), nullable=False),
    sa.Column("features_fingerprint", sa.String(64), nullable=False),
    sa.Column("versions", sa.JSON, nullable=False),
    sa.Column("margin", sa.Float, nullable=False),
    sa.Column("probability", sa.Float, nullable=False),
    sa.Column("base", sa.Float, nullable=False),
    sa.Column("feature_values", sa.JSON, nullable=False),
    sa.Column("contributions", sa.LargeBinary, nullable=False),
    sa.Column("flags", sa.JSON, nullable=False),
    sa.Column("given_at", sa.DateTime, nullable=False),
)
shadow_scores = sa.Table(
    "shadow_scores",
    metadata,
    sa.Column("shadow_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("clue_id", sa.String(200), nullable=False),
    sa.Column("moment", sa.DateTime, nullable=False),
    sa.Column("champion", sa.String(64), nullable=False),
    sa.Column("champion_margin", sa.Float, nullable=False),
    sa.Column("challenger", sa.String(64), nullable=False),
    sa.Column("challenger_margin", sa.Float, nullable=False),
    # Clues left out since the batch before, because too many were waiting.
    sa.Column("dropped_before", sa.Integer, nullable=False),
    sa.Column("given_at", sa.DateTime, nullable=False),
    sa.Index("ix_shadow_scores_pair", "challenger", "champion"),
)
orders = sa.Table(
    "orders",
    metadata,
    sa.Column("order_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("clue_id", sa.String(64), nullable=False, unique=True),
    sa.Column("office_id", sa.String(64)),
    sa.Column("ordered_at", sa.DateTime, nullable=False),
    sa.Column("ordered_by", sa.String(200), nullable=False),
    sa.Column("accept_until", sa.DateTime, nullable=False),
    sa.Column("verify_until", sa.DateTime, nullable=False),
    sa.Column("exploration", sa.Boolean, nullable=False),
    sa.Column("drawing_probability", sa.Float, nullable=False),
)
keys = sa.Table(
    "keys",
    metadata,
    sa.Column("key_id", sa.String(16), primary_key=True),
    sa.Column("key_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("role", sa.String(32), nullable=False),
    sa.Column("office_id", sa.String(64)),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("revoked_at", sa.DateTime),
    sa.Column("holder", sa.String(200)),
    sa.Column("expires_at", sa.DateTime),
)


@dataclass(frozen=True)
class GivenScore:
    """One score as it was given; enough to give it again, bit for bit."""

    clue_id: str
    office_id: str | None
    moment: datetime
    scorer: str
    features_fingerprint: str
    versions: dict[str, int]
    margin: float
    probability: float
    base: float
    feature_values: list[float | str | None]
    contributions: Floats
    flags: list[str]
    given_at: datetime

    def row(self) -> dict[str, Any]:
        values = dict(vars(self))
        values["contributions"] = np.ascontiguousarray(self.contributions, "<f8").tobytes()
        return values


@dataclass(frozen=True)
class ShadowScore:
    """What the challenger would have said beside a score that was given."""

    clue_id: str
    moment: datetime
    champion: str
    champion_margin: float
    challenger: str
    challenger_margin: float
    dropped_before: int
    given_at: datetime


@lru_cache(maxsize=8)
def open_ledger(url: str) -> sa.Engine:
    """Open a ledger, bringing its tables to the newest migration."""
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _make_durable)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with _alone(engine), engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return engine


@contextmanager
def _alone(engine: sa.Engine) -> Iterator[None]:
    """Several workers start at once, and only one of them may make a table."""
    if engine.dialect.name == "sqlite":
        with Path(f"{engine.url.database}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        return
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        yield


def _make_durable(connection: Any, _: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {pragma}")


def durability(engine: sa.Engine) -> dict[str, str]:
    """The settings an operator wants to see: database, journal, synchronous."""
    if engine.dialect.name != "sqlite":
        with engine.connect() as connection:
            value = connection.execute(sa.text("SHOW synchronous_commit")).scalar_one()
        return {"database": engine.dialect.name, "synchronous_commit": str(value)}
    with engine.connect() as connection:
        journal = connection.execute(sa.text("PRAGMA journal_mode")).scalar_one()
        synchronous = connection.execute(sa.text("PRAGMA synchronous")).scalar_one()
    return {"database": "sqlite", "journal": str(journal), "synchronous": str(synchronous)}


def record_scores(engine: sa.Engine, given: Iterable[GivenScore]) -> int:
    """Keep scores in one transaction; returns how many."""
    rows = [score.row() for score in given]
    if rows:
        with engine.begin() as connection:
            connection.execute(sa.insert(scores_given), rows)
    return len(rows)


def latest_score(engine: sa.Engine, clue_id: str) -> GivenScore:
    """The newest score of a clue. Raises NotFound where it was never scored."""
    query = (
        sa.select(scores_given)
        .where(scores_given.c.clue_id == clue_id)
        .order_by(scores_given.c.score_id.desc())
        .limit(1)
    )
    with engine.connect() as connection:
        row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFound(wanted="a scored clue", got="no score of it", cure="check the clue's id")
    values = {name: row[name] for name in row if name != "score_id"}
    values["contributions"] = np.frombuffer(row["contributions"], "<f8")
    return GivenScore(**values)


def newest_scores(engine: sa.Engine) -> list[dict[str, Any]]:
    """clue_id, office_id, margin, probability, scorer, moment of each clue's newest score."""
    newest = sa.select(sa.func.max(scores_given.c.score_id)).group_by(scores_given.c.clue_id)
    wanted = ("clue_id", "office_id", "margin", "probability", "scorer", "moment")
    query = sa.select(*(scores_given.c[name] for name in wanted)).where(
        scores_given.c.score_id.in_(newest)
    )
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def record_shadow(engine: sa.Engine, given: Iterable[ShadowScore]) -> int:
    """Keep shadow scores in one transaction; returns how many."""
    rows = [dict(vars(score)) for score in given]
    if rows:
        with engine.begin() as connection:
            connection.execute(sa.insert(shadow_scores), rows)
    return len(rows)


def newest_shadow(engine: sa.Engine, champion: str, challenger: str) -> list[dict[str, Any]]:
    """clue_id, moment, both margins and given_at of each clue's newest shadow score of the pair."""
    pair = (shadow_scores.c.champion == champion) & (shadow_scores.c.challenger == challenger)
    newest = (
        sa.select(sa.func.max(shadow_scores.c.shadow_id))
        .where(pair)
        .group_by(shadow_scores.c.clue_id)
    )
    wanted = ("clue_id", "moment", "champion_margin", "challenger_margin", "given_at")
    query = sa.select(*(shadow_scores.c[name] for name in wanted)).where(
        shadow_scores.c.shadow_id.in_(newest)
    )
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def shadow_counts(engine: sa.Engine, challenger: str) -> dict[str, int]:
    """How many shadow scores of a challenger are kept, and how many clues were left out."""
    query = sa.select(
        sa.func.count(), sa.func.coalesce(sa.func.sum(shadow_scores.c.dropped_before), 0)
    ).where(shadow_scores.c.challenger == challenger)
    with engine.connect() as connection:
        scored, dropped = connection.execute(query).one()
    return {"scored": int(scored), "dropped": int(dropped)}
