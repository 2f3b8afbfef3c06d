"""A supervision model's SQL rewritten to answer for many moments at once.

Planning a statement costs DuckDB more than running it over a few thousand records, and history has
hundreds of runs. So each record set in the SQL becomes a subquery cut to a moment of an outer row,
and the whole becomes the lateral side of a join with the moments asked about: one plan, one pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlglot
from sqlglot import expressions as exp

from governance.checks import quoted
from governance.reading import known_before

ASKED, MOMENT = '"moments asked"', '"moment asked"'
AT_MOMENT = f"{ASKED}.{MOMENT}"


def at_many_moments(query: exp.Query, columns: Mapping[str, Sequence[str]]) -> str:
    """SQL over `stored.RECORD_SET` that gives, for each row of `"moments asked"`, its moment as
    `"moment asked"` and what `query` gives then. `columns`: record set -> columns it shows.
    """
    query = query.copy()
    for asked in list(query.find_all(exp.Placeholder)):
        asked.replace(exp.column("moment asked", "moments asked", quoted=True))
    for table in list(query.find_all(exp.Table)):
        if table.name in columns:
            table.replace(_as_known(table, columns[table.name]))
    found = query.sql(dialect="duckdb", comments=False)
    return f"SELECT {AT_MOMENT}, found.* FROM {ASKED}, LATERAL ({found}) AS found"


def at_one_moment(query: exp.Query, moment: str) -> str:
    """The query's SQL with `moment`, an expression in SQL, in place of `$moment`."""
    query = query.copy()
    for asked in list(query.find_all(exp.Placeholder)):
        asked.replace(sqlglot.parse_one(moment, read="duckdb"))
    return query.sql(dialect="duckdb", comments=False)


def _as_known(table: exp.Table, columns: Sequence[str]) -> exp.Subquery:
    """What the record set shows at the moment of the outer row, under its name in the SQL."""
    seen = ", ".join(map(quoted, columns))
    inner = sqlglot.parse_one(
        f"SELECT {seen} FROM stored.{quoted(table.name)} WHERE {known_before(AT_MOMENT)}",
        read="duckdb",
    )
    alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name, True))
    return exp.Subquery(this=inner, alias=alias.copy())
