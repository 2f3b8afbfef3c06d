"""GET /docs: the OpenAPI document as a page to read. No script, nothing from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from serving.headers import PAGE_POLICY

router = APIRouter(include_in_schema=False)
PAGES = Path(__file__).parent.parent / "pages"
TEMPLATES = Environment(loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined)
SHARED = "#/components/schemas/"


@dataclass(frozen=True)
class Operation:
    """One route as the page shows it. `fields` and `reply`: name of the shape, or empty."""

    method: str
    address: str
    summary: str
    roles: str
    parameters: list[tuple[str, str, str, str]]
    takes: str
    gives: str
    errors: list[str]


@router.get("/docs")
def get_docs(request: Request) -> HTMLResponse:
    """Every route, who may ask, what it takes and gives."""
    return HTMLResponse(_page(request.app), headers={"content-security-policy": PAGE_POLICY})


@lru_cache(maxsize=4)
def _page(app: Any) -> str:
    document = app.openapi()
    operations = [
        _operation(method, address, told)
        for address, methods in document["paths"].items()
        for method, told in methods.items()
    ]
    schemas = document["components"]["schemas"]
    shapes = {name: _fields(schema) for name, schema in sorted(schemas.items())}
    page = TEMPLATES.get_template("api.html")
    return page.render(info=document["info"], operations=operations, shapes=shapes)


def _operation(method: str, address: str, told: dict[str, Any]) -> Operation:
    replies = told["responses"]
    good: dict[str, Any] = next(
        (replies[status] for status in sorted(replies) if status < "300"), {}
    )
    return Operation(
        method=method.upper(),
        address=address,
        summary=told.get("description") or told.get("summary", ""),
        roles=", ".join(told.get("x-roles", ())) or "everybody",
        parameters=[
            (each["name"], each["in"], _kind(each.get("schema", {})), each.get("description", ""))
            for each in told.get("parameters", ())
        ],
        takes=_shape_in(told.get("requestBody", {})),
        gives=_shape_in(good),
        errors=[f"{status} {replies[status]['description']}" for status in sorted(replies)[1:]],
    )


def _shape_in(part: dict[str, Any]) -> str:
    schema = part.get("content", {}).get("application/json", {}).get("schema", {})
    return _kind(schema) if schema else ""


def _fields(schema: dict[str, Any]) -> dict[str, Any]:
    wanted = schema.get("required", ())
    rows = [
        (name, _kind(inner), name in wanted, inner.get("description", ""))
        for name, inner in schema.get("properties", {}).items()
    ]
    return {"about": schema.get("description", ""), "rows": rows}


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return schema["$ref"].removeprefix(SHARED)
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(str(each) for each in schema["enum"])
    kind = str(schema.get("format") or schema.get("type") or schema.get("const") or "any")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    bounds = (("minimum", "≥"), ("maximum", "≤"), ("maxLength", "length ≤"), ("minLength", "≥"))
    told = [f"{sign} {schema[name]}" for name, sign in bounds if name in schema]
    return " ".join([kind, *told])
