"""From a reason back to where it came from: records, the batches they came in, the files of those.

clue, feature -> records behind the value (features/lineage) -> batch of each -> files
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from base.errors import NotFound, Refused
from clues.clue import clue_asked_at
from clues.register import read_clues
from features.declared import declared_features
from features.lineage import records_behind
from governance.checks import quoted
from governance.home import Home
from governance.reading import Records
from governance.receipts import newest_first
from scoring.ledger import latest_score, open_ledger

EVIDENCE = "evidence"
MomentIs = Literal["asked", "scored", "raised"]


@dataclass(frozen=True)
class TracedRecord:
    """A governed record. `hit`: it is in the numerator of a share."""

    record: str
    happened_at: datetime
    known_at: datetime
    retracted_at: datetime | None
    batch: str
    hit: bool


@dataclass(frozen=True)
class TracedBatch:
    """A batch that some of the records came in. `at` and `files`: when and from which it was
    admitted, as its receipt tells; None and none where there is no receipt."""

    batch: str
    record_set: str
    at: datetime | None
    files: tuple[str, ...]
    records: int


@dataclass(frozen=True)
class Trace:
    """`feature` of `clue` as it stood at `moment`: its records, oldest first, and their batches.

    `moment_is`: the one that was `asked` for, that of the score the clue stands with (`scored`), or
    that of its raising (`raised`). A plain column of the clue was given by a supervision model; its
    records are the evidence.
    """

    clue: str
    feature: str
    moment: datetime
    moment_is: MomentIs
    supervision_model: str
    model_version: str
    records: tuple[TracedRecord, ...]
    batches: tuple[TracedBatch, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def trace(home: Home, clue_id: str, feature: str, moment: datetime | None = None) -> Trace:
    """The records behind a feature of a clue, or behind the clue itself (`evidence`).

    Without `moment` as of the newest score for work, or of its raising if it has none. Raises
    NotFound for an unknown clue or feature, Refused for a moment before the clue was raised.
    """
    found = read_clues(home, [clue_id]).to_pylist()
    if not found:
        raise NotFound(wanted="a clue", got="none of that id", cure="check the id")
    moment, moment_is = _moment(home, found[0], moment)
    clue = clue_asked_at(found[0], moment)
    with Records(home) as records:
        behind = _behind(home, clue, feature, records)
        traced = [
            each
            for record_set, numbers in behind.items()
            for each in _records(records, record_set, numbers)
        ]
    traced.sort(key=lambda each: (each.happened_at, each.record))
    return Trace(
        clue=clue_id,
        feature=feature,
        moment=moment,
        moment_is=moment_is,
        supervision_model=clue["supervision_model"],
        model_version=clue["model_version"],
        records=tuple(traced),
        batches=tuple(_batches(home, traced)),
    )


def _moment(
    home: Home, clue: Mapping[str, Any], asked: datetime | None
) -> tuple[datetime, MomentIs]:
    """The moment to look at, and which one it is."""
    raised: datetime = clue["raised_at"]
    if asked is not None:
        if asked < raised:
            cure = "give a later one, or leave it out"
            raise Refused(wanted=f"a moment from {raised} on", got=str(asked), cure=cure)
        return asked, "asked"
    try:
        return latest_score(open_ledger(home.ledger_url), clue["clue_id"]).moment, "scored"
    except NotFound:
        return raised, "raised"


def _behind(
    home: Home, clue: Mapping[str, Any], feature: str, records: Records
) -> dict[str, dict[int, bool]]:
    """Record set -> record_no -> whether it is in the numerator."""
    definitions = declared_features(home)
    if feature != EVIDENCE:
        lineage = records_behind(definitions, feature, clue, records)
        if lineage.record_set is not None:
            hits = set(lineage.hits)
            return {lineage.record_set: {no: no in hits for no in lineage.record_nos}}
    named: dict[str, dict[int, bool]] = {}
    for each in clue[EVIDENCE] or ():
        record_set, _, number = each.partition("/")
        named.setdefault(record_set, {})[int(number)] = False
    return named


def _records(
    records: Records, record_set: str, numbers: Mapping[int, bool]
) -> Iterable[TracedRecord]:
    asked = (
        f"SELECT record_no, happened_at, known_at, retracted_at, batch FROM {quoted(record_set)}"
        " WHERE list_contains($numbers, record_no)"
    )
    rows = records.connection().execute(asked, {"numbers": list(numbers)}).fetchall()
    for number, happened_at, known_at, retracted_at, batch in rows:
        record = f"{record_set}/{number}"
        yield TracedRecord(record, happened_at, known_at, retracted_at, batch, numbers[number])


def _batches(home: Home, traced: list[TracedRecord]) -> Iterable[TracedBatch]:
    """Every batch of the records, each once, in the order of its first record."""
    counted: dict[tuple[str, str], int] = {}
    for each in traced:
        key = (each.record.partition("/")[0], each.batch)
        counted[key] = counted.get(key, 0) + 1
    for (record_set, batch), number in counted.items():
        receipt = _receipt(home, record_set, batch)
        at = datetime.fromisoformat(receipt["at"]) if receipt else None
        yield TracedBatch(batch, record_set, at, tuple(receipt.get("files", ())), number)


def _receipt(home: Home, record_set: str, batch: str) -> dict[str, Any]:
    """Of the call that admitted the batch first."""
    told = [each for each in newest_first(home, record_set) if each.get("batch") == batch]
    return told[-1] if told else {}
