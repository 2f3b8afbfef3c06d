"""Scores and reasons of many rows at once: column by column, the same words as for one row.

A row at a time costs more in Python than in trees. Here each feature's sentences are built once
per distinct value, and lists of reasons are put together from codes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from base.bilingual import Language
from scoring.bundle import ScoredFeature
from scoring.explanation import Explanation
from scoring.quadrature.engine import strongest_of
from scoring.scorer import Scorer, Scores
from scoring.sentences import (
    is_missing,
    missing_sentence,
    sentence,
    sentence_words,
    show_value,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
REASON = pa.struct(
    [
        ("feature", pa.string()),
        ("value", pa.string()),
        ("contribution", pa.float64()),
        ("sentence", pa.string()),
    ]
)
TOLD = pa.schema(
    [
        ("scorer", pa.string()),
        ("margin", pa.float64()),
        ("probability", pa.float64()),
        ("base", pa.float64()),
        ("flags", pa.list_(pa.string())),
        ("reasons", pa.list_(REASON)),
        ("other", pa.float64()),
    ]
)


def tell_rows(scorer: Scorer, rows: pa.Table, reasons: int, language: Language) -> pa.Table:
    """A table of TOLD, parallel to the feature table `rows`: scores with `reasons` reasons each."""
    scores, explanation = scorer.score(rows), scorer.explain(rows)
    return told_table(scorer, rows, scores, explanation, reasons, language)


def told_table(
    scorer: Scorer,
    rows: pa.Table,
    scores: Scores,
    explanation: Explanation,
    reasons: int,
    language: Language,
    masked: Collection[str] = (),
) -> pa.Table:
    """The same for rows that are scored and explained already.

    Bit for bit what `scoring.reasons.reasons_of` tells of each row; values are texts. Features in
    `masked` count in `other` only, and no flag names them.
    """
    features = scorer.manifest.features
    found = np.ascontiguousarray(explanation.contributions)
    shown = np.array([at for at, each in enumerate(features) if each.name not in masked], np.int64)
    told_of = found if len(shown) == len(features) else np.ascontiguousarray(found[:, shown])
    places = shown[strongest_of(told_of, min(reasons, len(shown)))]
    contributions = np.take_along_axis(found, places, axis=1)
    other = scores.margin - explanation.base - exact_sums(contributions)
    told = _reasons(features, rows, places, contributions, language)
    flags = scores.flags
    if masked:
        flags = [[each for each in row if each.partition(":")[2] not in masked] for row in flags]
    count, digest = rows.num_rows, scorer.digest
    columns = [
        pa.array([digest] * count, pa.string()), pa.array(scores.margin),
        pa.array(scores.probability), pa.array(explanation.base),
        pa.array(flags, TOLD.field("flags").type), told, pa.array(other),
    ]  # fmt: skip
    return pa.Table.from_arrays(columns, schema=TOLD)


def _reasons(
    features: Sequence[ScoredFeature],
    rows: pa.Table,
    places: Ints,
    contributions: Floats,
    language: Language,
) -> pa.Array:
    """Lists of reasons; `places` and `contributions` are (rows, reasons)."""
    count, wide = places.shape
    flat = places.ravel()
    order = np.argsort(flat, kind="stable")
    edges = np.searchsorted(flat[order], np.arange(len(features) + 1))
    values, value_code = _Words(), np.zeros(len(flat), np.int64)
    sentences, sentence_code = _Words(), np.zeros(len(flat), np.int64)
    for at, feature in enumerate(features):
        told = order[edges[at] : edges[at + 1]]
        if len(told) == 0:
            continue
        distinct, code = distinct_values(_column(rows, feature), told // wide)
        value_code[told] = values.add(None if v is None else str(v) for v in distinct)[code]
        sentence_code[told] = sentences.add(_sentences(feature, distinct, language))[code]
    names = pa.array([feature.name for feature in features], pa.string())
    parts = [
        names.take(pa.array(flat)), values.take(value_code), pa.array(contributions.ravel()),
        sentences.take(sentence_code),
    ]  # fmt: skip
    offsets = pa.array(np.arange(count + 1) * wide, pa.int32())
    return pa.ListArray.from_arrays(
        offsets, pa.StructArray.from_arrays(parts, fields=list(REASON)), type=pa.list_(REASON)
    )


def _sentences(feature: ScoredFeature, values: Sequence[Any], language: Language) -> Iterable[str]:
    """`scoring.sentences.sentence` of each value. A number has no braces: the words around it,
    window and all, are found once."""
    if feature.type == "category":
        return (sentence(feature, value, language) for value in values)
    around, missing = (
        sentence_words(feature, language).split("{value}"),
        missing_sentence(feature, language),
    )
    return (
        missing if is_missing(value) else _with_value(around, show_value(feature, value, language))
        for value in values
    )


def _with_value(around: list[str], shown: str) -> str:
    """The words with the shown value wherever it is asked for."""
    return f"{around[0]}{shown}{around[1]}" if len(around) == 2 else shown.join(around)


class _Words:
    """Texts that are written once and named by their number."""

    def __init__(self) -> None:
        self._texts: list[str | None] = []

    def add(self, texts: Any) -> Ints:
        """The numbers of the texts, which are new."""
        before = len(self._texts)
        self._texts.extend(texts)
        return np.arange(before, len(self._texts))

    def take(self, numbers: Ints) -> pa.Array:
        return pa.array(self._texts, pa.string()).take(pa.array(numbers))


def _column(rows: pa.Table, feature: ScoredFeature) -> pa.ChunkedArray:
    """The feature's column; a table without it has nothing known."""
    if feature.name in rows.column_names:
        return rows[feature.name]
    return pa.chunked_array([pa.nulls(rows.num_rows, pa.float64())])


