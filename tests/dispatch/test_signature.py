"""Signatures: the specification's own example, any change found, keys changed without a gap."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import NotAllowed, NotReady, Refused
from dispatch.exchange.signature import (
    new_key,
    read_keys,
    retire,
    sign,
    signed_headers,
    verify,
)

KEY, OTHER = b"a" * 32, b"b" * 32
PUBLISHED = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


def test_the_published_example_has_the_published_signature() -> None:
    """The test vector that libraries of Standard Webhooks share."""
    told = sign([PUBLISHED], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert told == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(body=st.binary(max_size=200), at=st.integers(0, 199), bit=st.integers(0, 7))
def test_any_changed_bit_is_found(body: bytes, at: int, bit: int) -> None:
    """In the body, the id or the time; whole, its id is told."""
    headers = signed_headers([KEY], "m1", 1_000, body)
    assert verify([KEY], headers, body, 1_000.0) == "m1"
    changed = bytearray(body + b"x")
    changed[at % len(changed)] ^= 1 << bit
    for shown, content in (
        (headers, bytes(changed)),
        ({**headers, "webhook-id": "m2"}, body),
        ({**headers, "webhook-timestamp": "1001"}, body),
    ):
        with pytest.raises(NotAllowed):
            verify([KEY], shown, content, 1_000.0)


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-timestamp": "soon"}, {"webhook-timestamp": "-1"}, {"webhook-timestamp": ""},
        {"webhook-timestamp": "9" * 400}, {"webhook-timestamp": "１０００"},
        {"webhook-signature": ""}, {"webhook-signature": "v1,"}, {"webhook-id": ""},
        {"webhook-signature": "v1a,\udcff 漢"}, {"webhook-signature": "v1, " * 10_000},
    ],
)  # fmt: skip
def test_hostile_headers_are_not_allowed_and_nothing_else(changed: dict[str, str]) -> None:
    """No other error, whatever was written there."""
    with pytest.raises(NotAllowed):
        verify([KEY], {**signed_headers([KEY], "m1", 1_000, b"{}"), **changed}, b"{}", 1_000.0)


def test_an_old_message_is_not_taken() -> None:
    """Five minutes either way; a replay comes later."""
    headers = signed_headers([KEY], "m1", 1_000, b"{}")
    assert verify([KEY], headers, b"{}", 1_300.0) == "m1"
    for now in (1_301.0, 699.0):
        with pytest.raises(NotAllowed):
            verify([KEY], headers, b"{}", now)


def test_while_keys_change_either_side_may_go_first(tmp_path: Path) -> None:
    """Old; old and new; new: whoever knows one of those that sign takes the message."""
    path = tmp_path / "cases.key"
    new_key(path)
    old = read_keys(path)
    made = new_key(path)
    both = read_keys(path)
    assert made.startswith("whsec_")
    assert both[1:] == old
    headers = signed_headers(both, "m1", 1_000, b"{}")
    for known in (old, both, both[:1]):
        assert verify(known, headers, b"{}", 1_000.0) == "m1"
    with pytest.raises(NotAllowed):
        verify([OTHER], headers, b"{}", 1_000.0)
    with pytest.raises(Refused, match="one key in force"):
        new_key(path)
    assert retire(path) == 1
    assert read_keys(path) == both[:1]


def test_a_key_that_others_read_is_refused_and_never_quoted(tmp_path: Path) -> None:
    """None, too open, too short, too many, or no key at all."""
    path = tmp_path / "cases.key"
    with pytest.raises(NotReady, match="clues webhook-key cases"):
        read_keys(path)
    new_key(path)
    path.chmod(0o640)
    with pytest.raises(Refused, match="chmod 600"):
        read_keys(path)
    path.chmod(0o600)
    for text in ("", "SECRET", "whsec_U0VDUkVU", (path.read_text() + "\n") * 3):
        path.write_text(text)
        with pytest.raises(Refused) as refused:
            read_keys(path)
        assert "SECRET" not in str(refused.value)
        assert "U0VDUkVU" not in str(refused.value)
