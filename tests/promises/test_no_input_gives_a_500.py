"""P-13: no input gives a 500, hangs the service or is quoted back."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from served_hamlet import Served, serve_hamlet

from serving.access import RULES
from serving.app import ROOMS

SERVED = sorted(
    f"{method} {route.path}"
    for room in ROOMS
    for route in room.router.routes
    if getattr(route, "include_in_schema", False)
    for method in getattr(route, "methods", ())
)
DESCRIBED = [route for route in SERVED if not route.startswith("HEAD")]
WRITES = [route for route in DESCRIBED if route.startswith("POST")]
DEEP = 100_000
HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "a space": b" ",
    "half a message": b'{"clues": [{"clue_id": "SECRET"',
    "NaN": b'{"clues": NaN}',
    "Infinity": b'{"clues": [{"clue_id": "a", "amount_cents": -Infinity}]}',
    "a number no float holds": b'{"clues": [{"clue_id": "a", "amount_cents": 1e999}]}',
    "a whole number of 5,000 digits": b'{"reasons": ' + b"9" * 5_000 + b"}",
    "a boolean as a number": b'{"clues": [{"clue_id": "a", "amount_cents": true}]}',
    "a key twice": b'{"clues": [{"clue_id": "SECRET", "clue_id": "b"}]}',
    "a lone surrogate": b'{"clues": [{"clue_id": "\\ud800SECRET"}]}',
    "a surrogate in raw bytes": b'{"clues": [{"clue_id": "\xed\xa0\x80"}]}',
    "bytes that are not UTF-8": b"\xff\xfe{}",
    "UTF-16": '{"clues": []}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a null character": b'{"clues": [{"clue_id": "\\u0000"}]}',
    "a raw null": b'{"clues": [{"clue_id": "\x00"}]}',
    "arrays without end": b"[" * DEEP,
    "objects without end": b'{"clues":' * DEEP,
    "deep and closed": b'{"clues": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "a list": b"[]",
    "a word": b'"SECRET"',
    "null": b"null",
    "a comment": b'{/* */"clues": []}',
    "single quotes": b"{'clues': []}",
    "a trailing comma": b'{"clues": [],}',
    "two messages": b"{}{}",
    "hexadecimal": b'{"clues": 0x10}',
    "a leading plus": b'{"reasons": +5}',
    "a key of a prototype": b'{"__proto__": {"admin": true}, "SECRET": 1}',
    "many stray keys": b"{" + b",".join(b'"SECRET%d":1' % n for n in range(20_000)) + b"}",
    "many empty clues": b'{"clues": [' + b"{}," * 50_000 + b"{}]}",
    "a form": b"clues=SECRET&reasons=5",
    "XML": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "compressed": b"\x1f\x8b\x08\x00" + b"SECRET" * 20,
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    served = serve_hamlet(tmp_path_factory.mktemp("hostile"))
    served.service.warm()
    return served


@pytest.fixture(scope="module")
def described(served: Served) -> Any:
    """The schema as the service publishes it."""
    return schemathesis.openapi.from_asgi("/openapi.json", served.client.app)


def headers_for(served: Served, route: str) -> dict[str, str]:
    """A key that may come in, and one for what a retry names."""
    roles = RULES[route].roles
    return served.kept_key(roles[0]) if roles else {}


@pytest.mark.parametrize("route", DESCRIBED)
@settings(
    max_examples=12,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_every_operation_answers_as_it_is_described(
    described: Any, served: Served, route: str, data: st.DataObject
) -> None:
    """Statuses, kinds of content and shapes are those of /openapi.json, for drawn requests."""
    method, path = route.split(" ")
    case = data.draw(described[path][method].as_strategy())
    reply = case.call(headers={**headers_for(served, route), "idempotency-key": uuid4().hex})
    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    # 503 is an answer that is described.
    case.validate_response(reply, checks=checks)


@pytest.mark.parametrize("route", WRITES)
def test_no_hostile_body_gives_a_500_or_is_quoted(served: Served, route: str) -> None:
    """Each is refused with 4xx and a cure, in time, or (an empty body) has a meaning."""
    method, path = route.split(" ")
    path = path.format(clue_id="0" * 16, digest="0" * 64, source="cases")
    for name, body in HOSTILE.items():
        headers = {**headers_for(served, route), "idempotency-key": f"hostile {name}"}
        reply = served.client.request(method, path, content=body, headers=headers)
        assert 400 <= reply.status_code < 500, (name, reply.status_code, reply.text[:200])
        assert reply.headers["content-type"] == "application/problem+json", name
        assert json.loads(reply.content)["status"] == reply.status_code
        assert "SECRET" not in reply.text, name
        assert len(reply.content) < 100_000, name


def test_addresses_and_headers_of_any_bytes_are_answered(served: Served) -> None:
    """Ids, queries and headers that no client would send: 4xx, nothing quoted."""
    key = served.kept_key("reviewer")
    odd = [
        "%00",
        "%FF%FE",
        "..%2F..%2Fetc",
        "a" * 5_000,
        "%ED%A0%80",
        "'%20OR%201=1--SECRET",
        "%0A",
    ]
    for each in odd:
        for path in (f"/v1/clues/{each}", f"/v1/clues/{each}/reasons", f"/v1/queue?office={each}",
                     f"/v1/queue?cursor={each}", f"/v1/queue?limit={each}"):  # fmt: skip
            reply = served.client.get(path, headers=key)
            assert 400 <= reply.status_code < 500, (path, reply.status_code)
            assert "SECRET" not in reply.text
    for shown in (
        b"Bearer \xff\xfe",
        b"Bearer " + b"a" * 20_000,
        b"Basic c2VjcmV0",
        b"Bearer",
        b"",
    ):
        reply = served.client.get("/v1/queue", headers={b"authorization": shown})
        assert reply.status_code == 401


def test_a_message_needs_no_content_type(served: Served) -> None:
    """The same answer with none, with JSON and with a wrong one."""
    body = json.dumps({"clues": [{"clue_id": "0" * 16}]}).encode()
    key = served.kept_key("case_system")
    told = [
        served.client.post("/v1/scores", content=body, headers={**key, **more})
        for more in ({}, {"content-type": "application/json"}, {"content-type": "text/plain"})
    ]
    assert {reply.status_code for reply in told} == {422}
    assert len({reply.content for reply in told}) == 1
