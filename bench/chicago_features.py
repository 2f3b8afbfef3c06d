"""What is asked about each facility of Chicago, once, for ours and for triage alike."""

from __future__ import annotations

from typing import Any

from clues.clue import clue_column_types, source_types
from features.definition import FeatureSet, load_features
from governance.jurisdiction import Jurisdiction

TABLES = ("entities", "inspections", "violations", "visits")
WINDOWS = (90, 365, 730, "all")
# Record set -> what is counted -> which records; the conditions are the same SQL for both.
COUNTED: dict[str, dict[str, str | None]] = {
    "inspections": {
        "total": None,
        "passed": "result = 'pass'",
        "conditional": "result = 'pass w/ conditions'",
        "failed": "result = 'fail'",
        **{f"{risk}_risk": f"risk = '{risk}'" for risk in ("high", "medium", "low")},
    },
    "violations": {
        "total": None,
        **{level: f"severity = '{level}'" for level in ("critical", "serious", "minor")},
        # The articles whose violation is critical.
        **{f"article_{code}": f"code = {code}" for code in range(1, 15)},
    },
    "visits": {
        "total": None,
        **{
            kind.replace(" ", "_"): f"type = '{kind}'"
            for kind in (
                "canvass", "canvass re", "complaint", "complaint re", "license", "license re",
                "food poisoning", "consultation", "tag removal",
            )
        },
    },
}  # fmt: skip
AMOUNTS = ("n_critical", "n_serious", "n_minor")
# Our kind -> triage's metric. The sum of nothing is 0, the others are imputed and flagged.
METRICS = {"sum": "sum", "mean": "avg", "min": "min", "max": "max"}
IMPUTED = ("mean", "min", "max")
WORDS = {"zh": "{window}{value}", "en": "{value} in {window}"}
FAILED = """
    SELECT entity_id, max((result = 'fail')::int) AS outcome FROM inspections
    WHERE date >= '{as_of_date}'::timestamp
      AND date < '{as_of_date}'::timestamp + interval '{label_timespan}'
    GROUP BY entity_id
"""


def feature_set(jurisdiction: Jurisdiction) -> FeatureSet:
    """The features in our declaration."""
    groups = [
        _group(f"{source}_{name}", source, condition, [{"kind": "count"}])
        for source, counted in COUNTED.items()
        for name, condition in counted.items()
    ]
    amounts = [{"kind": kind, "column": column} for column in AMOUNTS for kind in METRICS]
    return load_features(
        {"history": [*groups, _group("found", "inspections", None, amounts)]},
        sources=source_types(jurisdiction),
        clue_columns=clue_column_types(jurisdiction),
    )


def _group(
    name: str, source: str, condition: str | None, features: list[dict[str, str]]
) -> dict[str, Any]:
    return {
        "group": name,
        "source": source,
        "key": {"subject_id": "entity_id"},
        "where": condition,
        "windows": list(WINDOWS),
        "features": [{**feature, "sentence": WORDS} for feature in features],
    }


def triage_names() -> dict[str, str]:
    """Our name of each feature -> triage's."""
    names = {}
    for window in WINDOWS:
        word, interval = (window, window) if window == "all" else (f"{window}d", f"{window} days")
        for source, counted in COUNTED.items():
            for name, condition in counted.items():
                metric = "sum" if condition else "count"
                theirs = f"{source}_entity_id_{interval}_{name}_{metric}"
                names[f"{source}_{name}__count_{word}"] = theirs
        for column in AMOUNTS:
            for kind, metric in METRICS.items():
                theirs = f"inspections_entity_id_{interval}_{column}_{metric}"
                names[f"found__{kind}_{column}_{word}"] = theirs
    return names


def triage_experiment() -> dict[str, Any]:
    """The same in triage's configuration, with the six as-of dates and five splits."""
    half_year = "6months"
    return {
        "config_version": "v8",
        "random_seed": 1,
        "temporal_config": {
            "feature_start_time": "2010-01-01",
            "feature_end_time": "2015-01-01",
            "label_start_time": "2012-01-01",
            "label_end_time": "2015-01-01",
            "model_update_frequency": half_year,
            "training_as_of_date_frequencies": [half_year],
            "max_training_histories": ["5y"],
            "training_label_timespans": [half_year],
            "test_as_of_date_frequencies": [half_year],
            "test_durations": ["0d"],
            "test_label_timespans": [half_year],
        },
        "cohort_config": {
            "query": "SELECT entity_id FROM entities WHERE start_time <= '{as_of_date}'::timestamp",
            "name": "known",
        },
        "label_config": {"query": FAILED, "name": "failed"},
        "feature_aggregations": [_aggregation(source) for source in COUNTED],
    }


def _aggregation(source: str) -> dict[str, Any]:
    counted = [
        {"quantity": {name: f"({condition})::int"}, "metrics": ["sum"]}
        if condition
        else {"quantity": {name: "*"}, "metrics": ["count"]}
        for name, condition in COUNTED[source].items()
    ]
    amounts = [{"quantity": {c: c}, "metrics": list(METRICS.values())} for c in AMOUNTS]
    return {
        "prefix": source,
        "from_obj": source,
        "knowledge_date_column": "date",
        "intervals": [w if w == "all" else f"{w} days" for w in WINDOWS],
        "aggregates_imputation": {
            "all": {"type": "mean"},
            "sum": {"type": "zero_noflag"},
            "count": {"type": "zero_noflag"},
        },
        "aggregates": counted + (amounts if source == "inspections" else []),
    }
