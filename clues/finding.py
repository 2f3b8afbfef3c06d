"""Finding: supervision models over their moments in a sandbox, and who has a clue that many found.

find -> each model over its moments -> `finds` -> merge -> `found`, dressed as the clue table is
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

from base.progress import Bar
from clues.clue import FIXED_COLUMNS
from clues.many_moments import MOMENT
from clues.sandbox import Sandbox
from clues.supervision import SupervisionModel
from governance import tables
from governance.checks import SQL_TYPES, quoted
from governance.home import Home
from governance.jurisdiction import Jurisdiction

CLUE_ID = "left(sha256(concat_ws(chr(31), '{ground}', subject_id, ground_key)), 16)"
# Who has a clue that many found: the earliest cycle, then the more severe supervision model.
PLACE = '"place of the model"'
FIRST = f"{MOMENT}, {PLACE}, raised_at, evidence"


@dataclass
class Raised:
    """What one supervision model found: new clues, and finds that were clues already.

    `up_to_date_until`: the last cycle that this version of it ran, where none was due.
    """

    raised: int = 0
    merged: int = 0
    runs: int = 0
    up_to_date_until: datetime | None = None


def find(
    home: Home,
    models: Sequence[SupervisionModel],
    due: Mapping[str, Sequence[datetime]],
    bar: Bar,
) -> tuple[duckdb.DuckDBPyConnection | None, dict[str, Raised]]:
    """Run `models` (the more severe first) at the moments that are due.

    Returns a connection whose table `found` has each new clue once, None where nothing was due; and
    supervision model -> counts.
    """
    counts = {model.name: Raised() for model in models}
    running = [model for model in models if due[model.name]]
    if not running:
        return None, counts
    sandbox = Sandbox.of_home(home, running)
    _lay_out_finds(sandbox.connection, home)
    for place, model in enumerate(running):
        run = _Run(sandbox, home.jurisdiction, model, place, counts[model.name])
        run.over(due[model.name], bar)
    _merge(sandbox.connection, counts)
    return sandbox.connection, counts


def _lay_out_finds(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    """`known_ids`: clues there are; `finds`: the first find of each clue by each supervision model
    of this call, typed as the clue table is."""
    connection.execute("CREATE TABLE known_ids (clue_id VARCHAR PRIMARY KEY)")
    stored = tables.dataset(home.table("clues"))
    if stored is not None:
        connection.register("earlier", stored.to_table(columns=["clue_id"]))
        connection.execute("INSERT INTO known_ids SELECT clue_id FROM earlier")
    own = home.jurisdiction.clue_columns
    types = {name: _sql_type(kind) for name, kind in FIXED_COLUMNS.items()}
    types |= {quoted(name): SQL_TYPES[kind] for name, kind in own.items()}
    types |= {MOMENT: "TIMESTAMP", PLACE: "BIGINT"}
    declared = ", ".join(f"{name} {kind}" for name, kind in types.items())
    connection.execute(f"CREATE TABLE finds ({declared})")


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return "VARCHAR[]"
    return {pa.int64(): "BIGINT", pa.timestamp("us"): "TIMESTAMP"}.get(kind, "VARCHAR")


@dataclass(frozen=True)
class _Run:
    """One supervision model over its moments; its finds go into `finds`.

    `count.merged` has every find here; what is raised is taken off in `_merge`.
    """

    sandbox: Sandbox
    jurisdiction: Jurisdiction
    model: SupervisionModel
    place: int
    count: Raised

    def over(self, moments: Sequence[datetime], bar: Bar) -> None:
        """Many moments at once where the SQL can be asked so, else one by one."""
        many = self.sandbox.moments_at_once(self.model)
        for start in range(0, len(moments), many):
            part = moments[start : start + many]
            if len(part) > 1 and self.sandbox.run_many(self.model, part):
                self._keep()
            else:
                for moment in part:
                    self.sandbox.run(self.model, moment)
                    self._keep()
            self.count.runs += len(part)
            bar.advance(len(part))

    def _keep(self) -> None:
        """Put what is new of `result` into `finds`."""
        connection = self.sandbox.connection
        found = connection.execute("SELECT count(*) FROM result").fetchall()[0][0]
        self.count.merged += found
        if found:
            connection.execute(f"""
                INSERT INTO finds BY NAME
                SELECT *, {self.place} AS {PLACE} FROM ({_shaped(self.jurisdiction, self.model)})
                ANTI JOIN known_ids USING (clue_id)
                ANTI JOIN (SELECT clue_id FROM finds WHERE {PLACE} = {self.place}) USING (clue_id)
                QUALIFY row_number() OVER (PARTITION BY clue_id ORDER BY {FIRST}) = 1
            """)


def _shaped(jurisdiction: Jurisdiction, model: SupervisionModel) -> str:
    """SELECT that dresses `result` as rows of the clue table (without the system columns)."""
    head = model.head
    own = ", ".join(
        f"{quoted(name) if name in head.columns else 'NULL'}::{SQL_TYPES[kind]} AS {quoted(name)}"
        for name, kind in jurisdiction.clue_columns.items()
    )
    raised = "raised_at::TIMESTAMP" if head.raised == "by_column" else MOMENT
    return f"""
        SELECT {CLUE_ID.format(ground=head.ground)} AS clue_id, '{model.name}' AS supervision_model,
               '{model.version}' AS model_version, '{head.function}' AS "function",
               {head.severity}::BIGINT AS severity, '{head.subject}' AS subject_kind,
               subject_id, '{head.ground}' AS ground, ground_key, office_id,
               {raised} AS raised_at, evidence, {MOMENT}, {own}
        FROM (SELECT * REPLACE (subject_id::VARCHAR AS subject_id, ground_key::VARCHAR AS
                                ground_key, evidence::VARCHAR[] AS evidence)
              FROM (SELECT * FROM result UNION ALL BY NAME SELECT NULL::VARCHAR AS office_id
                    WHERE false))
        WHERE subject_id IS NOT NULL AND ground_key IS NOT NULL"""


def _merge(connection: duckdb.DuckDBPyConnection, counts: dict[str, Raised]) -> None:
    """`found`: of each clue the find that came first; the counts say who raised and who merged."""
    connection.execute(f"""
        CREATE TABLE found AS SELECT * EXCLUDE ({MOMENT}, {PLACE}) FROM finds
        QUALIFY row_number() OVER (PARTITION BY clue_id ORDER BY {FIRST}) = 1
    """)
    raised = "SELECT supervision_model, count(*) FROM found GROUP BY ALL"
    for name, number in connection.execute(raised).fetchall():
        counts[name].raised = number
        counts[name].merged -= number
