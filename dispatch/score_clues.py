"""The working run, top-down: open clues -> features -> champion -> reasons -> ledger -> file.

It goes in parts of bounded memory. A part's scores are kept in the ledger in one transaction and
its rows written whole; a run that was killed is completed by the same call.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from base.bilingual import Language
from base.errors import NotFound, Refused
from base.moment import Clock
from base.progress import Stages
from base.settings import Settings
from clues.register import read_clues
from dispatch.endings import admit_endings
from dispatch.open_clues import open_clues
from dispatch.outcome_events import settle_all
from dispatch.parts import Parts
from dispatch.scoring_run import ScoredClues, as_of, batch_rows, given_scores, load_champion
from dispatch.standing import PLATFORM, keep_scored
from features.definition import FeatureSet
from features.leaving import LeavingFor, hidden_from_others
from governance import tables
from governance.home import Home
from governance.pseudonyms import under_pseudonyms
from scoring.batch import TOLD
from scoring.batch_workers import told_batches
from scoring.ledger import open_ledger, writing
from scoring.ledger.tables import scores_given
from scoring.scorer import Scorer

ROWS_OF_A_PART = 50_000
FIRST_TOLD = 3
SCHEMA = pa.schema(
    [("clue_id", pa.string()), ("office_id", pa.string()), ("moment", pa.timestamp("us")), *TOLD]
)


@dataclass(frozen=True)
class _Run:
    """What is asked, and the parts it is cut into: `clues` in one order, `rows` of them each."""

    home: Home
    scorer: Scorer
    definitions: FeatureSet
    clues: pa.Table
    asked: pa.Table
    rows: int
    reasons: int
    language: Language
    purpose: LeavingFor

    @property
    def count(self) -> int:
        """How many parts."""
        return -(-self.clues.num_rows // self.rows)

    def part(self, table: pa.Table, number: int) -> pa.Table:
        """The rows of one part."""
        return table.slice(number * self.rows, self.rows)

    @property
    def masked(self) -> frozenset[str]:
        """Features of which no reason may tell."""
        if self.purpose == "handling":
            return frozenset()
        return hidden_from_others(self.home, self.definitions)

    def identity(self, moment: datetime, output: Path) -> dict[str, Any]:
        """Everything that decides the file: another answer is another run."""
        names = [*self.home.jurisdiction.contracts, "clues"]
        ids = "\n".join(self.clues["clue_id"].to_pylist())
        return {
            "scorer": self.scorer.digest,
            "moment": moment.isoformat(),
            "clues": hashlib.sha256(ids.encode()).hexdigest(),
            "versions": {name: tables.version(self.home.table(name)) for name in names},
            "told": [self.reasons, self.language, self.rows, self.purpose],
            "output": str(output.resolve()),
        }


def score_clues(
    home: Home,
    moment: datetime,
    *,
    output: Path,
    chosen: Path | None,
    reasons: int,
    language: Language,
    clock: Clock,
    stages: Stages,
    purpose: LeavingFor = "handling",
    rows_of_a_part: int = ROWS_OF_A_PART,
) -> dict[str, Any]:
    """Score the open clues (or those named in `chosen`) and write them best first.

    Every score goes into the ledger with what is needed to give it again. Told are the first three
    clues (`first`: id and probability) beside how many rows there are. The file has clue_id,
    office_id, moment, scorer, margin, probability, base, flags, reasons, other. `chosen` is a
    Parquet file, or a folder with a Delta table, that has clue_id. For `export` ids are under
    pseudonyms, and features that show what is not open to others count in `other` only.
    """
    started = time.perf_counter()
    scorer = load_champion(home)
    clues = open_clues(home, moment) if chosen is None else _chosen(home, chosen)
    asked, definitions = as_of(home, scorer, clues, moment)
    run = _Run(home, scorer, definitions, clues, asked, rows_of_a_part, reasons, language, purpose)
    with Parts.of(home.scratch / "scoring", run.identity(moment, output), clock.now()) as parts:
        with stages.stage("score", clues.num_rows) as bar:
            for number in _finished(run, parts):
                bar.advance(run.part(clues, number).num_rows)
        with stages.stage("write"):
            parts.join(run.count, SCHEMA, output)
    _catch_up(home, clock)
    return {
        "rows": clues.num_rows,
        "scorer": scorer.digest,
        "moment": moment.isoformat(),
        "seconds": round(time.perf_counter() - started, 3),
        "output": str(output),
        "first": _first(output),
    }


def _first(output: Path) -> list[dict[str, Any]]:
    """The ids and probabilities at the head of the file: clues to look at first."""
    named = ["clue_id", "probability"]
    with pq.ParquetFile(output) as written:
        batches = written.iter_batches(batch_size=FIRST_TOLD, columns=named)
        return [row for batch in itertools.islice(batches, 1) for row in batch.to_pylist()]


def _finished(run: _Run, parts: Parts) -> Iterator[int]:
    """Numbers of parts as they are done: those that were there first."""
    todo = [number for number in range(run.count) if not parts.has(number)]
    yield from sorted(set(range(run.count)) - set(todo))
    found: list[dict[str, int]] = []

    def tables_of_features() -> Iterator[pa.Table]:
        for number in todo:
            rows, versions = batch_rows(run.home, run.definitions, run.part(run.asked, number))
            found.append(versions)
            yield rows

    told = told_batches(
        run.scorer,
        run.home.scorers / run.scorer.digest,
        tables_of_features(),
        reasons=run.reasons,
        language=run.language,
        masked=run.masked,
        workers=min(Settings().threads, len(todo)),
    )
    for at, (number, batch) in enumerate(zip(todo, told, strict=True)):
        clues = run.part(run.asked, number)
        scored = ScoredClues(
            run.scorer, clues, batch.rows, batch.scores, batch.explanation, found[at]
        )
        _keep(run, number, scored, parts.began_at)
        told_rows = _with_clues(clues, batch.told)
        if run.purpose != "handling":
            told_rows = under_pseudonyms(run.home, told_rows, ["clue_id"])
        parts.keep(number, told_rows)
        yield number


def _keep(run: _Run, number: int, scored: ScoredClues, at: datetime) -> None:
    """The part's scores in the ledger, once: a run may have died before it wrote the part."""
    ledger = open_ledger(run.home.ledger_url)
    first = scored.clues["clue_id"][0].as_py()
    query = sa.select(scores_given.c.score_id).where(
        scores_given.c.clue_id == first,
        scores_given.c.given_at == at,
        scores_given.c.scorer == run.scorer.digest,
        scores_given.c.purpose == "work",
    )
    with ledger.connect() as connection:
        if connection.execute(query.limit(1)).first() is not None:
            return
    clues = run.part(run.clues, number)
    keep_scored(ledger, clues, given_scores(scored, at), at=at, by=PLATFORM)


