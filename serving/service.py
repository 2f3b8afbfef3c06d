"""What all requests share: the home, the ledger, the offices and the champion in use."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
import structlog
from markupsafe import Markup

from base.errors import CluesError
from base.moment import Clock, WallClock
from base.settings import Settings
from clues.lookup import ClueLookup
from clues.register import read_clues
from clues.supervision import SupervisionModel, load_supervision_models
from dispatch.exchange.destinations import Source, load_exchange
from dispatch.offices import Offices, load_offices
from dispatch.scoring_run import batch_rows, require_same_features, score_rows
from features.classified import masked_features
from features.declared import declared_features
from features.definition import FeatureSet
from features.online.store import OnlineStore
from governance.glance import Glance
from governance.home import Home
from scoring.ledger import open_ledger
from scoring.ledger.writer import ScoreWriter
from scoring.past_outcomes import PastOutcomes
from scoring.scorer import Scorer
from scoring.similar import SimilarClues
from scoring.trial import try_bundle
from serving.champion_in_use import ChampionInUse
from serving.handed_on import HandedOn
from serving.rates import Rates
from serving.shadow import Shadow
from serving.tokens import Tokens, tokens_by

log = structlog.get_logger()
# Up to here the online store answers clue by clue; beyond, one sweep over the records is faster.
FEW_CLUES = 100


@dataclass
class Service:
    """One per process."""

    home: Home
    settings: Settings = field(default_factory=Settings)
    _similar: SimilarClues | None = None
    _masked: dict[frozenset[str], frozenset[str]] = field(default_factory=dict)
    # Parts of pages that stay as they are, by what they show.
    page_parts: dict[tuple[Any, ...], Markup] = field(default_factory=dict)

    @cached_property
    def ledger(self) -> sa.Engine:
        return open_ledger(self.home.ledger_url)

    @cached_property
    def clock(self) -> Clock:
        return WallClock(self.home.jurisdiction.timezone)

    @cached_property
    def offices(self) -> Offices:
        return load_offices(self.home.jurisdiction.folder / "offices.yaml")

    @cached_property
    def data_until(self) -> datetime | None:
        """Where the data of a demo ends; None in any other home."""
        return self.home.data_until

    @cached_property
    def sources(self) -> dict[str, Source]:
        """Systems that sign what they tell; read once, as `exchange.yaml` is everywhere."""
        return {each.name: each for each in load_exchange(self.home).sources}

    @cached_property
    def glance(self) -> Glance:
        """Records by number, and the newest versions of tables."""
        return Glance(self.home)

    @cached_property
    def clue_lookup(self) -> ClueLookup:
        """Rows of the register by id."""
        return ClueLookup(self.home)

    def masked_features(self, seen: frozenset[str]) -> frozenset[str]:
        """Features that show something of a classification that is not in `seen`."""
        if seen not in self._masked:
            self._masked[seen] = masked_features(self.definitions, self.home.jurisdiction, seen)
        return self._masked[seen]

    @cached_property
    def tokens(self) -> Tokens | None:
        """Tokens of the identity provider; None where keys alone are taken."""
        return tokens_by(self.settings)

    @cached_property
    def rates(self) -> Rates:
        return Rates(self.settings.rate_persons, self.settings.rate_machines)

    @cached_property
    def definitions(self) -> FeatureSet:
        return declared_features(self.home)

    @cached_property
    def online(self) -> OnlineStore:
        return OnlineStore(self.home, self.definitions)

    def feature_rows(self, clues: pa.Table) -> tuple[pa.Table, dict[str, int]]:
        """The feature table of `clues`, every admitted record known, and the versions it is of.

        Both engines give the same values, so a store that cannot be written costs time only.
        """
        if clues.num_rows <= FEW_CLUES:
            try:
                return self.online.features(clues)
            except OSError as error:
                log.warning("online_store_unusable", kind=type(error).__name__)
        return batch_rows(self.home, self.definitions, clues)

    @cached_property
    def shadow(self) -> Shadow:
        """The challenger, on the clues that are asked about, behind their backs."""
        return Shadow(
            self.home.scorers,
            ledger=lambda: self.ledger,
            fingerprint=lambda: self.definitions.fingerprint,
            now=lambda: self.clock.now(),
        )

    @cached_property
    def writer(self) -> ScoreWriter:
        """Keeps the scores that requests were told, many in one commit."""
        return ScoreWriter(lambda: self.ledger, by="service")

    @cached_property
    def handed_on(self) -> HandedOn:
        """Where clues stand that an order handed to another office."""
        return HandedOn(lambda: self.ledger)

    @cached_property
    def supervision_models(self) -> dict[str, SupervisionModel]:
        return {model.name: model for model in load_supervision_models(self.home.jurisdiction)}

    @cached_property
    def model_titles(self) -> dict[str, dict[str, str]]:
        """Supervision model -> its title in both languages."""
        models = self.supervision_models
        return {name: model.head.title.model_dump() for name, model in models.items()}

    @cached_property
    def office_titles(self) -> dict[str, dict[str, str]]:
        """Office -> its title in both languages."""
        return {each.office_id: each.title.model_dump() for each in self.offices.offices}

    @cached_property
    def outcomes(self) -> PastOutcomes:
        return PastOutcomes(self.home)

    def similar(self, scorer: Scorer) -> SimilarClues:
        """The index of past clues by this scorer's leaves; the last one asked for is kept."""
        index = self._similar
        if index is None or index.scorer is not scorer:
            index = SimilarClues(self.home, scorer, lambda clues: self.feature_rows(clues)[0])
            self._similar = index
        return index

    @cached_property
    def champions(self) -> ChampionInUse:
        """The champion in use, and the trial of a newer one."""
        return ChampionInUse(
            self.home.scorers,
            lambda folder, digest: try_bundle(folder, digest),
            lambda scorer: require_same_features(scorer, self.definitions.fingerprint),
        )

    def champion(self) -> Scorer:
        """The scorer in use; no request waits for the trial of a newer one (P-8).

        Raises NotReady where nothing was ever promoted.
        """
        return self.champions.get()

    @property
    def trouble(self) -> str | None:
        """Why a newer champion could not be taken; None: no trouble."""
        return self.champions.trouble

    def warm(self) -> None:
        """Compile and load what the first request would otherwise wait for."""
        try:
            scorer = self.champion()
        except CluesError:
            return
        clues = read_clues(self.home).slice(0, 1)
        if clues.num_rows:
            self.clue_lookup.row(clues["clue_id"][0].as_py())
            score_rows(scorer, clues, *self.feature_rows(clues))
        for record_set in {
            name for m in self.supervision_models.values() for name in m.head.evidence
        }:
            self.glance.lay_down(record_set)
