"""The OpenAPI document: what FastAPI finds, made whole.

Added are what the routes cannot know: the clue columns that the jurisdiction declares, who may ask
(from the one table of rules), the errors each route may answer with, and references that resolve.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from governance.jurisdiction import Jurisdiction
from serving.access import RULES, Rule
from serving.messages import scores_request

Schema = dict[str, Any]
LOCAL, SHARED = "#/$defs/", "#/components/schemas/"
MEANINGS = {
    "401": "No key or signature, or one that is not in force.",
    "403": "The key's role or office does not cover this.",
    "404": "There is none that the caller may see.",
    "409": "The state has moved on since the caller looked; `values` has what it is now.",
    "413": "More than one request may carry.",
    "422": "The message or an address is not what was wanted; each fault has a cure.",
    "429": "Too many requests; come again after `Retry-After` seconds.",
    "503": "Something must happen first: see /ready.",
}
PROBLEM: Schema = {
    "title": "Problem",
    "description": "RFC 9457. Nothing that the caller sent is quoted.",
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "faults": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["wanted", "cure"],
                "properties": {
                    name: {"type": "string"} for name in ("where", "wanted", "got", "cure")
                },
            },
        },
        "values": {"type": "object", "description": "What a program needs to go on (409)."},
    },
}
ABOUT = (
    "Scores with reasons for clues. A score orders the work; it is not evidence. Times are the"
    " jurisdiction's wall time, without an offset; a plain date is its first instant."
)


def describe(app: FastAPI, jurisdiction: Jurisdiction) -> Schema:
    """The whole document of an application. Made once, then kept with it."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=f"Clues: {jurisdiction.title.en} {jurisdiction.title.zh}",
            version=app.version,
            description=ABOUT,
            routes=app.routes,
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for address, methods in document["paths"].items():
            for method, operation in methods.items():
                _complete(operation, RULES[f"{method.upper()} {address}"], method, schemas)
        _add_own_columns(schemas, jurisdiction)
        for left_over in ("HTTPValidationError", "ValidationError"):
            schemas.pop(left_over, None)
        schemas["Problem"] = PROBLEM
        document["components"]["securitySchemes"] = {
            "bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "A key of `clues key create`, or a token of the identity provider.",
            }
        }
        app.openapi_schema = document
    return app.openapi_schema


def _complete(operation: Schema, rule: Rule, method: str, schemas: Schema) -> None:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        body["schema"] = _shared(body["schema"], schemas)
    operation["security"] = [{"bearer": []}] if rule.door == "bearer" else []
    if rule.door == "bearer":
        operation["x-roles"] = list(rule.roles)
        operation["x-offices"] = rule.offices
    replies = operation["responses"]
    for status in _statuses(operation, rule, method):
        replies[status] = {
            "description": MEANINGS[status],
            "content": {"application/problem+json": {"schema": {"$ref": f"{SHARED}Problem"}}},
        }


def _statuses(operation: Schema, rule: Rule, method: str) -> list[str]:
    told = {"401", "403", "429", "503"} if rule.door == "bearer" else set()
    if rule.door == "signed":
        told = {"401", "429", "503"}
    if operation.get("parameters") or method == "post" or rule.door == "bearer":
        told.add("422")
    if any(each["in"] == "path" for each in operation.get("parameters", ())):
        told.add("404")
    if method == "post":
        told |= {"409", "413"}
    return sorted(told)


def _shared(schema: Schema, schemas: Schema) -> Schema:
    """A schema with `$defs` of its own, moved to where the document keeps all of them."""
    schema = dict(schema)
    for name, inner in schema.pop("$defs", {}).items():
        schemas.setdefault(name, _pointed(inner))
    name = schema.get("title")
    if name is None or "$ref" in schema:
        return _pointed(schema)
    schemas.setdefault(name, _pointed(schema))
    return {"$ref": f"{SHARED}{name}"}


def _pointed(part: Any) -> Any:
    if isinstance(part, dict):
        return {
            key: value.replace(LOCAL, SHARED) if key == "$ref" else _pointed(value)
            for key, value in part.items()
        }
    return [_pointed(each) for each in part] if isinstance(part, list) else part


def _add_own_columns(schemas: Schema, jurisdiction: Jurisdiction) -> None:
    """Wherever a clue is sent, it may bring the columns that the jurisdiction declares."""
    whole = scores_request(jurisdiction).model_json_schema()["$defs"]["Clue"]["properties"]
    for name in ("Clue", "ClueMessage", "PartMessage"):
        if name in schemas:
            known = schemas[name]["properties"]
            for column, schema in whole.items():
                known.setdefault(column, _pointed(schema))
