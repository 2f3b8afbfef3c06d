"""What a feature shows: the classifications of the columns whose values can be read from it.

A key only says whose records are counted: that a telephone stands in three clues does not tell
its number. Values that are added up, compared or filtered by do show.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from features.condition import columns_used
from features.definition import Feature, FeatureSet
from governance.access import classifications as classifications_of
from governance.jurisdiction import Jurisdiction

INTERNAL = "internal"


def classifications(feature: Feature, jurisdiction: Jurisdiction) -> frozenset[str]:
    """The classifications of everything that `feature` shows."""
    of_clue = jurisdiction.clue_classifications
    shown = [of_clue.get(name, INTERNAL) for name in _of_the_clue(feature)]
    if feature.grouping is not None:
        of_records = column_classifications(jurisdiction, feature.grouping.source)
        shown += [of_records.get(name, INTERNAL) for name in _of_the_records(feature)]
    return frozenset(shown)


def column_classifications(jurisdiction: Jurisdiction, record_set: str) -> dict[str, str]:
    """Column -> classification of a record set, or of the clues."""
    return classifications_of(jurisdiction, record_set)


def masked_features(
    definitions: FeatureSet, jurisdiction: Jurisdiction, cleared: Collection[str]
) -> frozenset[str]:
    """The features that show something of a classification that is not in `cleared`."""
    return frozenset(
        feature.name
        for feature in definitions.features
        if not classifications(feature, jurisdiction) <= set(cleared)
    )


@cache
def _columns_used(condition: str | None) -> frozenset[str]:
    """Parsed once: every reader's question asks for the same few conditions."""
    return frozenset(columns_used(condition))


def _of_the_clue(feature: Feature) -> list[str]:
    own = feature.column if feature.kind == "column" else None
    return [name for name in (own, feature.of) if name is not None]


def _of_the_records(feature: Feature) -> set[str]:
    assert feature.grouping is not None
    used = set(_columns_used(feature.grouping.where))
    if feature.ratio is not None:
        return used | _columns_used(feature.ratio.numerator)
    return used | ({feature.column} if feature.column is not None else set())