def _catch_up(home: Home, clock: Clock) -> None:
    """Outcomes of before the ledger knew of events, and decisions that wait to become records."""
    ledger = open_ledger(home.ledger_url)
    with writing(ledger) as connection:
        settle_all(connection, home, at=clock.now(), by=PLATFORM)
    admit_endings(home, ledger, clock)


def _with_clues(clues: pa.Table, told: pa.Table) -> pa.Table:
    columns = [clues["clue_id"], clues["office_id"], clues["raised_at"], *told.columns]
    whole = pa.Table.from_arrays(columns, names=SCHEMA.names)
    return whole.cast(SCHEMA).combine_chunks()


def _chosen(home: Home, chosen: Path) -> pa.Table:
    try:
        stored = tables.dataset(chosen) if chosen.is_dir() else None
        only = ["clue_id"]
        named = pq.read_table(chosen, columns=only) if stored is None else stored.to_table(only)
        wanted = named["clue_id"].to_pylist()
    except (OSError, KeyError, pa.ArrowException):
        raise Refused(
            wanted="a Parquet file or Delta table with clue_id",
            got="none",
            cure="check --input",
            where=chosen.name,
        ) from None
    clues = read_clues(home, wanted)
    unknown = len(set(wanted)) - clues.num_rows
    if unknown:
        raise NotFound(
            wanted="clues raised here",
            got=f"{unknown} ids that no clue has",
            cure="raise clues first, or leave those ids out",
        )
    return clues
