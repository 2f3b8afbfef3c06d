"""The records behind a value of the score that was given, as its reader may see them.

A record that is about a clue (it names one by `clue_id`, or an office by `office_id`) is shown
only to who sees that office; how many others there were is not told. Values of a classification
that the reader's role is not cleared for are masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from base.bilingual import Bilingual, Language
from base.errors import NotFound
from clues.clue import clue_asked_at
from features.classified import column_classifications
from features.lineage import Behind, behind_value
from governance.checks import quoted
from governance.jurisdiction import OPEN
from governance.reading import Records
from scoring.ledger import GivenScore
from serving.clearance import cleared, seen_row
from serving.principal import Principal
from serving.service import Service

CLUES_TITLE = Bilingual(zh="线索", en="clues")

# The same whether any are hidden or not: how many there are is not told.
OWN_OFFICES = Bilingual(
    zh="只显示本人所属各院的记录；该值可能还计入了其他院的记录。",
    en="Only records of your own offices are shown; others may have counted.",
)


@dataclass(frozen=True)
class EvidencePage:
    """`columns` are name, title and whether it is masked; `records` have them and `hit`.

    `record_set` None: the value stands in the clue itself. `hits`: of `total` records, those in
    the numerator of a ratio; None for all else. `next_after`: where the next page begins, None: no
    more. `note`: what the reader must know of what is shown.
    """

    record_set: str | None
    title: str | None
    columns: list[dict[str, Any]]
    records: list[dict[str, Any]]
    total: int
    hits: int | None
    next_after: int | None
    note: str | None = None


NO_RECORDS = EvidencePage(None, None, [], [], 0, None, None)


def reads_closed(service: Service, who: Principal, record_set: str) -> bool:
    """Whether the reader sees values of this record set that others see masked."""
    jurisdiction = service.home.jurisdiction
    classes = set(column_classifications(jurisdiction, record_set).values())
    return bool((classes - set(OPEN)) & cleared(who, jurisdiction))


@dataclass(frozen=True)
class Evidence:
    """What lies behind one given score, for one reader. Keep it no longer than a request."""

    service: Service
    who: Principal
    clue: Mapping[str, Any]
    given: GivenScore

    def page(self, feature: str, language: Language, limit: int, after: int) -> EvidencePage:
        """Records in order of happening, `limit` of them after the first `after`.

        Raises NotFound for a feature that the jurisdiction does not declare (any longer).
        """
        source = self._source(feature)
        if source is None:
            return NO_RECORDS
        with self._records(source) as records:
            behind = behind_value(self.service.definitions, feature, self._asked(), records)
            rows, total, hits = (
                self._rows(records, behind, limit, after) if behind is not None else ([], 0, None)
            )
        classified = column_classifications(self.service.home.jurisdiction, source)
        seen = cleared(self.who, self.service.home.jurisdiction)
        more = after + len(rows) < total
        return EvidencePage(
            record_set=source,
            title=self._title(source).in_language(language),
            columns=[
                {
                    "name": name,
                    "title": title.in_language(language),
                    "masked": classified.get(name, "internal") not in seen,
                }
                for name, title in self._columns(source)
            ],
            records=[seen_row(row, classified, seen) for row in rows],
            total=total,
            hits=hits,
            next_after=after + len(rows) if more else None,
            note=OWN_OFFICES.in_language(language) if self._is_cut(source) else None,
        )

    def numbers(self, features: list[str], limit: int) -> dict[str, dict[str, Any]]:
        """Feature -> the first record numbers behind it; plain features have none."""
        told = {}
        sources = {name: self._source(name) for name in features if self._declared(name)}
        wanted = {source for source in sources.values() if source is not None}
        if not wanted:
            return {}
        with self._records(*wanted) as records:
            for name, source in sources.items():
                if source is None:
                    continue
                behind = behind_value(self.service.definitions, name, self._asked(), records)
                rows = self._first(records, behind, limit + 1) if behind is not None else []
                told[name] = {
                    "record_set": source,
                    "record_nos": [number for number, _ in rows[:limit]],
                    "hits": [
                        number
                        for number, hit in rows[:limit]
                        if hit and behind is not None and behind.shares
                    ],
                    "more": len(rows) > limit,
                }
        return told

    def _first(self, records: Records, behind: Behind, limit: int) -> list[tuple[int, bool]]:
        query, parameters = self._seen(behind, records)
        query = (
            f"SELECT record_no, hit FROM ({query}) ORDER BY happened_at, record_no LIMIT {limit}"
        )
        return records.connection().cursor().execute(query, parameters).fetchall()

    def _rows(
        self, records: Records, behind: Behind, limit: int, after: int
    ) -> tuple[list[dict[str, Any]], int, int | None]:
        query, parameters = self._seen(behind, records)
        counted = f"SELECT count(*), count(*) FILTER (WHERE hit) FROM ({query})"
        total, hits = records.connection().cursor().execute(counted, parameters).fetchall()[0]
        names = [name for name, _ in self._columns(behind.record_set)]
        listed = ", ".join(["record_no", "happened_at", "known_at", *map(quoted, names), "hit"])
        page = f"""
            SELECT {listed} FROM ({query})
            ORDER BY happened_at, record_no LIMIT {limit} OFFSET {after}
        """
        found = records.connection().cursor().execute(page, parameters)
        told = [entry[0] for entry in found.description or []]
        rows = [dict(zip(told, row, strict=True)) for row in found.fetchall()]
        if not behind.shares:
            for row in rows:
                del row["hit"]
        return rows, total, hits if behind.shares else None

    def _seen(self, behind: Behind, records: Records) -> tuple[str, dict[str, Any]]:
        """Whole rows of the records that the reader's offices cover."""
        source = quoted(behind.record_set)
        query = f"SELECT * FROM ({behind.select}) JOIN {source} USING (record_no)"
        parameters = dict(behind.parameters)
        about = self._about_offices(behind.record_set, records)
        if self.who.offices is not None and about is not None:
            query += f" WHERE {about}"
            parameters["offices"] = sorted(self.who.offices)
        return query, parameters

    def _is_cut(self, source: str) -> bool:
        """Whether the reader is shown the records of some offices only."""
        columns = {name for name, _ in self._columns(source)}
        return self.who.offices is not None and bool(columns & {"clue_id", "office_id"})

    def _about_offices(self, source: str, records: Records) -> str | None:
        """SQL condition for records that are about a clue or an office; None: about neither."""
        columns = {name for name, _ in self._columns(source)}
        if source != "clues" and "clue_id" in columns:
            if "clues" not in records.record_sets:
                return "false"
            return "clue_id IN (SELECT clue_id FROM clues WHERE list_contains($offices, office_id))"
        return "list_contains($offices, office_id)" if "office_id" in columns else None

    def _records(self, *sources: str) -> Records:
        """Record sets as they were when the score was given."""
        home = self.service.home
        return Records(home, self.given.versions, only={*sources, "clues"})

    def _asked(self) -> dict[str, Any]:
        return clue_asked_at(self.clue, self.given.moment)

    def _declared(self, feature: str) -> bool:
        return feature in self.service.definitions.names

    def _source(self, feature: str) -> str | None:
        if not self._declared(feature):
            raise NotFound(
                wanted="a feature of this score", got="another", cure="see the clue's reasons"
            )
        return self.service.definitions.feature(feature).source

    def _title(self, source: str) -> Bilingual:
        contracts = self.service.home.jurisdiction.contracts
        return contracts[source].title if source in contracts else CLUES_TITLE

    def _columns(self, source: str) -> list[tuple[str, Bilingual]]:
        """Columns that are told, with their titles."""
        jurisdiction = self.service.home.jurisdiction
        if source in jurisdiction.contracts:
            return [(each.name, each.title) for each in jurisdiction.contract(source).columns]
        fixed = [
            ("clue_id", Bilingual(zh="线索编号", en="clue")),
            ("supervision_model", Bilingual(zh="监督模型", en="supervision model")),
            ("subject_id", Bilingual(zh="主体", en="subject")),
            ("office_id", Bilingual(zh="院", en="office")),
            ("raised_at", Bilingual(zh="发现时间", en="raised at")),
        ]
        own = jurisdiction.manifest.clue_columns
        return [*fixed, *((name, column.title) for name, column in own.items())]
