"""The orders that offices could follow: each gives open clues a number, the highest first."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from experiments.replay.learning import champion_of
from experiments.replay.rows import ClueRows
from experiments.replay.truth import Truth
from features.slices import micros
from governance.home import Home
from scoring.scorer import Scorer

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Said:
    """Per clue: what orders it (n,), and the probability, where the order tells one (n,)."""

    margin: Floats
    probability: Floats | None = None


class Order(Protocol):
    """Numbers for the clues at `places`, as far as they can be known at `moment`."""

    def say(self, places: Ints, moment: datetime) -> Said: ...


@dataclass(frozen=True)
class FirstCome:
    """The oldest first; those of one cycle by lot."""

    clues: pa.Table

    def say(self, places: Ints, moment: datetime) -> Said:  # noqa: ARG002
        """Minus the time of raising."""
        return Said(-micros(self.clues["raised_at"])[places].astype(np.float64))


@dataclass(frozen=True)
class Severity:
    """The severity that the supervision model declares; equals by lot."""

    clues: pa.Table

    def say(self, places: Ints, moment: datetime) -> Said:  # noqa: ARG002
        """The severity, 1 to 5."""
        return Said(np.asarray(self.clues["severity"].to_numpy(), np.float64)[places])


@dataclass(frozen=True)
class Oracle:
    """The true chance of a case at the clue's office: nothing that can be known expects more."""

    truth: Truth

    def say(self, places: Ints, moment: datetime) -> Said:  # noqa: ARG002
        """The true log-odds."""
        chance = self.truth.chance[places]
        return Said(np.log(chance) - np.log1p(-chance), chance)


@dataclass
class ByScorer:
    """The champion of an arm's home, on features as this arm knows them."""

    home: Home
    rows: ClueRows
    _loaded: dict[str, Scorer] = field(default_factory=dict)

    def say(self, places: Ints, moment: datetime) -> Said:
        """Margin and calibrated probability."""
        if not len(places):
            return Said(np.empty(0), np.empty(0))
        scores = self._champion().score(self.rows.at(self.home, places.tolist(), moment))
        return Said(scores.margin, scores.probability)

    def _champion(self) -> Scorer:
        champion = champion_of(self.home)
        return self._loaded.setdefault(champion.digest, champion)
