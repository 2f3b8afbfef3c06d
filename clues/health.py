"""The health of each supervision model: what it raised, what became of it, what a case costs.

1,798 clues of one made a case, 400 of another made nineteen: who writes supervision models, and who
pays for verifying their clues, must see it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from base.bilingual import Bilingual
from clues.register import read_clues
from clues.supervision import Head, load_supervision_models
from governance.contract import Contract
from governance.home import Home
from governance.reading import Records, known_before

OUTCOMES = "outcomes"
RETURNED = "returned"
# What the table of outcomes must have to be asked.
NEEDED = {"clue_id", "status", "became_case"}


@dataclass(frozen=True)
class Health:
    """One supervision model at a moment. A share of nothing is None.

    `concluded`: clues with an outcome; `verified`: those that ended as a case or none;
    `conversion`: cases among the verified; `returned_share`: returned among the concluded.
    `verified_per_case`: clues that offices verified for a case; `weeks_per_case`: the same in
    weeks of an office, each clue costing one part of its office's weekly capacity (None: no
    office of theirs has any).
    """

    name: str
    title: Bilingual | None
    severity: int | None
    versions: Mapping[str, int]
    clues: int
    last_raised_at: datetime | None
    concluded: int
    verified: int
    cases: int
    conversion: float | None
    returned_share: float | None
    verified_per_case: float | None
    weeks_per_case: float | None


def model_health(home: Home, moment: datetime, capacity: Mapping[str, int]) -> list[Health]:
    """Every supervision model that is declared or ever raised a clue, by name.

    `capacity`: office -> clues it can verify in a week.
    """
    declared = {model.name: model.head for model in load_supervision_models(home.jurisdiction)}
    counted = _counted(home, moment, capacity)
    return [
        _health(name, declared.get(name), counted.get(name, []))
        for name in sorted(declared.keys() | counted.keys())
    ]


def _counted(
    home: Home, moment: datetime, capacity: Mapping[str, int]
) -> dict[str, list[dict[str, Any]]]:
    """Supervision model -> its counts, one entry per version."""
    clues = read_clues(home)
    contract = home.jurisdiction.contracts.get(OUTCOMES)
    with Records(home, only=[OUTCOMES]) as records:
        connection = records.connection()
        connection.register("raised", clues)
        connection.execute("CREATE TABLE hands (office_id VARCHAR, capacity BIGINT)")
        offices = [each for each in capacity.items() if each[1] > 0]
        if offices:
            connection.executemany("INSERT INTO hands VALUES (?, ?)", offices)
        asked = connection.execute(
            f"""
            SELECT supervision_model, model_version AS version, count(*) AS clues,
                   max(raised_at) AS last_raised_at, count(status) AS concluded,
                   count(became_case) AS verified, count(*) FILTER (became_case = 1) AS cases,
                   count(*) FILTER (status = '{RETURNED}') AS returned,
                   coalesce(sum(1.0 / capacity) FILTER (became_case IS NOT NULL), 0) AS weeks
            FROM raised LEFT JOIN ({_ended(contract)}) USING (clue_id)
            LEFT JOIN hands USING (office_id)
            WHERE raised_at <= $moment GROUP BY ALL ORDER BY max(raised_at)
        """,
            {"moment": moment},
        )
        names = [name for name, *_ in asked.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in asked.fetchall()]
    counted: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        counted[row["supervision_model"]].append(row)
    return dict(counted)


def _ended(contract: Contract | None) -> str:
    """The outcome of each clue that stands at the moment; none where none are declared."""
    if contract is None or NEEDED - set(contract.types):
        return (
            "SELECT NULL::VARCHAR AS clue_id, NULL::VARCHAR AS status,"
            " NULL::BIGINT AS became_case WHERE $moment IS NULL"
        )
    return f"SELECT clue_id, status, became_case FROM {OUTCOMES} WHERE {known_before('$moment')}"


def _health(name: str, head: Head | None, counts: list[dict[str, Any]]) -> Health:
    total = {
        part: sum(each[part] for each in counts)
        for part in ("clues", "concluded", "verified", "cases", "returned", "weeks")
    }
    return Health(
        name=name,
        title=None if head is None else head.title,
        severity=None if head is None else head.severity,
        versions={each["version"]: each["clues"] for each in counts},
        clues=total["clues"],
        last_raised_at=max((each["last_raised_at"] for each in counts), default=None),
        concluded=total["concluded"],
        verified=total["verified"],
        cases=total["cases"],
        conversion=_share(total["cases"], total["verified"]),
        returned_share=_share(total["returned"], total["concluded"]),
        verified_per_case=_share(total["verified"], total["cases"]),
        weeks_per_case=_share(total["weeks"], total["cases"]) or None,
    )


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None
