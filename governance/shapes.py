"""The shape of a value, for messages: digits as 9, letters as a, anything beyond ASCII as one sign.

A shape says what is wrong with a value and nothing of whose it is. Many are made at once: the bytes
of a whole column are translated in one step.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

LONGEST_SHAPE = 40
DIGITS, LETTERS = b"0123456789", b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
SHAPES = bytes.maketrans(DIGITS + LETTERS, b"9" * len(DIGITS) + b"a" * len(LETTERS))
BEYOND, SIGN = r"[^\x00-\x7F]", "字"


def shapes(values: pa.Array) -> pa.Array:
    """The shapes of texts, in their order; a missing one stays missing."""
    cut = pc.utf8_slice_codeunits(values.cast(pa.string()), 0, LONGEST_SHAPE)
    whole = pa.concat_arrays([cut])  # without an offset into somebody else's buffers
    valid, offsets, data = whole.buffers()
    text = b"" if data is None else data.to_pybytes()
    translated = pa.py_buffer(text.translate(SHAPES))
    found = pa.StringArray.from_buffers(
        len(whole), offsets, translated, valid, whole.null_count, whole.offset
    )
    return found if text.isascii() else pc.replace_substring_regex(found, BEYOND, SIGN)


def shape_sql(value: str) -> str:
    """SQL for the shape of a value, where there are few."""
    text = f"left({value}::VARCHAR, {LONGEST_SHAPE})"
    digits = f"regexp_replace({text}, '[0-9]', '9', 'g')"
    letters = f"regexp_replace({digits}, '[A-Za-z]', 'a', 'g')"
    return f"regexp_replace({letters}, '{BEYOND}', '{SIGN}', 'g')"