def distinct_values(column: pa.ChunkedArray, rows: Ints) -> tuple[list[Any], Ints]:
    """The distinct values of some rows (None for missing), and which of them each row has.

    Numbers are told apart by their bits, so that 0.0 and -0.0 read as they do alone.
    """
    taken = column.take(pa.array(rows)).combine_chunks()
    if pa.types.is_floating(taken.type):
        numbers = np.ascontiguousarray(taken.to_numpy(zero_copy_only=False), np.float64)
        bits, code = np.unique(numbers.view(np.int64), return_inverse=True)
        plain = bits.view(np.float64).tolist()
        return [None if value != value else value for value in plain], code
    if pa.types.is_dictionary(taken.type):
        taken = taken.cast(taken.type.value_type)
    coded = taken.dictionary_encode("encode")
    return coded.dictionary.to_pylist(), coded.indices.to_numpy(zero_copy_only=False)


@njit(cache=True, nogil=True)
def exact_sums(parts: Any) -> Any:
    """The correctly rounded sum of each row, as math.fsum gives it.

    Method: Shewchuk, "Adaptive Precision Floating-Point Arithmetic" (1997): partial sums that do
    not overlap, added from the greatest, a tie broken by the sign of what is left.
    """
    sums = np.zeros(len(parts))
    held = np.zeros(parts.shape[1] + 1)
    for row in range(len(parts)):
        count = 0
        for at in range(parts.shape[1]):
            x, kept = parts[row, at], 0
            for k in range(count):
                y = held[k]
                if abs(x) < abs(y):
                    x, y = y, x
                high = x + y
                low = y - (high - x)
                if low != 0.0:
                    held[kept] = low
                    kept += 1
                x = high
            held[kept] = x
            count = kept + 1
        sums[row] = _rounded(held, count)
    return sums


@njit(cache=True, nogil=True)
def _rounded(held, count):  # type: ignore[no-untyped-def]
    if count == 0:
        return 0.0
    count -= 1
    high, low = held[count], 0.0
    while count > 0:
        count -= 1
        x, y = high, held[count]
        high = x + y
        low = y - (high - x)
        if low != 0.0:
            break
    if count > 0 and (
        (low < 0.0 and held[count - 1] < 0.0) or (low > 0.0 and held[count - 1] > 0.0)
    ):
        y = low * 2.0
        x = high + y
        if y == x - high:
            high = x
    return high
