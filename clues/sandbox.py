"""Where supervision models run: the records they declared, in memory, and nothing else.

Each record set is laid out once, ordered by the moment it was known, behind a view that is cut to
the moment of the run. Then the connection is locked: no file, no network, no further setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import duckdb

from base.errors import Refused
from clues.many_moments import ASKED, MOMENT, at_many_moments
from clues.supervision import SupervisionModel
from governance.checks import quoted
from governance.engine import connect, lock_down
from governance.home import Home
from governance.reading import Records, known_before

# Records times moments that one statement looks at: beyond it planning no longer matters.
ROWS_AT_ONCE = 5_000_000


class Sandbox:
    """A locked connection with the schemas `known` (cut to a moment) and `schedule` (not cut)."""

    def __init__(self, home: Home, record_sets: set[str]) -> None:
        self.connection = connect(home.scratch)
        self.connection.execute("CREATE SCHEMA known; CREATE SCHEMA schedule; CREATE SCHEMA stored")
        self.connection.execute(f"CREATE TEMP TABLE {ASKED} ({MOMENT} TIMESTAMP)")
        self._columns: dict[str, list[str]] = {}
        self._rows: dict[str, int] = {}
        with Records(home) as records:
            for name in sorted(record_sets):
                self._lay_out(records, home, name)
        lock_down(self.connection)

    def _lay_out(self, records: Records, home: Home, name: str) -> None:
        contract = home.jurisdiction.contract(name)
        rows = records.connection().sql(f"SELECT * FROM {quoted(name)} ORDER BY known_at").arrow()
        self.connection.register("incoming", rows)
        self._columns[name] = ["record_no", "happened_at", "known_at", *contract.types]
        columns = ", ".join(map(quoted, self._columns[name]))
        self.connection.execute(f"""
            CREATE TABLE stored.{quoted(name)} AS
            SELECT {columns}, retracted_at FROM incoming;
            CREATE VIEW known.{quoted(name)} AS SELECT {columns} FROM stored.{quoted(name)}
            WHERE {known_before("getvariable('moment')")};
            CREATE VIEW schedule.{quoted(name)} AS SELECT {columns} FROM stored.{quoted(name)}
            WHERE happened_at <= getvariable('moment') AND retracted_at IS NULL
        """)
        self.connection.unregister("incoming")
        counted = self.connection.execute(f"SELECT count(*) FROM stored.{quoted(name)}").fetchall()
        self._rows[name] = counted[0][0]

    def moments_at_once(self, model: SupervisionModel) -> int:
        """For how many moments one statement of `model` may ask."""
        rows = sum(self._rows[name] for name in model.record_sets)
        return max(1, ROWS_AT_ONCE // max(1, rows))

    def run(self, model: SupervisionModel, moment: datetime) -> None:
        """Leave the rows that `model` finds at `moment` in the temporary table `result`."""
        schema = "known" if model.head.raised == "each_cycle" else "schedule"
        self.connection.execute(f"SET VARIABLE moment = TIMESTAMP '{moment.isoformat(sep=' ')}'")
        self.connection.execute(f"USE {schema}")
        sql = model.sql.replace("$moment", "getvariable('moment')")
        try:
            self._fill_result(f"SELECT getvariable('moment') AS {MOMENT}, * FROM ({sql}\n)")
        except duckdb.Error as error:
            raise Refused(
                wanted="SQL that runs over its record sets",
                got=" ".join(str(error).split())[:300],
                cure="mend the SQL",
                where=f"{model.name}.sql",
            ) from None
        finally:
            self.connection.execute("USE main")
        self._check_columns(model)

    def _check_columns(self, model: SupervisionModel) -> None:
        given = {name for name, *_ in self.connection.execute("FROM result LIMIT 0").description}
        needed = {"subject_id", "ground_key", "evidence", *model.head.columns}
        if model.head.raised == "by_column":
            needed.add("raised_at")
        extra = given - needed - {"office_id", MOMENT.strip('"')}
        if needed - given or extra:
            raise Refused(
                wanted=f"columns {', '.join(sorted(needed))} (and office_id)",
                got=f"missing {sorted(needed - given)}, unknown {sorted(extra)}",
                cure="name them in the SELECT, or mend `columns` in the head",
                where=f"{model.name}.sql",
            )

    def run_many(self, model: SupervisionModel, moments: Sequence[datetime]) -> bool:
        """The same for many moments, each row beside its `"moment asked"`, in one statement.

        False, with nothing of use in `result`, where the SQL cannot be asked so: it has a form that
        is not rewritten, or its last moment, run by itself, gives other rows.
        """
        sql = at_many_moments(model.sql, self._columns)
        if sql is None or model.head.raised != "each_cycle":
            return False
        self.run(model, moments[-1])
        self.connection.execute("CREATE OR REPLACE TEMP TABLE alone AS FROM result")
        self.connection.execute(f"DELETE FROM {ASKED}")
        self.connection.execute(
            f"INSERT INTO {ASKED} SELECT unnest($moments)", {"moments": list(moments)}
        )
        try:
            self._fill_result(sql)
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
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE result AS {sql}")
