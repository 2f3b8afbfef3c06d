"""Where supervision models run: the records they declared, in memory, and nothing else.

Each record set is laid out once, ordered by the moment it was known, behind a view that is cut to
the moment of the run. Then the connection is locked: no file, no network, no further setting.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

from base.errors import Refused
from clues.supervision import SupervisionModel
from governance.checks import quoted
from governance.engine import connect, lock_down
from governance.home import Home
from governance.reading import Records, known_before


class Sandbox:
    """A locked connection with the schemas `known` (cut to a moment) and `schedule` (not cut)."""

    def __init__(self, home: Home, record_sets: set[str]) -> None:
        self.connection = connect(home.scratch)
        self.connection.execute("CREATE SCHEMA known; CREATE SCHEMA schedule; CREATE SCHEMA stored")
        with Records(home) as records:
            for name in sorted(record_sets):
                self._lay_out(records, home, name)
        lock_down(self.connection)

    def _lay_out(self, records: Records, home: Home, name: str) -> None:
        contract = home.jurisdiction.contract(name)
        rows = records.connection().sql(f"SELECT * FROM {quoted(name)} ORDER BY known_at").arrow()
        self.connection.register("incoming", rows)
        columns = ", ".join(["record_no", "happened_at", "known_at", *map(quoted, contract.types)])
        self.connection.execute(f"""
            CREATE TABLE stored.{quoted(name)} AS
            SELECT {columns}, retracted_at FROM incoming;
            CREATE VIEW known.{quoted(name)} AS SELECT {columns} FROM stored.{quoted(name)}
            WHERE {known_before("getvariable('moment')")};
            CREATE VIEW schedule.{quoted(name)} AS SELECT {columns} FROM stored.{quoted(name)}
            WHERE happened_at <= getvariable('moment') AND retracted_at IS NULL
        """)
        self.connection.unregister("incoming")

    def run(self, model: SupervisionModel, moment: datetime) -> None:
        """Leave the rows that `model` finds at `moment` in the temporary table `result`."""
        schema = "known" if model.head.raised == "each_cycle" else "schedule"
        self.connection.execute(f"SET VARIABLE moment = TIMESTAMP '{moment.isoformat(sep=' ')}'")
        self.connection.execute(f"USE {schema}")
        sql = model.sql.replace("$moment", "getvariable('moment')")
        try:
            self.connection.execute(f"CREATE OR REPLACE TEMP TABLE result AS {sql}")
        except duckdb.Error as error:
            raise Refused(
                wanted="SQL that runs over its record sets",
                got=" ".join(str(error).split())[:300],
                cure="mend the SQL",
                where=f"{model.name}.sql",
            ) from None
        finally:
            self.connection.execute("USE main")
