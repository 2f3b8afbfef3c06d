"""The challenger in the champion's shadow: scored on the same live clues, seen by nobody.

A request hands over what it scored and goes on; a thread of its own scores the clues again with
the challenger, on the feature rows that are there already, and keeps both margins in the ledger.
It owes the request nothing: what waits is bounded, what is too much is left out and counted, and no
fault of the challenger, the thread or the ledger comes back.
"""

from __future__ import annotations

import atexit
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import groupby
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import sqlalchemy as sa
import structlog

from base.errors import CluesError, NotReady
from dispatch.scoring_run import ScoredClues, require_same_features
from scoring.champion import CHALLENGER, read_challenger, read_champion
from scoring.ledger import ShadowScore, newest_shadow, record_shadow, shadow_counts
from scoring.scorer import Scorer
from scoring.trial import try_bundle

log = structlog.get_logger()
Floats = npt.NDArray[np.float64]
WAITING_CLUES = 5_000
# Scores are gathered this long and kept in one transaction, so that a flush of the disk is rare.
GATHER_SECONDS = 0.25
LOOK_SECONDS = 0.05
BANDS = 5


@dataclass(frozen=True)
class Offered:
    """Clues as the champion scored them; `rows` and `margin` are parallel to the clue ids.

    `make_rows` makes the feature table when it is wanted, so that no request waits for it.
    """

    clue_ids: list[str]
    moments: list[datetime]
    champion: str
    margin: Floats
    make_rows: Callable[[], pa.Table]

    @cached_property
    def rows(self) -> pa.Table:
        return self.make_rows()

    def lines(self) -> Iterator[tuple[str, datetime, str, float]]:
        """Clue id, moment, champion and its margin, clue by clue."""
        for clue_id, moment, margin in zip(self.clue_ids, self.moments, self.margin, strict=True):
            yield clue_id, moment, self.champion, float(margin)


class Shadow:
    """One per process. `trouble` tells why the challenger could not be taken (None: no trouble)."""

    def __init__(
        self,
        scorers: Path,
        ledger: Callable[[], sa.Engine],
        fingerprint: Callable[[], str],
        now: Callable[[], datetime],
        waiting_clues: int = WAITING_CLUES,
    ) -> None:
        self.scored = self.dropped = self.failed = 0
        self.trouble: str | None = None
        self._scorers, self._ledger, self._now = scorers, ledger, now
        self._fingerprint, self._bound = fingerprint, waiting_clues
        self._waiting: deque[Offered] = deque()
        self._clues_waiting = self._dropped_since = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._busy = self._closed = False
        self._challenger: Scorer | None = None
        self._seen: tuple[int, int] | None = None
        self._is_one, self._looks_again = False, 0.0

    def offer(self, scored: ScoredClues) -> None:
        """Hand over what a request scored. Returns at once and never raises."""
        self._looks_again = 0.0
        self.offer_made(
            lambda: Offered(
                scored.clues["clue_id"].to_pylist(),
                scored.clues["raised_at"].to_pylist(),
                scored.scorer.digest,
                scored.scores.margin,
                lambda: scored.rows,
            )
        )

    def offer_made(self, make: Callable[[], Offered]) -> None:
        """The same for whoever has no table; `make` is called only if there is a challenger, for
        whom it looks every LOOK_SECONDS: thousands a second ask."""
        try:
            now = monotonic()
            if now >= self._looks_again:
                self._looks_again = now + LOOK_SECONDS
                self._is_one = _stamp(self._scorers / CHALLENGER) is not None
            if self._is_one:
                self._take_in(make())
        except Exception as error:  # whatever it is, it is not the request's
            log.warning("shadow_failed", kind=type(error).__name__)

    def settle(self, seconds: float) -> bool:
        """Wait until nothing waits any more; False where that took longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._waiting or self._busy), seconds)

    def close(self, seconds: float = 2.0) -> None:
        """Keep what waits, then end the thread. Nothing is taken in afterwards."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def counts(self) -> dict[str, Any]:
        """What this process did, for whoever watches it."""
        return {
            "scored": self.scored,
            "dropped": self.dropped,
            "failed": self.failed,
            "trouble": self.trouble,
        }

    def _take_in(self, offered: Offered) -> None:
        count = len(offered.clue_ids)
        with self._changed:
            if self._closed:
                return
            if self._clues_waiting + count > self._bound:
                self.dropped += count
                self._dropped_since += count
                return
            self._waiting.append(offered)
            self._clues_waiting += count
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
                self._thread.start()
                atexit.register(_close, weakref.ref(self))
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed and not self._waiting:
                    return
                self._busy = True
                self._changed.wait_for(lambda: self._closed, GATHER_SECONDS)
                batch, self._waiting = list(self._waiting), deque()
                self._clues_waiting = 0
                dropped, self._dropped_since = self._dropped_since, 0
            try:
                self._score(batch, dropped)
            except Exception as error:  # a bad challenger harms nobody
                self.failed += sum(len(each.clue_ids) for each in batch)
                log.warning("shadow_failed", kind=type(error).__name__)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _score(self, batch: list[Offered], dropped: int) -> None:
        challenger = self._load()
        if challenger is None:
            self.failed += sum(len(each.clue_ids) for each in batch)
            return
        now, given = self._now(), []
        others = [each for each in batch if each.champion != challenger.digest]
        for _, alike in groupby(others, lambda each: each.rows.schema.to_string()):
            together = list(alike)
            margin = challenger.score(pa.concat_tables([each.rows for each in together])).margin
            clues = [line for each in together for line in each.lines()]
            given += [
                ShadowScore(
                    clue_id=clue_id,
                    moment=moment,
                    champion=champion,
                    champion_margin=said,
                    challenger=challenger.digest,
                    challenger_margin=float(margin[at]),
                    dropped_before=0,
                    given_at=now,
                )
                for at, (clue_id, moment, champion, said) in enumerate(clues)
            ]
        given[:1] = [replace(first, dropped_before=dropped) for first in given[:1]]
        self.scored += record_shadow(self._ledger(), given)

    def _load(self) -> Scorer | None:
        """The challenger as set last, tried in a process of its own first, as a champion is."""
        seen = _stamp(self._scorers / CHALLENGER)
        if seen == self._seen:
            return self._challenger
        self._seen, self._challenger, self.trouble = seen, None, None
        try:
            note = read_challenger(self._scorers)
            if note is not None:
                folder = self._scorers / note.scorer
                try_bundle(folder, note.scorer)
                challenger = Scorer.load(folder, note.scorer)
                require_same_features(challenger, self._fingerprint())
                self._challenger = challenger
        except CluesError as error:
            self.trouble = str(error)
            log.warning("challenger_refused", kind=type(error).__name__)
        return self._challenger


