"""Many small writers, few flushes of the disk: what threads hand over is kept in one transaction.

Each caller waits until what it gave is on disk; while one commit flushes, the next one gathers.
A writer has one thread, started with the first score, so that it may be made before a fork.
"""

from __future__ import annotations

import atexit
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

import sqlalchemy as sa

from base.errors import NotReady
from scoring.ledger.opening import WRITES
from scoring.ledger.scores import GivenScore, keep_scores

SCORES_AT_ONCE = 2_000


class ScoreWriter:
    """Keeps scores for many callers. `waiting_scores` bounds what waits (NotReady beyond it)."""

    def __init__(
        self,
        ledger: Callable[[], sa.Engine],
        *,
        by: str = "platform",
        waiting_scores: int = 100_000,
    ) -> None:
        self.commits = self.kept = 0
        self._ledger, self._by, self._bound = ledger, by, waiting_scores
        self._waiting: deque[tuple[Sequence[GivenScore], Future[int]]] = deque()
        self._scores_waiting = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._connection: sa.Connection | None = None  # the thread's own

    def keep(self, given: Sequence[GivenScore]) -> int:
        """Return when these scores are on disk; raises what the commit raised."""
        return self.hand_over(given).result()

    def hand_over(self, given: Sequence[GivenScore]) -> Future[int]:
        """The same without waiting; `asyncio.wrap_future` makes it awaitable.

        Raises NotReady where more wait than the ledger can take, or the writer is closed.
        """
        told: Future[int] = Future()
        with self._changed:
            if self._closed or self._scores_waiting + len(given) > self._bound:
                raise NotReady(
                    wanted="a ledger that takes scores as fast as they are given",
                    got="a closed one" if self._closed else f"{self._scores_waiting} that wait",
                    cure="send it again; see /ready if this stays",
                )
            self._waiting.append((given, told))
            self._scores_waiting += len(given)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="score-writer", daemon=True)
                self._thread.start()
                atexit.register(_close, weakref.ref(self))
            self._changed.notify_all()
        return told

    def close(self, seconds: float = 10.0) -> None:
        """Keep what waits, then end the thread; nothing is taken afterwards."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    self._let_go()
                    return
                batch = self._take()
            self._commit(batch)

    def _take(self) -> list[tuple[Sequence[GivenScore], Future[int]]]:
        batch: list[tuple[Sequence[GivenScore], Future[int]]] = []
        count = 0
        while self._waiting and (not batch or count + len(self._waiting[0][0]) <= SCORES_AT_ONCE):
            batch.append(self._waiting.popleft())
            count += len(batch[-1][0])
        self._scores_waiting -= count
        return batch

    def _commit(self, batch: list[tuple[Sequence[GivenScore], Future[int]]]) -> None:
        """One that cannot be kept (its own fault) must not take the others with it."""
        try:
            with self._transaction() as connection:
                together = (score for given, _ in batch for score in given)
                keep_scores(connection, together, by=self._by)
        except Exception as error:
            self._let_go()
            if len(batch) > 1 and not isinstance(error, sa.exc.OperationalError):
                for each in batch:
                    self._commit([each])
                return
            for _, told in batch:
                told.set_exception(error)
            return
        self.commits += 1
        self.kept += sum(len(given) for given, _ in batch)
        for given, told in batch:
            told.set_result(len(given))

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        """One of `writing`, on a connection that is kept until something goes wrong."""
        if self._connection is None:
            self._connection = self._ledger().connect().execution_options(**{WRITES: True})
        with self._connection.begin():
            yield self._connection

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _close(writer: weakref.ref[ScoreWriter]) -> None:
    alive = writer()
    if alive is not None:
        alive.close()
