"""The OpenAPI document is whole, the page over it needs nothing, every reply is safe to show."""

from __future__ import annotations

import re
from typing import Any

import jsonschema_rs
from served_hamlet import Served

from serving.access import RULES


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [each for value in part.values() for each in references(value)]
    return [each for inner in part for each in references(inner)] if isinstance(part, list) else []


def test_every_reference_resolves(standing: Served) -> None:
    """Nothing points at `$defs` that the document has not."""
    document = standing.client.get("/openapi.json").json()
    found = set(references(document))
    assert found
    for each in found:
        assert each.startswith("#/components/schemas/")
        assert each.rsplit("/", 1)[1] in document["components"]["schemas"], each
    assert "$defs" not in str(document)
    assert document["openapi"].startswith("3.1")


def test_a_request_is_described_with_the_columns_of_the_jurisdiction(standing: Served) -> None:
    """A right clue fits the published schema, one with a stray key does not."""
    document = standing.client.get("/openapi.json").json()
    body = document["paths"]["/v1/scores"]["post"]["requestBody"]["content"]["application/json"]
    schema = {**body["schema"], "components": document["components"]}
    clue = {"clue_id": "a", "amount_cents": 5, "agency_id": "x"}
    validator = jsonschema_rs.Draft202012Validator(schema)
    assert validator.is_valid({"clues": [clue]})
    assert not validator.is_valid({"clues": [{**clue, "stray": 1}]})
    assert not validator.is_valid({"clues": [{**clue, "amount_cents": "5"}]})


def test_each_operation_tells_who_may_ask_and_how_it_may_be_refused(standing: Served) -> None:
    """From the one table: bearer and roles, or nothing; problem+json for every error."""
    document = standing.client.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for address, methods in document["paths"].items():
        for method, operation in methods.items():
            rule = RULES[f"{method.upper()} {address}"]
            assert operation["security"] == ([{"bearer": []}] if rule.door == "bearer" else [])
            errors = {s: r for s, r in operation["responses"].items() if s >= "400"}
            assert rule.door != "bearer" or {"401", "403", "429", "503"} <= set(errors)
            for status, reply in errors.items():
                assert list(reply["content"]) == ["application/problem+json"], (address, status)


def test_the_page_of_the_api_loads_nothing_from_elsewhere(standing: Served) -> None:
    """No script, no address of another host; every route and shape is on it."""
    reply = standing.client.get("/docs")
    assert reply.status_code == 200
    assert "<script" not in reply.text
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", reply.text)
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    document = standing.client.get("/openapi.json").json()
    for address in document["paths"]:
        assert address in reply.text
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in reply.text


def test_every_reply_carries_safe_headers(standing: Served) -> None:
    """Also errors, pages and what does not exist; no reply names the server."""
    for path in ("/live", "/v1/queue", "/nowhere", "/docs", "/console", "/openapi.json"):
        headers = standing.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert "default-src 'none'" in headers["content-security-policy"], path
        # A form of the console must say where it comes from.
        told = "same-origin" if path == "/console" else "no-referrer"
        assert headers["referrer-policy"] == told, path
        assert headers["cache-control"] == "no-store", path
        assert "server" not in headers
        assert "strict-transport-security" not in headers
