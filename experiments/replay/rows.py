"""Feature rows of the clues an arm plays with: what the loop cannot change is computed once, what
its outcomes change is computed anew each month, from the outcomes that this arm admitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from base.settings import Settings
from clues.clue import clues_asked_at
from features.definition import FeatureSet
from features.shapes import FeatureFile
from features.table import build_features
from governance.home import Home
from governance.reading import Records

OUTCOMES = "outcomes"


@dataclass(frozen=True)
class ClueRows:
    """`clues` and `fixed` (every feature, each at its clue's own moment) are parallel; those of
    `changing` are stand-ins in `fixed`."""

    clues: pa.Table
    fixed: pa.Table
    changing: FeatureSet

    def at(self, home: Home, places: list[int], moment: datetime) -> pa.Table:
        """Rows of the clues at `places` as of `moment`: features of outcomes as the arm's home
        knows them then, the others as they were when the clue was raised."""
        asked, rows = self.clues.take(places), self.fixed.take(places)
        asked = clues_asked_at(asked, moment)
        with Records(home) as records:
            fresh = build_features(self.changing, asked, records, threads=Settings().threads)
        for feature in self.changing.features:
            at = rows.schema.get_field_index(feature.name)
            rows = rows.set_column(at, feature.name, fresh[feature.name])
        return rows


def prepare_rows(definitions: FeatureSet, clues: pa.Table, home: Home) -> ClueRows:
    """Compute every feature once, from a home's records."""
    with Records(home) as records:
        fixed = build_features(definitions, clues, records, threads=Settings().threads)
    return ClueRows(clues, fixed, only_outcomes(definitions))


def only_outcomes(definitions: FeatureSet) -> FeatureSet:
    """The features that are computed from outcomes, by their own definitions."""
    declared = definitions.declared
    return FeatureSet(
        tuple(each for each in definitions.features if each.source == OUTCOMES),
        FeatureFile(
            history=tuple(each for each in declared.history if each.source == OUTCOMES),
            ratios=tuple(each for each in declared.ratios if each.source == OUTCOMES),
        ),
    )
