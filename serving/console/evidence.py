"""The records a clue was raised from, as a reviewer opens them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from base.bilingual import Language
from governance.access import masked_value
from serving.console.words import FUNCTIONS, STATES, in_language
from serving.service import Service

RECORDS_SHOWN = 50


@dataclass(frozen=True)
class EvidenceTable:
    """Records of one record set: titles of the columns, then a row per record."""

    title: str
    columns: list[str]
    rows: list[list[Any]]


def evidence_tables(
    service: Service, evidence: Sequence[str], language: Language, seen: Collection[str]
) -> list[EvidenceTable]:
    """`evidence` names records as `record_set/record_no`; unknown record sets are left out.

    Values of a classification that is not in `seen` are masked.
    """
    wanted: dict[str, list[int]] = defaultdict(list)
    for reference in evidence:
        record_set, _, number = reference.rpartition("/")
        if record_set in service.home.jurisdiction.contracts and number.isdigit():
            wanted[record_set].append(int(number))
    return [_table(service, name, wanted[name], language, seen) for name in sorted(wanted)]


def _table(
    service: Service, name: str, numbers: list[int], language: Language, seen: Collection[str]
) -> EvidenceTable:
    contract = service.home.jurisdiction.contract(name)
    columns = [column.name for column in contract.columns]
    rows = service.glance.records(name, numbers, columns, RECORDS_SHOWN)
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


def said_by(service: Service, language: Language) -> Callable[[str, Any], Any]:
    """What a page shows for a value of a column: our own names in words, all else as it is."""
    offices = service.offices.by_id
    models = service.supervision_models
    words: dict[str, Mapping[str, Any]] = {
        "status": in_language(STATES, language),
        "function": in_language(FUNCTIONS, language),
        "supervision_model": {
            name: model.head.title.in_language(language) for name, model in models.items()
        },
        "office_id": {name: each.title.in_language(language) for name, each in offices.items()},
    }
    return lambda column, value: words.get(column, {}).get(value, value)
