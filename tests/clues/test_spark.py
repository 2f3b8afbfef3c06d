"""Supervision models on Spark find what they find here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
import sqlglot

from base.errors import Refused
from clues.examples import found_rows
from clues.many_moments import MOMENT
from clues.permitted import permit
from clues.sandbox import Sandbox
from clues.spark import find_on_spark, spark_sql
from clues.supervision import SupervisionModel, load_supervision_models
from governance.home import Home
from governance.jurisdiction import BUNDLED, load_jurisdiction

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MODELS = load_supervision_models(load_jurisdiction(BUNDLED / "anhui"))
DECLARED = [model for model in MODELS if model.head.spark]
AT = datetime(2025, 3, 1)
# Told on every use of Arrow; nothing here goes through pandas.
pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas")


@pytest.fixture(scope="module")
def session() -> Iterator[SparkSession]:
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17 or later, and no `java` is on the path")
    from features.spark.session import local_session

    quick = {"spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1"}
    started = local_session(1, memory="1g", more=quick)
    yield started
    started.stop()


def comparable(row: dict[str, Any]) -> dict[str, Any]:
    """Evidence in no order; without what the sandbox adds."""
    row = {name: value for name, value in row.items() if name != MOMENT.strip('"')}
    return {**row, "evidence": sorted(row["evidence"])}


@pytest.mark.slow
def test_all_declared_ones_find_the_same_clues_with_the_same_columns(
    session: SparkSession, province: Home
) -> None:
    """One moment of a whole province: every find, every column, all twelve."""
    from features.spark.session import record_frames

    assert len(DECLARED) == len(MODELS) == 12
    frames = record_frames(province, session)
    sandbox = Sandbox.of_home(province, DECLARED)
    for model in DECLARED:
        here = [comparable(row) for row in found_rows(sandbox, model, AT)]
        there = [comparable(row.asDict()) for row in find_on_spark(model, AT, frames).collect()]
        there.sort(key=lambda row: (str(row["subject_id"]), str(row["ground_key"])))
        assert here, model.name
        assert there == here, model.name


@pytest.mark.parametrize("model", DECLARED, ids=[model.name for model in DECLARED])
def test_a_declared_one_is_told_in_sparks_words(model: SupervisionModel) -> None:
    """It parses as Spark's, reads the same record sets, and no parameter is left."""
    told = spark_sql(model, AT)
    parsed = sqlglot.parse_one(told, read="spark")
    own = {each.alias for each in parsed.find_all(sqlglot.exp.CTE)}
    assert {t.name for t in parsed.find_all(sqlglot.exp.Table)} - own == set(model.record_sets)
    assert "$moment" not in told
    assert "ORDER BY" not in told


def test_what_spark_has_no_words_for_is_refused() -> None:
    """And so is a supervision model that does not say that it was tried there."""
    model = next(model for model in MODELS if model.name == "unserved_sentence")
    silent = replace(model, head=model.head.model_copy(update={"spark": False}))
    with pytest.raises(Refused, match="say `spark: true`"):
        spark_sql(silent, AT)
    sql = "SELECT p.person_id FROM sentences p ASOF JOIN custody c USING (person_id, happened_at)"
    shown = {"sentences": ["person_id"], "custody": ["person_id"]}
    with pytest.raises(Refused, match="Spark"):
        spark_sql(replace(model, query=permit(sql, shown, "x").query), AT)
