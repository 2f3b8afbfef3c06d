"""What the SQL of a supervision model may say: one SELECT over declared columns, and no more.

Everything is refused that is not listed here: kinds of expression, functions, tables, columns. What
runs later is the checked expression written out anew, never the author's letters, so nothing can
hide in a comment or in what two parsers read differently. The sandbox is locked as well; this file
is there to say why, before anything runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import OptimizeError, SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope
from sqlglot.tokens import TokenType

from base.errors import Fault, Refused, nearest

SYSTEM_COLUMNS = ("record_no", "happened_at", "known_at")
LONGEST_TEXT, DEEPEST_NESTING, LONGEST_CHAIN = 20_000, 50, 200
MOST_BRACKETS = 100
MOMENT = "moment"

# Functions of records alone: no file, network, setting, clock, chance or sequence.
AGGREGATES = """any_value arg_max arg_min avg bool_and bool_or count count_if first last list max
    max_by median min min_by mode quantile_cont quantile_disc stddev stddev_pop stddev_samp
    string_agg sum var_pop var_samp variance array_agg logical_and logical_or group_concat
    percentile_cont percentile_disc variance_pop corr"""
WINDOWS = """cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank
    row_number"""
TEXTS = """concat concat_ws contains ends_with left length levenshtein jaro_winkler_similarity lower
    ltrim regexp_extract regexp_full_match regexp_like regexp_matches regexp_replace replace right
    rtrim split_part starts_with str_position strip_accents strftime strptime substr substring trim
    try_strptime upper time_to_str str_to_time"""
NUMBERS = (
    "abs ceil ceiling floor greatest isfinite isnan least ln log10 mod pow power round sign sqrt"
)
DATES = """date_add date_diff date_part date_sub date_trunc datediff day dayofweek dayofyear epoch
    extract hour isodow last_day make_date minute month quarter timestamp_trunc week year
    day_of_week day_of_year day_of_month day_of_week_iso week_of_year
    date_from_parts time_to_unix"""
LISTS = """array array_concat array_contains array_filter array_length array_size array_distinct
    array_sort cardinality explode filter len list_concat list_contains list_distinct list_filter
    list_has_any list_sort list_transform list_value sort_array transform unnest"""
CHOICES = "and or xor case cast coalesce exists if ifnull nullif try_cast"
# docs/declare.md lists them by these kinds.
KINDS = {
    "aggregates": AGGREGATES,
    "windows": WINDOWS,
    "text": TEXTS,
    "numbers": NUMBERS,
    "dates": DATES,
    "lists": LISTS,
    "choices": CHOICES,
}
FUNCTIONS = frozenset(" ".join(KINDS.values()).split())
PERMITTED = f"permitted are {', '.join(KINDS)} of records, listed in docs/declare.md"
SERIES = frozenset(("generate_series", "range", "generate_date_array", "generate_timestamp_array"))
CLOCKS = frozenset(
    {"current_date", "current_datetime", "current_time", "current_timestamp", "localtime", "now"}
    | {"get_current_timestamp", "localtimestamp", "today", "transaction_timestamp"}
)
SERIES_STEPS = {"day", "days", "week", "weeks", "month", "months", "quarter", "year", "years"}

# Kinds of expression other than functions; each stands for those made from it too.
EXPRESSIONS = (
    *(exp.Select, exp.SetOperation, exp.Subquery, exp.With, exp.CTE, exp.From, exp.Join, exp.Table),
    *(exp.TableAlias, exp.Lateral, exp.Values, exp.Where, exp.Group, exp.Having, exp.Qualify),
    *(exp.Order, exp.Ordered, exp.Limit, exp.Offset, exp.Distinct, exp.Cube, exp.Rollup),
    *(exp.GroupingSets, exp.Column, exp.Identifier, exp.Star, exp.Alias, exp.Literal, exp.Boolean),
    *(exp.Null, exp.Binary, exp.Unary, exp.Between, exp.In, exp.Any, exp.All, exp.Interval),
    *(exp.Var, exp.Tuple, exp.Filter, exp.WithinGroup, exp.Window, exp.WindowSpec, exp.DataType),
    *(exp.DataTypeParam, exp.Lambda, exp.IgnoreNulls, exp.RespectNulls, exp.Placeholder, exp.Slice),
    *(exp.HavingMax, exp.PropertyEQ, exp.Bracket),
)
TABLE_PARTS = {"this", "alias"}


@dataclass(frozen=True)
class Permitted:
    """A checked SELECT. `columns`: record set -> the columns it reads, in alphabetical order."""

    query: exp.Query
    columns: Mapping[str, tuple[str, ...]]


# Record set -> its columns, as the cache wants it: hashable.
Shown = tuple[tuple[str, tuple[str, ...]], ...]


def permit(sql: str, record_sets: Mapping[str, Iterable[str]], where: str) -> Permitted:
    """Check a SELECT over `record_sets` (name -> columns). Refused with every fault.

    The query is shared between callers: copy it before changing it.
    """
    shown = tuple((name, tuple(columns)) for name, columns in sorted(record_sets.items()))
    return _permitted(sql, shown, where)


@lru_cache(maxsize=512)
def _permitted(sql: str, shown: Shown, where: str) -> Permitted:
    query, record_sets = _parsed(sql, where), dict(shown)
    faults = [*_expression_faults(query, where), *_table_faults(query, record_sets, where)]
    if faults:
        raise Refused.gather(dict.fromkeys(faults))
    return Permitted(query, _columns(query, record_sets, where))


def _parsed(sql: str, where: str) -> exp.Query:
    _require_readable(sql, where)
    try:
        statements = [each for each in sqlglot.parse(sql, read="duckdb") if each is not None]
    except (SqlglotError, RecursionError) as error:
        got = str(error).splitlines()[0][:160]
        cure = "mend the SQL (DuckDB dialect)"
        raise Refused(wanted="SQL that parses", got=got, cure=cure, where=where) from None
    statements = [each for each in statements if not isinstance(each, exp.Semicolon)]
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        kinds = ", ".join(type(each).__name__.upper() for each in statements) or "nothing"
        cure = "leave one SELECT (WITH is welcome)"
        raise Refused(wanted="one SELECT", got=kinds, cure=cure, where=where)
    _require_shallow(statements[0], where)
    return statements[0]


def _require_shallow(query: exp.Query, where: str) -> None:
    """a + a + a + ... nests without a bracket, and what reads it later is recursive."""
    waiting: list[tuple[exp.Expr, int]] = [(query, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > LONGEST_CHAIN:
            wanted = f"chains (AND, +, UNION, JOIN ...) of at most {LONGEST_CHAIN}"
            raise Refused(wanted=wanted, got="a longer one", cure="use IN, or WITH", where=where)
        waiting += [(child, depth + 1) for child in node.iter_expressions()]


def _require_readable(sql: str, where: str) -> None:
    """Bounds on what the parser is given: it is recursive, and slow on deep nesting."""
    if len(sql) > LONGEST_TEXT:
        wanted, cure = f"at most {LONGEST_TEXT:,} letters", "split it into two supervision models"
        raise Refused(wanted=wanted, got=f"{len(sql):,}", cure=cure, where=where)
    if any(ord(letter) < 32 and letter not in "\t\n\r" for letter in sql):
        wanted, cure = "text without control characters", "take them out"
        raise Refused(wanted=wanted, got="some", cure=cure, where=where)
    depth = deepest = brackets = 0
    try:
        for token in sqlglot.tokenize(sql, read="duckdb"):
            brackets += token.token_type == TokenType.L_BRACKET
            depth += token.token_type in (TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.CASE)
            depth -= token.token_type in (TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.END)
            deepest = max(deepest, depth)
    except SqlglotError:
        got, cure = "a text or comment that does not end", "close it"
        raise Refused(wanted="SQL that parses", got=got, cure=cure, where=where) from None
    if deepest > DEEPEST_NESTING:
        wanted = f"nesting of at most {DEEPEST_NESTING}"
        raise Refused(wanted=wanted, got=str(deepest), cure="use WITH", where=where)
    if brackets > MOST_BRACKETS:
        wanted = f"at most {MOST_BRACKETS} lists and places in lists"
        raise Refused(wanted=wanted, got=str(brackets), cure="use IN", where=where)


def _expression_faults(query: exp.Query, where: str) -> Iterator[Fault]:
    for node in query.walk():
        if isinstance(node, exp.Func):
            yield from _function_faults(node, where)
        elif isinstance(node, exp.Placeholder):
            if node.name != MOMENT:
                wanted, cure = "no parameter but $moment", "write $moment, or the value itself"
                yield Fault(wanted, node.sql(dialect="duckdb"), cure, where)
        elif isinstance(node, exp.With) and node.args.get("recursive"):
            cure = "join the record sets instead: recursion has no bound"
            yield Fault("a WITH that does not call itself", "WITH RECURSIVE", cure, where)
        elif isinstance(node, exp.Join) and node.method == "POSITIONAL":
            cure = "join by columns: records have no place of their own"
            yield Fault("a join by columns", "POSITIONAL JOIN", cure, where)
        elif not isinstance(node, EXPRESSIONS):
            cure = "say it with SELECT, JOIN, WHERE, GROUP BY, HAVING, QUALIFY and WITH"
            yield Fault("a plain SELECT", _kind(node), cure, where)


def _function_faults(node: exp.Func, where: str) -> Iterator[Fault]:
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        names = {node.name.lower()}
    else:
        names = {name.lower() for name in node.sql_names()}
    if names & FUNCTIONS:
        return
    name = node.name.lower() if isinstance(node, exp.Anonymous) else node.sql_name().lower()
    if names & SERIES:
        yield from _series_faults(node, name, where)
    elif names & CLOCKS:
        cure = "write $moment: what is found must be the same whenever it is asked"
        yield Fault("no clock", f"{name}()", cure, where)
    else:
        cure = f"say it with another, or leave it out: {PERMITTED}"
        yield Fault("an allowed function", f"{name}()", cure, where)


def _series_faults(node: exp.Func, name: str, where: str) -> Iterator[Fault]:
    """A series is bounded by the calendar: unnested, between two moments written out, by days."""
    start, end, step = (node.args.get(part) for part in ("start", "end", "step"))
    unit = str(step.args.get("unit") or "").lower() if isinstance(step, exp.Interval) else ""
    number = step.this.name if isinstance(step, exp.Interval) and step.this else ""
    written = all(_written_moment(bound) for bound in (start, end))
    inside = node.find_ancestor(exp.Unnest, exp.Explode) is not None
    if not (written and inside and unit in SERIES_STEPS and number.isdigit() and int(number) > 0):
        wanted = "unnest(generate_series(DATE '...', DATE '...', INTERVAL n DAY or longer))"
        yield Fault(wanted, f"another {name}()", "count over record sets instead", where)


def _written_moment(bound: exp.Expression | None) -> bool:
    if isinstance(bound, exp.Cast):
        return isinstance(bound.this, exp.Literal) and bound.this.is_string
    return isinstance(bound, exp.Placeholder)


def _table_faults(
    query: exp.Query, record_sets: Mapping[str, Iterable[str]], where: str
) -> Iterator[Fault]:
    own = {each.alias for each in query.find_all(exp.CTE)}
    for name in sorted(own & set(record_sets)):
        cure = "give that part of the query a name of its own"
        yield Fault("each name once", f"WITH {name}, which is a record set", cure, where)
    for table in query.find_all(exp.Table):
        plain = isinstance(table.this, exp.Identifier)
        extra = {part for part, value in table.args.items() if value} - TABLE_PARTS
        if plain and not extra and table.name in own | set(record_sets):
            continue
        cure = nearest(table.name, record_sets) if plain and not extra else "name a record set"
        yield Fault("a declared record set", table.sql(dialect="duckdb")[:60], cure, where)


def _columns(
    query: exp.Query, record_sets: Mapping[str, Iterable[str]], where: str
) -> dict[str, tuple[str, ...]]:
    """Every column the query reads, each of a record set that has it; Refused otherwise."""
    schema: dict[str, object] = {
        name: dict.fromkeys((*SYSTEM_COLUMNS, *columns), "UNKNOWN")
        for name, columns in record_sets.items()
    }
    try:
        qualified = qualify(query.copy(), schema=schema, dialect="duckdb")
        used: dict[str, set[str]] = {each.name: set() for each in _declared(query, record_sets)}
        for scope in traverse_scope(qualified):
            for column in scope.columns:
                source = scope.sources.get(column.table)
                if isinstance(source, exp.Table) and source.name in used:
                    used[source.name].add(column.name)
    except (OptimizeError, RecursionError) as error:
        raise _undeclared(str(error), query, record_sets, where) from None
    whole = qualified.find(exp.TableColumn)
    if whole is not None:
        cure = "name the columns that are needed"
        raise Refused(wanted="columns", got=f"all of {whole.name} as one", cure=cure, where=where)
    if any(any(star.args.values()) for star in query.find_all(exp.Star)):
        # What is left out of a star must be there to be left out.
        used = {name: set(record_sets[name]) | columns for name, columns in used.items()}
    return {name: tuple(sorted(columns)) for name, columns in sorted(used.items())}


def _declared(query: exp.Query, record_sets: Mapping[str, Iterable[str]]) -> Iterator[exp.Table]:
    return (table for table in query.find_all(exp.Table) if table.name in record_sets)


def _undeclared(
    told: str, query: exp.Query, record_sets: Mapping[str, Iterable[str]], where: str
) -> Refused:
    """The parser's word on a column that no record set of the query has, with the nearest."""
    known = {
        column
        for table in _declared(query, record_sets)
        for column in (*SYSTEM_COLUMNS, *record_sets[table.name])
    }
    first = told.splitlines()[0].split(". Line:")[0][:120]
    named = next((part for part in first.replace("'", '"').split('"')[1:2]), first.split(" ")[-1])
    ambiguous = "write before it which record set is meant (p.column)"
    return Refused(
        wanted="columns of the record sets in FROM, each of one of them",
        got=first,
        cure=ambiguous if named in known else nearest(named, known),
        where=where,
    )


def _kind(node: exp.Expr) -> str:
    """What sort of thing an expression is, in words: TableSample is TABLE SAMPLE."""
    name = type(node).__name__
    return "".join(f" {letter}" if letter.isupper() else letter for letter in name).strip().upper()
