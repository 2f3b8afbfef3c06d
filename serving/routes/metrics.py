"""GET /metrics: figures for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from serving.metrics import told_metrics

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
def get_metrics() -> Response:
    """Requests, stages, scores by band, flags, drift and the scorer in use."""
    text, kind = told_metrics()
    return Response(text, media_type=kind)
