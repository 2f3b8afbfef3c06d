"""The records a clue was raised from, as a reviewer opens them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from base.bilingual import Language
from governance.access import masked_value
from governance.checks import quoted
from governance.home import Home
from governance.reading import Records

RECORDS_SHOWN = 50


@dataclass(frozen=True)
class EvidenceTable:
    """Records of one record set: titles of the columns, then a row per record."""

    title: str
    columns: list[str]
    rows: list[list[Any]]


def evidence_tables(
    home: Home, evidence: Sequence[str], language: Language, seen: Collection[str]
) -> list[EvidenceTable]:
    """`evidence` names records as `record_set/record_no`; unknown record sets are left out.

    Values of a classification that is not in `seen` are masked.
    """
    wanted: dict[str, list[int]] = defaultdict(list)
    for reference in evidence:
        record_set, _, number = reference.rpartition("/")
        if record_set in home.jurisdiction.contracts and number.isdigit():
            wanted[record_set].append(int(number))
    with Records(home, only=wanted) as records:
        return [
            _table(home, records, name, wanted[name], language, seen) for name in sorted(wanted)
        ]


def _table(
    home: Home,
    records: Records,
    name: str,
    numbers: list[int],
    language: Language,
    seen: Collection[str],
) -> EvidenceTable:
    contract = home.jurisdiction.contract(name)
    listed = ", ".join(quoted(column.name) for column in contract.columns)
    query = (
        f"SELECT record_no, {listed}, known_at FROM {quoted(name)}"
        f" WHERE record_no IN (SELECT unnest($numbers)) ORDER BY record_no LIMIT {RECORDS_SHOWN}"
    )
    rows = records.connection().execute(query, {"numbers": numbers}).fetchall()
    titles = [column.title.in_language(language) for column in contract.columns]
    known = "知悉时间" if language == "zh" else "known at"
    number = "记录编号" if language == "zh" else "record"
    hidden = {
        at for at, column in enumerate(contract.columns, 1) if column.classification not in seen
    }
    told = [
        [masked_value(value) if at in hidden else value for at, value in enumerate(row)]
        for row in rows
    ]
    return EvidenceTable(contract.title.in_language(language), [number, *titles, known], told)
