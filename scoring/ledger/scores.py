"""Scores given: kept with all that is needed to give them again, bit for bit (P-5)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import itemgetter
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import orjson
import sqlalchemy as sa

from base.errors import NotFound
from scoring.ledger.chain import Entry, append, canonical
from scoring.ledger.opening import writing
from scoring.ledger.prepared import insert_rows, time_as_kept
from scoring.ledger.tables import clue_states, scores_given

Floats = npt.NDArray[np.float64]
ROWS_AT_ONCE = 2_000
# Of the ledger's own keeping: neither the clue's nor the score's.
OF_THE_ROW = ("score_id", "batch")
KEPT = tuple(column.name for column in scores_given.c if column.name != "score_id")
VALUES = itemgetter(*KEPT)
# Asked for every page: built once.
NEWEST_OF_CLUE = (
    sa.select(scores_given)
    .where(scores_given.c.clue_id == sa.bindparam("clue"), scores_given.c.purpose == "work")
    .order_by(scores_given.c.score_id.desc())
    .limit(1)
)
IN_JSON = ("versions", "feature_values", "flags", "given_clue")


@dataclass(frozen=True)
class GivenScore:
    """One score as it was given; enough to give it again, bit for bit.

    `purpose`: `work` is what the clue stands in the queue with, `asked` was told to a caller and
    no more. `given_clue`: the clue's own columns where the register does not have the clue.
    """

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
    purpose: Literal["work", "asked"] = "work"
    given_clue: dict[str, Any] | None = None

    def row(self) -> dict[str, Any]:
        """Its columns by name, as they are read back."""
        values = dict(vars(self))
        values["contributions"] = np.ascontiguousarray(self.contributions, "<f8").tobytes()
        return values


def record_scores(engine: sa.Engine, given: Iterable[GivenScore], *, by: str = "platform") -> int:
    """Keep scores in one transaction, told in the audit; returns how many."""
    with writing(engine) as connection:
        return keep_scores(connection, given, by=by)


def keep_scores(connection: sa.Connection, given: Iterable[GivenScore], *, by: str) -> int:
    """The same in the caller's transaction (one of `writing`).

    One audit row tells of all of them and holds the digest over all that was kept. Clues that
    stand in `clue_states` stand there with their newest score for work from now on.
    """
    batch, digests, count = secrets.token_hex(16), [], 0
    about, scorers, at, work = "", set(), None, False
    scores = iter(given)
    time = time_as_kept(connection)
    while chunk := list(islice(scores, ROWS_AT_ONCE)):
        rows = [row_to_keep(score, batch, time) for score in chunk]
        digests += [digest for _, digest in rows]
        insert_rows(connection, scores_given, KEPT, [row for row, _ in rows])
        scorers |= {score.scorer for score in chunk}
        work = work or any(score.purpose == "work" for score in chunk)
        count, at = count + len(chunk), chunk[-1].given_at
        about = chunk[0].clue_id if count == 1 else ""
    if at is None:
        return 0
    if work:
        _stand_with(connection, batch)
    body = {
        "batch": batch,
        "scores": count,
        "scorers": sorted(scorers),
        "digest": digest_of_batch(digests),
    }
    append(connection, [Entry("scores", by, about, body, at)])
    return count


def row_to_keep(
    score: GivenScore, batch: str, time: Callable[[datetime], Any]
) -> tuple[tuple[Any, ...], bytes]:
    """The values of a score's row, in the order of KEPT, and the digest of the score.

    What is JSON in the row is written once, for both: the digest is that of `digest_of_score`.
    """
    told = dict(vars(score))
    contributions = np.ascontiguousarray(score.contributions, "<f8").tobytes()
    told["contributions"] = contributions.hex()
    written = {name: _json(told[name]) for name in IN_JSON if told[name] is not None}
    digest = hashlib.sha256(_json(told | {n: orjson.Fragment(t) for n, t in written.items()}))
    row = told | {name: text.decode() for name, text in written.items()}
    row |= {"moment": time(score.moment), "given_at": time(score.given_at)}
    row |= {"contributions": contributions, "batch": batch}
    return VALUES(row), digest.digest()


def _json(value: Any) -> bytes:
    """What `canonical` gives of values whose keys are texts, in less time."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest_of_score(row: Mapping[str, Any]) -> bytes:
    """sha256 over everything a score's row says, as given or as read back."""
    told = {name: row[name] for name in row if name not in OF_THE_ROW}
    told["contributions"] = bytes(told["contributions"]).hex()
    return hashlib.sha256(canonical(told)).digest()


def digest_of_batch(digests: Iterable[bytes]) -> str:
    """One digest over scores kept together, whatever the order they are read back in."""
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def _stand_with(connection: sa.Connection, batch: str) -> None:
    newest = (
        sa.select(sa.func.max(scores_given.c.score_id))
        .where(scores_given.c.batch == batch, scores_given.c.purpose == "work")
        .group_by(scores_given.c.clue_id)
    )
    connection.execute(
        sa.update(clue_states)
        .where(
            clue_states.c.clue_id == scores_given.c.clue_id,
            scores_given.c.score_id.in_(newest),
        )
        .values(
            score_id=scores_given.c.score_id,
            margin=scores_given.c.margin,
            probability=scores_given.c.probability,
        )
    )


def given_of(row: Mapping[str, Any]) -> GivenScore:
    """A score from its row of the ledger."""
    values = {name: row[name] for name in row if name not in OF_THE_ROW}
    values["contributions"] = np.frombuffer(row["contributions"], "<f8")
    return GivenScore(**values)


def latest_score(engine: sa.Engine, clue_id: str) -> GivenScore:
    """The newest score of a clue for work. Raises NotFound where it was never scored."""
    with engine.connect() as connection:
        return score_of_clue(connection, clue_id)


def score_of_clue(connection: sa.Connection, clue_id: str) -> GivenScore:
    """The same."""
    row = connection.execute(NEWEST_OF_CLUE, {"clue": clue_id}).first()
    if row is None:
        raise NotFound(
            wanted="a scored clue",
            got="no score of it",
            cure="check its id; if it was raised lately, run: clues score",
        )
    return given_of(row._asdict())


def scores_of(engine: sa.Engine, clue_id: str) -> list[GivenScore]:
    """Every kept score of a clue, the oldest first. Raises NotFound where there is none."""
    query = sa.select(scores_given).where(scores_given.c.clue_id == clue_id)
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(scores_given.c.score_id)).mappings().all()
    if not rows:
        raise NotFound(
            wanted="a scored clue",
            got="no score of it",
            cure="check its id; if it was raised lately, run: clues score",
        )
    return [given_of(dict(row)) for row in rows]


def newest_scores(engine: sa.Engine) -> list[dict[str, Any]]:
    """clue_id, office_id, margin, probability, scorer, moment of each clue's newest score."""
    newest = (
        sa.select(sa.func.max(scores_given.c.score_id))
        .where(scores_given.c.purpose == "work")
        .group_by(scores_given.c.clue_id)
    )
    wanted = ("clue_id", "office_id", "margin", "probability", "scorer", "moment")
    query = sa.select(*(scores_given.c[name] for name in wanted)).where(
        scores_given.c.score_id.in_(newest)
    )
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
