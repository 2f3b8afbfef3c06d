"""Traces: a span per request, where CLUES_OTEL_ENDPOINT names a collector; else nothing is loaded.

A span has the method, the route's template and the status; nothing that was sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from base.errors import NotReady

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer


def tracer_by(endpoint: str | None) -> Tracer | None:
    """A tracer that sends to `endpoint` (OTLP over HTTP); None where none is set.

    Raises NotReady where the extra `otel` is not installed.
    """
    if endpoint is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise NotReady(
            wanted="OpenTelemetry, as CLUES_OTEL_ENDPOINT asks for",
            got="no such packages",
            cure="install .[otel], or unset CLUES_OTEL_ENDPOINT",
        ) from None
    provider = TracerProvider(resource=Resource({"service.name": "clues"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return provider.get_tracer("clues")
