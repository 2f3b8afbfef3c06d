"""The usual message of `POST /v1/scores`, read at once; whatever else came is not judged here.

`Recogniser.read` knows one plain form: whole clues, known keys, each once, values of their declared
kinds. None for anything else, which then takes the whole way (serving/messages.py) and is refused
there or not. So nothing is refused here, and a test holds that nothing is read here that the whole
way would refuse, or would read otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from operator import itemgetter
from typing import Any, Literal

import orjson

from clues.supervision import SupervisionModel
from governance.jurisdiction import Jurisdiction

Check = Callable[[Any], Any]
CLUES_AT_MOST, BYTES_AT_MOST = 16, 65_536
# Numbers beyond this may have been rounded on the way: the whole way looks at their digits.
EXACT = 10**15
NUMBERS = frozenset((float, int, type(None)))
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
WALL_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
TOP = frozenset({"clues", "reasons", "language", "moment"})
FIXED = ("clue_id", "supervision_model", "subject_id", "ground_key", "office_id")
NEEDED = frozenset({"clue_id", "supervision_model", "subject_id", "raised_at"})


class Unusual(Exception):  # it never leaves this file
    """Not the plain form."""


@dataclass(frozen=True)
class Recognised:
    """Clues with every column of a clue table that a request gives; absent ones None."""

    clues: list[dict[str, Any]]
    reasons: int
    language: Literal["zh", "en"]
    moment: datetime | None


class Recogniser:
    """For one jurisdiction's clue columns and supervision models."""

    def __init__(
        self, jurisdiction: Jurisdiction, models: dict[str, SupervisionModel], reasons: int = 5
    ) -> None:
        kinds = jurisdiction.clue_columns
        numbers = [name for name, kind in kinds.items() if kind == "number"]
        self._numbers = itemgetter(*numbers, "ground_key")
        texts = [(name, 0, 1_000, False) for name, kind in kinds.items() if kind == "string"]
        self._texts = [(name, 1, 200, name != "office_id") for name in FIXED] + texts
        others = [(name, CHECKS[kind]) for name, kind in kinds.items() if kind in CHECKS]
        self._checks: list[tuple[str, Check]] = [("raised_at", _wall_time), *others]
        self._known = frozenset((*kinds, *FIXED, "raised_at"))
        blank = {**dict.fromkeys((*kinds, "office_id")), "ground_key": "-"}
        self._blanks = {name: {**blank, **_told(model)} for name, model in models.items()}
        self._reasons = reasons

    def read(self, body: bytes) -> Recognised | None:
        """The message, or None where it is not of the plain form."""
        if b"\\" in body or len(body) > BYTES_AT_MOST:
            return None
        try:
            message = orjson.loads(body)
            if type(message) is not dict or not message.keys() <= TOP:
                return None
            colons = len(message)
            clues = []
            asked = message["clues"]
            if type(asked) is not list or not 0 < len(asked) <= CLUES_AT_MOST:
                return None
            for each in asked:
                clue, held = self._clue(each)
                clues.append(clue)
                colons += held
            moment = message.get("moment")
            if moment is not None:
                moment, colons = _wall_time(moment), colons + 2
            # A key given twice would be lost in reading: its colon is not. No value but those
            # counted holds one, and no key.
            if body.count(b":") != colons:
                return None
            return Recognised(clues, self._count(message), _language(message), moment)
        except (ValueError, LookupError, TypeError, Unusual):
            return None

    def _clue(self, given: Any) -> tuple[dict[str, Any], int]:
        """The clue, and how many colons its text holds."""
        if type(given) is not dict or not NEEDED <= given.keys() <= self._known:
            raise Unusual
        clue = {**self._blanks[given["supervision_model"]], **given}
        numbers = self._numbers(clue)[:-1]
        if not NUMBERS.issuperset(map(type, numbers)):
            raise Unusual
        known = [value for value in numbers if value]
        if known and not -EXACT <= min(known) <= max(known) <= EXACT:
            raise Unusual
        colons = len(given) + self._colons_in_texts(given)
        for name, check in self._checks:
            value = given.get(name)
            if value is not None:
                clue[name] = check(value)
                if type(value) is str:
                    colons += value.count(":")
            elif name in NEEDED and name in given:
                raise Unusual
        return clue, colons

    def _colons_in_texts(self, given: dict[str, Any]) -> int:
        """How many colons the texts hold, each of which has to be a plain one."""
        colons = 0
        for name, shortest, longest, never_none in self._texts:
            value = given.get(name)
            if value is None:
                if never_none and name in given:
                    raise Unusual
            elif type(value) is str and shortest <= len(value) <= longest and value.isprintable():
                colons += value.count(":")
            else:
                raise Unusual
        return colons

    def _count(self, message: dict[str, Any]) -> int:
        reasons = message.get("reasons", self._reasons)
        if type(reasons) is not int or not 0 <= reasons <= 100:
            raise Unusual
        return reasons


def _told(model: SupervisionModel) -> dict[str, Any]:
    """What a supervision model says of every clue it raises."""
    return {
        "model_version": model.version,
        "function": model.head.function,
        "severity": model.head.severity,
        "subject_kind": model.head.subject,
        "ground": model.head.ground,
    }


def _language(message: dict[str, Any]) -> Literal["zh", "en"]:
    language: Literal["zh", "en"] = message.get("language", "zh")
    if language not in ("zh", "en"):
        raise Unusual
    return language


def _integer(value: Any) -> int:
    if type(value) is int and -EXACT < value < EXACT:
        return value
    raise Unusual


def _boolean(value: Any) -> bool:
    if type(value) is bool:
        return value
    raise Unusual


def _day(value: Any) -> date:
    if type(value) is str and DAY.fullmatch(value):
        return date.fromisoformat(value)
    raise Unusual


def _wall_time(value: Any) -> datetime:
    if type(value) is str and WALL_TIME.fullmatch(value):
        return datetime.fromisoformat(value)
    raise Unusual


CHECKS: dict[str, Check] = {
    "integer": _integer,
    "date": _day,
    "timestamp": _wall_time,
    "boolean": _boolean,
}
