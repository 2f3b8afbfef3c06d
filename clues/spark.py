"""A supervision model on Spark, where one machine is outgrown: its SQL transpiled, its records cut
to the moment as in the sandbox. Only those whose head says `spark: true`; a test holds them equal.

Spark knows no ANY_VALUE in an order: it is told as the value at the least of that order.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import ErrorLevel, UnsupportedError

from base.errors import Refused
from clues.supervision import SupervisionModel
from governance.reading import known_before

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def spark_sql(model: SupervisionModel, moment: datetime) -> str:
    """Its SELECT in Spark's dialect at a moment.

    Raises Refused where the head does not say `spark: true`, or Spark has no words for it.
    """
    if not model.head.spark:
        cure = "test it on Spark, then say `spark: true` in the head"
        raise Refused(
            wanted="a supervision model for Spark", got="none", cure=cure, where=model.name
        )
    query = model.query.copy()
    for asked in list(query.find_all(exp.Placeholder)):
        asked.replace(sqlglot.parse_one(_written(moment), read="spark"))
    for chosen in list(query.find_all(exp.AnyValue)):
        if isinstance(chosen.this, exp.Order):
            outer = chosen.parent if isinstance(chosen.parent, exp.IgnoreNulls) else chosen
            outer.replace(_at_the_least(chosen.this))
    cure = "say it with what both have, or leave `spark` out"
    for join in query.find_all(exp.Join):
        if join.method:
            got = f"{join.method} JOIN"
            raise Refused(wanted="joins that Spark has", got=got, cure=cure, where=model.name)
    try:
        return query.sql(dialect="spark", comments=False, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        got = str(error).splitlines()[0][:160]
        raise Refused(wanted="SQL that Spark has", got=got, cure=cure, where=model.name) from None


def find_on_spark(
    model: SupervisionModel, moment: datetime, frames: Mapping[str, DataFrame]
) -> DataFrame:
    """What it finds at a moment. `frames`: record set -> all rows of all times, as stored.

    Its record sets are temporary views of the session for as long as this is asked.
    """
    sql = spark_sql(model, moment)
    at = _written(moment)
    schedule = f"happened_at <= {at} AND retracted_at IS NULL"
    seen = known_before(at) if model.head.raised == "each_cycle" else schedule
    for name in model.record_sets:
        columns = dict.fromkeys(("record_no", "happened_at", "known_at", *model.columns[name]))
        frames[name].where(seen).select(*columns).createOrReplaceTempView(name)
    return frames[model.record_sets[0]].sparkSession.sql(sql)


def _written(moment: datetime) -> str:
    return f"CAST('{moment.isoformat(sep=' ')}' AS TIMESTAMP_NTZ)"


def _at_the_least(order: exp.Order) -> exp.Expression:
    """ANY_VALUE(x ORDER BY y): x at the least y among the rows that have an x."""
    [ordered] = order.expressions
    value = order.this
    by = exp.Case().when(
        exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null())), ordered.this
    )
    pick = exp.ArgMax if ordered.args.get("desc") else exp.ArgMin
    return pick(this=value.copy(), expression=by)
