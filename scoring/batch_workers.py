"""Batches of feature rows scored and told in worker processes, a few at a time, in order.

Each process holds one scorer and one thread: trees, sentences and lists take turns there without
waiting for an interpreter's lock. At most one batch more than there are workers is held.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from base.bilingual import Language
from scoring.batch import told_table
from scoring.explanation import Explanation
from scoring.scorer import Scorer, Scores

Found = tuple[Scores, Explanation, pa.Table]


@dataclass(frozen=True)
class ToldBatch:
    """`rows` as they came, and what was found; `told` has the columns of scoring.batch.TOLD."""

    rows: pa.Table
    scores: Scores
    explanation: Explanation
    told: pa.Table


def told_batches(
    scorer: Scorer,
    folder: Path,
    batches: Iterable[pa.Table],
    *,
    reasons: int,
    language: Language,
    workers: int,
    masked: Collection[str] = (),
) -> Iterator[ToldBatch]:
    """Score and tell feature tables, in their order; `folder` is the scorer's bundle.

    No reason tells of a feature in `masked`. With one worker nothing leaves this process, and the
    scorer's own threads are used.
    """
    if workers <= 1:
        for rows in batches:
            yield _tell(scorer, rows, reasons, language, masked)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting: deque[tuple[pa.Table, Future[Found]]] = deque()
        for rows in batches:
            asked = (rows, reasons, language, masked)
            found = pool.submit(_tell_there, folder, scorer.digest, *asked)
            waiting.append((rows, found))
            if len(waiting) > workers:
                yield _of(*waiting.popleft())
        while waiting:
            yield _of(*waiting.popleft())


def _of(rows: pa.Table, found: Future[Found]) -> ToldBatch:
    """The rows stayed here: only what was found travels back."""
    return ToldBatch(rows, *found.result())


def _tell(
    scorer: Scorer, rows: pa.Table, reasons: int, language: Language, masked: Collection[str]
) -> ToldBatch:
    scores, explanation = scorer.score(rows), scorer.explain(rows)
    told = told_table(scorer, rows, scores, explanation, reasons, language, masked)
    return ToldBatch(rows, scores, explanation, told)


def _tell_there(
    folder: Path,
    digest: str,
    rows: pa.Table,
    reasons: int,
    language: Language,
    masked: Collection[str],
) -> Found:
    told = _tell(scorer_here(folder, digest), rows, reasons, language, masked)
    return told.scores, told.explanation, told.told


@lru_cache(maxsize=2)
def scorer_here(folder: Path, digest: str) -> Scorer:
    """The scorer of a worker process, loaded once."""
    return Scorer.load(folder, digest, threads=1)
