"""A supervision model's SQL rewritten to answer for many moments at once.

Planning a statement costs DuckDB more than running it over a few thousand records, and history has
hundreds of runs. So each record set in the SQL becomes a subquery cut to a moment of an outer row,
and the whole becomes the lateral side of a join with the moments asked about: one plan, one pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import SqlglotError

from governance.checks import quoted
from governance.reading import known_before

ASKED, MOMENT = '"moments asked"', '"moment asked"'
AT_MOMENT = f"{ASKED}.{MOMENT}"
# What may stand beside a record set's name in FROM and still be rewritten.
PLAIN_TABLE = {"this", "alias"}


def at_many_moments(sql: str, columns: Mapping[str, Sequence[str]]) -> str | None:
    """The SQL over `stored.RECORD_SET` that gives, for each row of `"moments asked"`, its moment as
    `"moment asked"` and what `sql` gives then. `columns`: record set -> columns it shows.

    None where the SQL has a form this does not rewrite; it then runs once per moment.
    """
    try:
        query = sqlglot.parse_one(sql, read="duckdb")
    except SqlglotError:
        return None
    own = {each.alias for each in query.find_all(exp.CTE)}
    if own & set(columns) or not isinstance(query, exp.Query):
        return None
    for asked in list(query.find_all(exp.Parameter, exp.Placeholder)):
        asked.replace(exp.column("moment asked", "moments asked", quoted=True))
    for table in list(query.find_all(exp.Table)):
        if table.name in own:
            continue
        if table.name not in columns or {k for k, v in table.args.items() if v} - PLAIN_TABLE:
            return None
        table.replace(_as_known(table, columns[table.name]))
    found = query.sql(dialect="duckdb", comments=False)
    return f"SELECT {AT_MOMENT}, found.* FROM {ASKED}, LATERAL ({found}) AS found"


def _as_known(table: exp.Table, columns: Sequence[str]) -> exp.Subquery:
    """What the record set shows at the moment of the outer row, under its name in the SQL."""
    seen = ", ".join(map(quoted, columns))
    inner = sqlglot.parse_one(
        f"SELECT {seen} FROM stored.{quoted(table.name)} WHERE {known_before(AT_MOMENT)}",
        read="duckdb",
    )
    alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name, True))
    return exp.Subquery(this=inner, alias=alias.copy())
