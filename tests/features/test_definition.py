"""Definitions of features: faults are told all at once, identity follows content."""

from __future__ import annotations

import copy
from typing import Any

import feature_worlds as worlds
import pytest

from base.errors import Refused
from features.definition import load_features


def load(declared: dict[str, Any]) -> Any:
    return load_features(declared, sources=worlds.SOURCES, clue_columns=worlds.CLUE_COLUMNS)


def changed(**parts: Any) -> dict[str, Any]:
    declared = copy.deepcopy(worlds.DEFINITIONS)
    declared["history"][0] |= parts
    return declared


def test_every_fault_of_a_file_is_told_with_the_nearest_name() -> None:
    """A misspelt record set, key column and condition column: three faults, three cures."""
    declared = changed(key={"persn": "person"}, where="centz > 1")
    declared["ratios"][0]["source"] = "outcoms"
    with pytest.raises(Refused) as refusal:
        load(declared)
    cures = [fault.cure for fault in refusal.value.faults]
    assert cures == ["write 'person'", "write 'cents'", "write 'outcomes'"]


@pytest.mark.parametrize(
    "where",
    [
        "cents > (SELECT max(cents) FROM payments)",
        "read_text('/etc/passwd') IS NOT NULL",
        "sum(cents) > 1",
        "cents >",
    ],
)
def test_a_condition_may_only_compare_columns(where: str) -> None:
    """Subqueries, unknown functions, aggregates and broken SQL are refused."""
    with pytest.raises(Refused):
        load(changed(where=where))


@pytest.mark.parametrize(
    ("feature", "word"),
    [
        ({"kind": "sum", "column": "kind"}, "integer column"),
        ({"kind": "min", "column": "kind"}, "number to compare"),
        ({"kind": "last", "column": "kind"}, "a number"),
        ({"kind": "sum"}, "needs column"),
        ({"kind": "count", "column": "cents"}, "takes no column"),
        ({"kind": "rank", "column": "cents"}, "`of`"),
        ({"kind": "median", "column": "cents"}, "count"),
    ],
)
def test_an_aggregate_that_could_not_be_is_refused(feature: dict[str, Any], word: str) -> None:
    """The message says what the kind wants."""
    with pytest.raises(Refused, match=word):
        load(changed(features=[{**feature, "sentence": worlds.WORDS}]))


def test_the_fingerprint_follows_every_part_of_the_definitions() -> None:
    """The same file gives the same fingerprint; a window, a condition or a word another."""
    base = load(worlds.DEFINITIONS).fingerprint
    assert load(copy.deepcopy(worlds.DEFINITIONS)).fingerprint == base
    others = [
        changed(windows=[1, 4, "all"]),
        changed(where="cents > 0"),
        changed(key={"agency": "agency"}),
    ]
    fingerprints = {load(declared).fingerprint for declared in others}
    assert len(fingerprints) == len(others)
    assert base not in fingerprints


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"key": {"person": "paid"}}, "person (string) of the clue and paid (boolean) of payments"),
        ({"key": {"raised": "cents"}}, "raised (timestamp) of the clue and cents (integer)"),
        ({"features": [{"kind": "rank", "column": "cents", "of": "agency"}]}, "agency (string)"),
        ({"features": [{"kind": "rank", "column": "cents", "of": "raised"}]}, "raised (timestamp)"),
    ],
)
def test_values_that_are_never_equal_or_no_numbers_are_refused(
    parts: dict[str, Any], told: str
) -> None:
    """A key of two kinds would count nothing, a rank of a text could not be told."""
    for feature in parts.get("features", []):
        feature["sentence"] = {"zh": "{value}", "en": "{value}"}
    sources = {**worlds.SOURCES, "payments": {**worlds.SOURCES["payments"], "paid": "boolean"}}
    clue_columns = {**worlds.CLUE_COLUMNS, "raised": "timestamp"}
    with pytest.raises(Refused) as refusal:
        load_features(changed(**parts), sources=sources, clue_columns=clue_columns)
    assert told in str(refusal.value)


def test_a_plain_text_or_time_is_no_number() -> None:
    """It wants type: category, or a number of days from the supervision model."""
    for column, cure in (("agency", "type: category"), ("raised", "days or years")):
        plain = {"name": "f", "column": column, "sentence": {"zh": "{value}", "en": "{value}"}}
        with pytest.raises(Refused) as refusal:
            load_features(
                {"columns": [plain]},
                sources=worlds.SOURCES,
                clue_columns={**worlds.CLUE_COLUMNS, "raised": "timestamp"},
            )
        assert cure in refusal.value.cure
