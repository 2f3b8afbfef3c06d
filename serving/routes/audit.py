"""GET /v1/audit: the audit trail, row by row, as it can be verified elsewhere."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from scoring.audit import entries_after, note_read
from serving.access import principal_of, service_of

router = APIRouter()


@router.get("/v1/audit")
def get_audit(
    request: Request,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> dict[str, Any]:
    """Rows after a number, in order; `next_after` asks for the following ones. Itself told."""
    service, who = service_of(request), principal_of(request)
    who.require_every_office()
    rows = entries_after(service.ledger, after, limit)
    note_read(
        service.ledger, who=who.key_id, about="", what=f"audit after {after}", clock=service.clock
    )
    return {"rows": rows, "next_after": rows[-1]["seq"] if len(rows) == limit else None}
