"""The desk of the quick way: requests that wait together are scored together.

event loop:    recognise -> wait for this turn's others -> features, score, explain, reasons
ledger's thread:                                    one commit for the turn -> replies go
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import structlog

from base.bilingual import Language
from base.errors import CluesError
from clues.clue import clue_asked_at, clue_column_types
from features.online.answer import Value
from features.online.row import RowMaker, table_of
from features.online.store import View
from scoring.ledger import GivenScore
from scoring.lines import Lines, scores_to_tell
from scoring.rows import RowScorer, ScoredRows
from scoring.scorer import Scorer
from serving.access import RULES
from serving.given import GivenRows
from serving.known_keys import KnownKeys
from serving.metrics import Inputs, Stages, note_champion, note_stage
from serving.principal import Principal
from serving.recognised import Recognised, Recogniser
from serving.service import Service
from serving.shadow import Offered

log = structlog.get_logger()
RULE = RULES["POST /v1/scores"]
# Clues scored in one turn of the event loop; the rest wait for the next, which is scored while the
# ledger commits this one. In quiet half as many cost a tenth of the requests a second.
TURN = 16
# Gets a reply's body, or None for the whole way.
Tell = Callable[[bytes | None], None]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


@dataclass(frozen=True)
class Waiting:
    """A request that waits for its turn."""

    asked: Recognised
    clues: list[dict[str, Any]]
    tell: Tell


class Desk:
    """What the quick way needs at hand; used by one event loop."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.makes = RowMaker(service.definitions, clue_column_types(service.home.jurisdiction))
        self.reads = Recogniser(service.home.jurisdiction, service.supervision_models)
        self.keys = KnownKeys(service)
        self._waiting: list[Waiting] = []
        self._parsing = 0.0
        self._scores: RowScorer | None = None
        self._sources = dict.fromkeys(service.online.sources, -1)

    async def answer(self, shown: str, body: bytes) -> bytes | None:
        """The reply's body, or None to take the whole way. Raises CluesError for the same."""
        told: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        return await told if self.ask(shown, body, partial(_tell, told)) else None

    def ask(self, shown: str, body: bytes, tell: Tell) -> bool:
        """Whether it takes a request, to be told in one of the next turns. False, or CluesError: it
        has to take the whole way."""
        who = self.keys.principal(shown)
        who.require(*RULE.roles)
        began = perf_counter()
        asked = self.reads.read(body) if self.makes.able else None
        self._parsing += perf_counter() - began
        if asked is None or not _may(who, asked):
            return False
        self.service.rates.spend(who)
        clues = asked.clues
        if asked.moment is not None:
            clues = [clue_asked_at(clue, asked.moment) for clue in clues]
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._turn)
        self._waiting.append(Waiting(asked, clues, tell))
        return True

    def _turn(self) -> None:
        """Score what waits: all that came in while the loop was looking at its sockets."""
        turn, count = [], 0
        while self._waiting and count < TURN:
            turn.append(self._waiting.pop(0))
            count += len(turn[-1].clues)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._turn)
        try:
            self._score(turn)
        except Exception as error:  # one clue's fault is all that the whole way needs to tell
            if not isinstance(error, CluesError):
                log.warning("quick_way_failed", kind=type(error).__name__)
            _reply(turn, [None] * len(turn))

    def _score(self, turn: Sequence[Waiting]) -> None:
        view = self._view()
        if view is None and self.makes.needs_store:
            _reply(turn, [None] * len(turn))
            return
        note_stage("parse", self._parsing)
        stages, self._parsing = Stages(), 0.0
        scores = self._scorer_at_hand()
        if scores is None:
            _reply(turn, [None] * len(turn))
            return
        clues = [clue for each in turn for clue in each.clues]
        rows = [self.makes.values(clue, view) for clue in clues]
        stages.end("features")
        scored = scores.score(rows, stages.end)
        replies = self._told(turn, clues, scores.scorer, scored)
        stages.end("reply")
        self._inputs.note(scored.scores, np.isnan(scored.matrix))
        self._keep(turn, replies, GivenRows(
            scores.scorer, clues, scored, self._versions(view), self.service.clock.now()
        ))  # fmt: skip
        self.service.shadow.offer_made(lambda: self._offered(clues, rows, scored))

    def _told(
        self,
        turn: Sequence[Waiting],
        clues: list[dict[str, Any]],
        scorer: Scorer,
        scored: ScoredRows,
    ) -> list[bytes]:
        """The replies' bodies."""
        told = iter(
            scores_to_tell(
                scorer,
                [clue["clue_id"] for clue in clues],
                scored.scores,
                scored.explanation,
                scored.matrix,
                scored.values,
                [clue["raised_at"] for clue in clues],
                max(each.asked.reasons for each in turn),
            )
        )
        replies = []
        for each in turn:
            lines, reasons = self._lines[each.asked.language], each.asked.reasons
            text = ",".join(lines.of(next(told), reasons) for _ in each.clues)
            replies.append(f'{{"scorer":"{scorer.digest}","scores":[{text}]}}'.encode())
        return replies

    def _keep(
        self, turn: Sequence[Waiting], replies: list[bytes], given: Sequence[GivenScore]
    ) -> None:
        """A score that was told is kept (P-5): replies go when the ledger has it."""
        kept, stages = self.service.writer.hand_over(given), Stages()
        if self.service.settings.scores_kept == "behind":
            kept.add_done_callback(_note_lost)
            _reply(turn, replies)
            return
        loop = asyncio.get_running_loop()

        def done() -> None:
            stages.end("ledger")
            _reply(turn, [None] * len(turn) if kept.exception() else replies)

        kept.add_done_callback(lambda _: loop.call_soon_threadsafe(done))

    def _versions(self, view: View | None) -> dict[str, int]:
        known = {} if view is None else view.versions
        return self._sources | known

    def _offered(
        self, clues: list[dict[str, Any]], rows: list[list[Value]], scored: ScoredRows
    ) -> Offered:
        definitions = self.service.definitions
        return Offered(
            [clue["clue_id"] for clue in clues],
            [clue["raised_at"] for clue in clues],
            scored.digest,
            scored.scores.margin,
            lambda: table_of(definitions, rows),
        )

    def _view(self) -> View | None:
        """The online store as it stands; None where records came that it does not know yet."""
        return self.service.online.view_at_hand() if self.makes.needs_store else None

    def _scorer_at_hand(self) -> RowScorer | None:
        """None before the first champion, whose trial no event loop can wait for."""
        scorer = self.service.champions.at_hand()
        if scorer is None:
            return None
        if self._scores is None or self._scores.scorer is not scorer:
            before = self._scores.scorer.digest if self._scores else None
            self._scores = RowScorer(scorer, self.service.definitions.names)
            self._inputs = Inputs(scorer)
            self._lines: dict[Language, Lines] = {
                language: Lines(scorer.manifest.features, language) for language in LANGUAGES
            }
            note_champion(scorer.digest, before)
        return self._scores


def _reply(turn: Sequence[Waiting], replies: Sequence[bytes | None]) -> None:
    for each, body in zip(turn, replies, strict=True):
        each.tell(body)


def _tell(told: asyncio.Future[bytes | None], body: bytes | None) -> None:
    if not told.done():  # else nobody waits for it any more
        told.set_result(body)


def _note_lost(kept: Future[int]) -> None:
    error = kept.exception()
    if error is not None:
        log.error("scores_not_kept", kind=type(error).__name__)


def _may(who: Principal, asked: Recognised) -> bool:
    """Whether every clue is of the caller's offices and was raised by the moment asked about."""
    for clue in asked.clues:
        if clue["office_id"] is not None and not who.sees(clue["office_id"]):
            return False
        if asked.moment is not None and clue["raised_at"] > asked.moment:
            return False
    return True
