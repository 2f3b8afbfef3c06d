"""A feature table as it may leave the house: who it is for decides what can be read from it.

    handling  as it is: for the one who runs the platform
    training  as training sets are kept: what a data scientist may not know, under pseudonyms
    export    for others: ids of clues under pseudonyms, too; of features that show something which
              is not open, categories are under pseudonyms and numbers missing

The id of a clue is made of its subject and ground without a key: whoever knows the numbers of
persons can try them one by one. So it does not leave.
"""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

from features.classified import masked_features
from features.definition import FeatureSet
from governance.access import cleared
from governance.home import Home
from governance.pseudonyms import told_apart, under_pseudonyms

LeavingFor = Literal["handling", "training", "export"]
# Others have no role here: they read what is open to everybody.
NOBODY = ""


def hidden_from_others(home: Home, definitions: FeatureSet) -> frozenset[str]:
    """The features from which something can be read that is not open to others."""
    seen = cleared(home.jurisdiction, NOBODY, "export")
    return masked_features(definitions, home.jurisdiction, seen)


def feature_table_for(
    home: Home, definitions: FeatureSet, table: pa.Table, purpose: LeavingFor
) -> tuple[pa.Table, list[str]]:
    """The table as it may be had for a purpose, and the features that are hidden in it."""
    if purpose == "handling":
        return table, []
    if purpose == "training":
        return told_apart(home, table, "data_scientist", "training"), []
    hidden = sorted(hidden_from_others(home, definitions) & set(table.column_names))
    categories = [name for name in hidden if pa.types.is_dictionary(table.schema.field(name).type)]
    table = under_pseudonyms(home, table, ["clue_id", *categories])
    for name in set(hidden) - set(categories):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), pa.nulls(len(table), pa.float64()))
    return table, hidden
