"""A home's definitions: its jurisdiction's `features.yaml`, checked against its record sets."""

from __future__ import annotations

from clues.clue import clue_column_types, source_types
from features.definition import FeatureSet, load_features
from governance.home import Home
from governance.jurisdiction import Jurisdiction


def declared_features(home: Home) -> FeatureSet:
    """The features of the home's jurisdiction. Raises Refused with every fault."""
    return features_of(home.jurisdiction)


def features_of(jurisdiction: Jurisdiction) -> FeatureSet:
    """The features a jurisdiction's folder declares."""
    return load_features(
        jurisdiction.folder / "features.yaml",
        sources=source_types(jurisdiction),
        clue_columns=clue_column_types(jurisdiction),
        titles={name: each.title for name, each in jurisdiction.manifest.clue_columns.items()},
    )
