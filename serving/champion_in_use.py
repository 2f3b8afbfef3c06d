"""The champion in use: a newer one is tried behind the requests' backs, then takes its place.

A request takes the scorer in use and keeps it (P-8). Whoever notices that another was promoted
starts a thread, which tries the bundle in a process of its own, loads and warms it, and swaps one
reference. A bundle that fails is refused, and the one before goes on serving (P-7).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import structlog

from base.errors import CluesError
from scoring.bundle import check_bundle
from scoring.champion import CHAMPION, read_champion
from scoring.scorer import Scorer, table_of_rows

log = structlog.get_logger()
# Scorers kept after they were replaced: who is rolled back to is there at once.
KEPT = 3
LOOK_SECONDS = 0.05
Stamp = tuple[int, int] | None


class ChampionInUse:
    """One per process. `trouble` tells why a newer champion could not be taken.

    `try_bundle(folder, digest)` and `fits(scorer)` raise CluesError for a bundle that will not do.
    """

    def __init__(
        self,
        scorers: Path,
        try_bundle: Callable[[Path, str], None],
        fits: Callable[[Scorer], None],
    ) -> None:
        self.trouble: str | None = None
        self._scorers, self._try, self._fits = scorers, try_bundle, fits
        self._scorer: Scorer | None = None
        self._seen: Stamp = None
        self._kept: OrderedDict[str, Scorer] = OrderedDict()
        self._turn = threading.Lock()
        self._trying: threading.Thread | None = None
        self._looks_again = 0.0

    def get(self) -> Scorer:
        """The scorer in use. Waits only where there is none yet. Raises NotReady without any."""
        scorer = self._scorer
        if scorer is None:
            with self._turn:
                return self._scorer or self._take()
        self._look()
        return scorer

    def at_hand(self) -> Scorer | None:
        """The same at once; None where there is none yet. Looks every LOOK_SECONDS, not every
        time: asking the disk gives the interpreter away to whatever other thread wants it."""
        now = monotonic()
        if now < self._looks_again:
            return self._scorer
        self._looks_again = now + LOOK_SECONDS
        return self._look()

    def _look(self) -> Scorer | None:
        """The scorer in use; starts to take a newer one."""
        scorer = self._scorer
        if scorer is not None and self._trying is None and self._stamp() != self._seen:
            self._begin()
        return scorer

    def settle(self, seconds: float) -> bool:
        """Wait until what was promoted before the call is in use, or refused."""
        self.get()
        thread = self._trying
        if thread is not None:
            thread.join(seconds)
        return self._trying is None and self._stamp() == self._seen

    def _begin(self) -> None:
        with self._turn:
            if self._trying is not None:
                return
            self._trying = threading.Thread(target=self._try_newer, name="champion", daemon=True)
            self._trying.start()

    def _try_newer(self) -> None:
        try:
            while self._stamp() != self._seen:
                self._take()
        except Exception as error:  # whatever it is, the one in use stays
            self.trouble = type(error).__name__
            log.warning("champion_refused", kind=type(error).__name__)
        finally:
            self._trying = None

    def _take(self) -> Scorer:
        """Try what is promoted now and put it in use. Raises CluesError where there is nothing."""
        seen = self._stamp()
        try:
            self._scorer = self._load()
            self.trouble = None
        except CluesError as error:
            self.trouble = str(error)
            if self._scorer is None:
                raise
            log.warning("champion_refused", kind=type(error).__name__)
        finally:
            self._seen = seen
        return self._scorer

    def _load(self) -> Scorer:
        digest = read_champion(self._scorers).scorer
        folder = self._scorers / digest
        scorer = self._kept.get(digest)
        if scorer is None:
            self._try(folder, digest)
            scorer = Scorer.load(folder, digest)
            golden = scorer.manifest.golden[:1]
            if golden:  # what the first call would compile or load, no request waits for
                scorer.explain(table_of_rows(scorer.manifest, [row.values for row in golden]))
        else:
            check_bundle(folder, digest)
        self._fits(scorer)
        self._kept[digest] = scorer
        self._kept.move_to_end(digest)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return scorer

    def _stamp(self) -> Stamp:
        try:
            stat = (self._scorers / CHAMPION).stat()
        except FileNotFoundError:
            return None
        return stat.st_mtime_ns, stat.st_ino
