"""Where supervision models run: the records they declared, in memory, and nothing else.

Each record set is laid out once, only the columns that are read, ordered by the moment it was
known, behind a view that is cut to the moment of the run. Then the connection is locked: no file,
no network, no further setting; memory, spilling and the time of a statement have bounds.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Timer

import duckdb

from base.errors import Refused
from base.settings import Settings
from clues.many_moments import ASKED, MOMENT, at_many_moments, at_one_moment
from clues.permitted import SYSTEM_COLUMNS
from clues.supervision import SupervisionModel
from governance.checks import quoted
from governance.engine import connect, lock_down
from governance.home import Home
from governance.reading import Records, known_before

# Records times moments that one statement looks at: beyond it planning no longer matters.
ROWS_AT_ONCE = 5_000_000
# What a statement may spill to the home's folder; a join gone wrong would fill the disk.
SPILL = "20GB"


class Sandbox:
    """A locked connection with the schemas `known` (cut to a moment) and `schedule` (not cut).

    `columns`: record set -> the columns laid out, beside those that every record has.
    """

    def __init__(
        self, records: Records, columns: Mapping[str, Iterable[str]], scratch: Path | None = None
    ) -> None:
        self.connection = connect(scratch)
        self.connection.execute(f"SET max_temp_directory_size = '{SPILL}'")
        self.connection.execute("CREATE SCHEMA known; CREATE SCHEMA schedule; CREATE SCHEMA stored")
        self.connection.execute(f"CREATE TEMP TABLE {ASKED} ({MOMENT} TIMESTAMP)")
        self.seconds = Settings().supervision_seconds
        self._columns: dict[str, list[str]] = {}
        self._rows: dict[str, int] = {}
        self._sql: dict[str, str] = {}
        for name, read in sorted(columns.items()):
            self._lay_out(records, name, list(dict.fromkeys((*SYSTEM_COLUMNS, *sorted(read)))))
        lock_down(self.connection)

    @classmethod
    def of_home(cls, home: Home, models: Iterable[SupervisionModel]) -> Sandbox:
        """The newest records of a home, as far as `models` read them."""
        columns = columns_read(models)
        with Records(home, only=columns) as records:
            return cls(records, columns, home.scratch)

    def _lay_out(self, records: Records, name: str, columns: list[str]) -> None:
        listed = ", ".join(map(quoted, columns))
        rows = records.connection().sql(
            f"SELECT {listed}, retracted_at FROM {quoted(name)} ORDER BY known_at, record_no"
        )
        self.connection.register("incoming", rows.to_arrow_reader())
        self.connection.execute(f"""
            CREATE TABLE stored.{quoted(name)} AS SELECT * FROM incoming;
            CREATE VIEW known.{quoted(name)} AS SELECT {listed} FROM stored.{quoted(name)}
            WHERE {known_before("getvariable('moment')")};
            CREATE VIEW schedule.{quoted(name)} AS SELECT {listed} FROM stored.{quoted(name)}
            WHERE happened_at <= getvariable('moment') AND retracted_at IS NULL
        """)
        self.connection.unregister("incoming")
        counted = self.connection.execute(f"SELECT count(*) FROM stored.{quoted(name)}").fetchall()
        self._columns[name], self._rows[name] = columns, counted[0][0]

    def moments_at_once(self, model: SupervisionModel) -> int:
        """For how many moments one statement of `model` may ask."""
        rows = sum(self._rows[name] for name in model.record_sets)
        return max(1, ROWS_AT_ONCE // max(1, rows))

    def run(self, model: SupervisionModel, moment: datetime) -> None:
        """Leave the rows that `model` finds at `moment` in the temporary table `result`.

        Raises Refused where DuckDB refuses, the bounds are passed, or the columns are not those
        the head promises.
        """
        schema = "known" if model.head.raised == "each_cycle" else "schedule"
        self.connection.execute(f"SET VARIABLE moment = TIMESTAMP '{moment.isoformat(sep=' ')}'")
        self.connection.execute(f"USE {schema}")
        sql = self._written(model)
        try:
            self._fill_result(f"SELECT getvariable('moment') AS {MOMENT}, * FROM ({sql}\n)")
        except duckdb.InterruptException:
            raise Refused(
                wanted=f"an answer within {self.seconds:g} seconds (CLUES_SUPERVISION_SECONDS)",
                got="none",
                cure="join by keys, and count before joining",
                where=model.name,
            ) from None
        except duckdb.Error as error:
            raise Refused(
                wanted="SQL that runs over its record sets",
                got=told_without_values(error),
                cure="mend the SQL",
                where=model.name,
            ) from None
        finally:
            self.connection.execute("USE main")
        self._check_columns(model)

    def _written(self, model: SupervisionModel) -> str:
        """The checked query written out, once for all its moments."""
        if model.version not in self._sql:
            self._sql[model.version] = at_one_moment(model.query, "getvariable('moment')")
        return self._sql[model.version]

    def _check_columns(self, model: SupervisionModel) -> None:
        described = self.connection.execute("FROM result LIMIT 0").description or []
        given = {name for name, *_ in described}
        needed = {"subject_id", "ground_key", "evidence", *model.head.columns}
        if model.head.raised == "by_column":
            needed.add("raised_at")
        extra = given - needed - {"office_id", MOMENT.strip('"')}
        if needed - given or extra:
            raise Refused(
                wanted=f"columns {', '.join(sorted(needed))} (and office_id)",
                got=f"missing {sorted(needed - given)}, unknown {sorted(extra)}",
                cure="name them in the SELECT, or mend `columns` in the head",
                where=model.name,
            )

    def run_many(self, model: SupervisionModel, moments: Sequence[datetime]) -> bool:
        """The same for many moments, each row beside its `"moment asked"`, in one statement.

        False, with nothing of use in `result`, where that cannot be done: the model raises by a
        column, DuckDB refuses it, or its last moment, run by itself, gives other rows.
        """
        self.run(model, moments[-1])
        if model.head.raised == "by_column":
            return False
        self.connection.execute("CREATE OR REPLACE TEMP TABLE alone AS FROM result")
        self.connection.execute(f"DELETE FROM {ASKED}")
        self.connection.execute(
            f"INSERT INTO {ASKED} SELECT unnest($moments)", {"moments": list(moments)}
        )
        try:
            self._fill_result(at_many_moments(model.query, self._columns))
        except duckdb.Error:
            return False
        return self._same_as_alone(moments[-1])

    def _same_as_alone(self, moment: datetime) -> bool:
        """Whether `result` holds at `moment` the rows of `alone`, no more and no fewer."""
        together = f"(FROM result WHERE {MOMENT} = $moment)"
        sorted_rows = "SELECT * REPLACE (list_sort(evidence) AS evidence) FROM"
        differing = self.connection.execute(
            f"SELECT count(*) FROM (({sorted_rows} alone EXCEPT ALL {sorted_rows} {together})"
            f" UNION ALL ({sorted_rows} {together} EXCEPT ALL {sorted_rows} alone))",
            {"moment": moment},
        ).fetchall()
        return bool(differing[0][0] == 0)

    def _fill_result(self, sql: str) -> None:
        with self._within_seconds():
            self.connection.execute(f"CREATE OR REPLACE TEMP TABLE result AS {sql}")

    @contextmanager
    def _within_seconds(self) -> Iterator[None]:
        """Interrupt what runs inside once the bound is passed."""
        timer = Timer(self.seconds, self.connection.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def columns_read(models: Iterable[SupervisionModel]) -> dict[str, set[str]]:
    """Record set -> every column that one of `models` reads."""
    columns: dict[str, set[str]] = defaultdict(set)
    for model in models:
        for name, read in model.columns.items():
            columns[name] |= set(read)
    return dict(columns)


def told_without_values(error: duckdb.Error) -> str:
    """DuckDB's message in one line; it quotes values of records, which nobody else may read."""
    return re.sub(r"'[^']*'?", "'...'", " ".join(str(error).split()))[:300]
