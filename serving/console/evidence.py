"""The records a clue was raised from, as a reviewer opens them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from base.bilingual import Bilingual, Language
from governance.access import masked_value
from scoring.sentences import number_shower
from serving.console.words import FUNCTIONS, STATES, in_language
from serving.service import Service

RECORDS_SHOWN = 50
# Units stand in names: what ends so is money in cents, and its title may say so.
MONEY, OF_CENTS = "_cents", {"zh": "（分）", "en": " in cents"}


@dataclass(frozen=True)
class Cell:
    """What a page shows of a value, and the value as it stands in the record where that differs."""

    shown: str
    raw: str | None = None


@dataclass(frozen=True)
class EvidenceTable:
    """Records of one record set: titles of the columns, then a row per record."""

    title: str
    columns: list[str]
    rows: list[list[Cell]]


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
    said = said_by(service, language, name)
    titles = [
        without_cents(each.name, each.title.in_language(language), language)
        for each in contract.columns
    ]
    known = "知悉时间" if language == "zh" else "known at"
    number = "记录编号" if language == "zh" else "record"
    hidden = {
        at for at, column in enumerate(contract.columns, 1) if column.classification not in seen
    }
    names = ["record_no", *columns, "known_at"]
    told = [
        [
            Cell(str(masked_value(value) or "")) if at in hidden else said(names[at], value)
            for at, value in enumerate(row)
        ]
        for row in rows
    ]
    return EvidenceTable(contract.title.in_language(language), [number, *titles, known], told)


def without_cents(name: str, title: str, language: Language) -> str:
    """A column's title; without the unit of the file where its amounts are shown in yuan."""
    return title.removesuffix(OF_CENTS[language]) if name.endswith(MONEY) else title


def said_by(
    service: Service, language: Language, record_set: str | None
) -> Callable[[str, Any], Cell]:
    """What a page shows for a value of a column of a record set (or of `clues`): declared codes and
    our own names in words, cents as yuan, all else as it is."""
    words = _words(service, language, record_set)
    money = number_shower("cents", language)

    def said(column: str, value: Any) -> Cell:
        text = "" if value is None else str(value).replace(" 00:00:00", "")
        if column.endswith(MONEY) and isinstance(value, int):
            return Cell(money(value), text)
        title = words.get(column, {}).get(text)
        return Cell(text) if title is None or title == text else Cell(title, text)

    return said


def _words(
    service: Service, language: Language, record_set: str | None
) -> dict[str, Mapping[str, str]]:
    """Column -> value -> its title: as the contract labels it, or else a feature over it."""
    offices, models = service.offices.by_id, service.supervision_models
    words: dict[str, Mapping[str, str]] = {
        column: {value: title.in_language(language) for value, title in labels.items()}
        for column, labels in _declared(service, record_set)
    }
    return {
        **words,
        "status": words.get("status") or in_language(STATES, language),
        "function": in_language(FUNCTIONS, language),
        "supervision_model": {
            name: model.head.title.in_language(language) for name, model in models.items()
        },
        "office_id": {name: each.title.in_language(language) for name, each in offices.items()},
    }


def _declared(
    service: Service, record_set: str | None
) -> Iterator[tuple[str, Mapping[str, Bilingual]]]:
    """Columns with titles of their values; the last told of a column counts."""
    for feature in service.definitions.features:
        if feature.values and feature.column and (feature.source or "clues") == record_set:
            yield feature.column, feature.values
    contracts = service.home.jurisdiction.contracts
    if record_set in contracts:
        yield from (
            (each.name, each.labels) for each in contracts[record_set].columns if each.labels
        )
