"""JSON as RFC 8259 means it, and nothing that two readers could read in two ways.

Refused, though a lenient reader would take it: NaN and Infinity, numbers past what a float holds,
a key given twice, whole numbers of more digits than any count has, and nesting deeper than any
message here. What passes is checked against its shape afterwards (serving/messages.py).
"""

from __future__ import annotations

import json
import math
from typing import Any

from serving.refusals import UnfitMessage

DEPTH = 16
INTEGER_DIGITS = 40


def require_strict(body: bytes) -> None:
    """Raises UnfitMessage, telling the kind of fault and never the text."""
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unlike_keys,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_short,
        )
    except (ValueError, RecursionError) as error:
        raise _unfit(error) from None
    level = [value]
    for _ in range(DEPTH):
        level = [inner for each in level for inner in _parts(each)]
        if not level:
            return
    raise _fault(f"JSON at most {DEPTH} levels deep", "a deeper one", "send it flatter")


def _parts(value: Any) -> list[Any]:
    """What a container holds that may itself hold something."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return []
    return [each for each in value if isinstance(each, (dict, list))]


class _Unfit(ValueError):
    """Carries wanted, got and cure out of the reader."""


def _unlike_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Unfit("each key once", "a key given twice", "send one value for it")
    return found


def _no_constant(_: str) -> float:
    raise _Unfit("JSON numbers", "NaN or Infinity", "send null, or leave the key out")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Unfit("numbers that a float holds", "a larger one", "send null, or a smaller one")
    return value


def _short(text: str) -> int:
    if len(text) > INTEGER_DIGITS:
        raise _Unfit(
            f"whole numbers of at most {INTEGER_DIGITS} digits", "a longer one", "send text"
        )
    return int(text)


def _unfit(error: Exception) -> UnfitMessage:
    if isinstance(error, _Unfit):
        return _fault(*error.args)
    if isinstance(error, RecursionError):
        return _fault(f"JSON at most {DEPTH} levels deep", "a deeper one", "send it flatter")
    if isinstance(error, UnicodeDecodeError):
        return _fault("JSON in UTF-8", "other bytes", "encode it as UTF-8")
    return _fault("JSON", "another text", "mend the message (see /openapi.json)")


def _fault(wanted: str, got: str, cure: str) -> UnfitMessage:
    return UnfitMessage(wanted=wanted, got=got, cure=cure, where="body")
