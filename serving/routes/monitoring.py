"""GET /v1/monitoring: drift, calibration and outcomes over the caller's offices."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from serving.access import principal_of, service_of
from serving.monitoring import monitor

router = APIRouter()


@router.get("/v1/monitoring")
def get_monitoring(
    request: Request, months: Annotated[int, Query(ge=1, le=120)] = 12
) -> dict[str, Any]:
    """The last `months` months of clues: how far features moved since training (population
    stability index), calibration and outcomes by month, supervision model and office, and what is
    to be expected of clues whose outcome is not known yet."""
    return monitor(service_of(request), principal_of(request), months)