def shadow_agreement(scorers: Path, ledger: sa.Engine) -> dict[str, Any]:
    """How far the challenger agrees with the champion on the clues both have scored.

    Each clue counts once, by its newest score. `rank_correlation` is Spearman's; bands are fifths
    of the order by margin; `first_20_changed`: share of the champion's first fifth that the
    challenger would not put there. None where there is too little to tell. Raises NotReady without
    a challenger or a champion.
    """
    champion, challenger = read_champion(scorers).scorer, read_challenger(scorers)
    if challenger is None:
        raise NotReady(wanted="a challenger", got="none set", cure="run: clues retrain EXPERIMENT")
    rows = newest_shadow(ledger, champion, challenger.scorer)
    rows.sort(key=lambda row: row["clue_id"])
    ours = np.array([row["challenger_margin"] for row in rows], np.float64)
    theirs = np.array([row["champion_margin"] for row in rows], np.float64)
    given = [row["given_at"] for row in rows]
    return {
        "champion": champion,
        "challenger": challenger.scorer,
        "challenger_passed": challenger.passed,
        "clues": len(rows),
        **agreement(theirs, ours),
        "since": min(given).isoformat() if given else None,
        "until": max(given).isoformat() if given else None,
        **shadow_counts(ledger, challenger.scorer),
    }


def agreement(champion: Floats, challenger: Floats) -> dict[str, float | None]:
    """Agreement of two rankings of the same clues, (n,) margins each; ties in the order given."""
    from scipy.stats import spearmanr  # half a second that the service need not wait for

    count = len(champion)
    names = ("rank_correlation", "band_changed", "first_20_changed")
    if count < BANDS:
        return dict.fromkeys(names)
    bands = [_bands(margin) for margin in (champion, challenger)]
    first = bands[0] == 0
    varied = np.ptp(champion) > 0 and np.ptp(challenger) > 0
    return {
        "rank_correlation": float(spearmanr(champion, challenger)[0]) if varied else None,
        "band_changed": float((bands[0] != bands[1]).mean()),
        "first_20_changed": float((bands[1][first] != 0).mean()),
    }


def _bands(margin: Floats) -> npt.NDArray[np.int64]:
    """Which fifth of the order each clue is in, the highest margins in band 0."""
    place = np.empty(len(margin), np.int64)
    place[np.argsort(-margin, kind="stable")] = np.arange(len(margin))
    return place * BANDS // len(margin)


def _close(shadow: weakref.ref[Shadow]) -> None:
    alive = shadow()
    if alive is not None:
        alive.close()


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino
