"""GET /metrics: figures for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from serving.access import service_of
from serving.alarms import told_alarms
from serving.metrics import told_metrics

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
def get_metrics(request: Request) -> Response:
    """Requests, stages, scores by band, flags, drift, the scorer in use, alarms."""
    text, kind = told_metrics()
    return Response(text + told_alarms(service_of(request).home), media_type=kind)
