"""Every request watched: an id, a line in the log, figures, and a span where traces are wanted."""

from __future__ import annotations

import asyncio
import random
import secrets
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import metrics
from serving.logs import flush_lines, tell_request

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

log = structlog.get_logger()
UNKNOWN = "-"


class Watched:
    """Outermost. The reply carries `x-request-id`; the caller's own is not taken over, for it may
    be anything.
    """

    def __init__(self, app: ASGIApp, tracer: Tracer | None = None) -> None:
        self.app, self.tracer = app, tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, request_id, status = perf_counter(), secrets.token_hex(8), 500
        structlog.contextvars.bind_contextvars(request_id=request_id)

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                message = {**message, "headers": headers}
            await send(message)

        span: Any = self.tracer.start_span(scope["method"]) if self.tracer else None
        try:
            await self.app(scope, receive, told)
        finally:
            seconds, route = perf_counter() - began, route_of(scope)
            method = scope["method"] if route != UNKNOWN else UNKNOWN
            metrics.requests.labels(route, method, str(status)).inc()
            metrics.request_seconds.labels(route).observe(seconds)
            log.info(
                "request", method=method, route=route, status=status, seconds=round(seconds, 6)
            )
            if span is not None:
                span.update_name(f"{method} {route}")
                span.set_attributes({"http.route": route, "http.response.status_code": status})
                span.end()
            structlog.contextvars.unbind_contextvars("request_id")


class Answered:
    """The same of requests of one route that were answered before they came here, with 200."""

    def __init__(self, route: str, method: str, tracer: Tracer | None = None) -> None:
        self._route, self._method, self._tracer = route, method, tracer
        self._count = metrics.requests.labels(route, method, "200")
        self._seconds = metrics.request_seconds.labels(route)
        self._flushes = False

    def note(self, seconds: float, request_id: str) -> None:
        """One request, just answered. Requests answered in one turn of the loop are logged by one
        write of their lines."""
        self._count.inc()
        self._seconds.observe(seconds)
        tell_request(self._method, self._route, 200, seconds, request_id)
        if not self._flushes:
            self._flushes = True
            asyncio.get_running_loop().call_soon(self._flush)
        if self._tracer is not None:
            now = time_ns()
            span = self._tracer.start_span(
                f"{self._method} {self._route}",
                start_time=now - int(seconds * 1e9),
                attributes={"http.route": self._route, "http.response.status_code": 200},
            )
            span.end(now)

    def _flush(self) -> None:
        self._flushes = False
        flush_lines()


def new_request_id() -> str:
    """For who answers thousands a second: requests are told apart by it, and it is not secret."""
    return f"{random.getrandbits(64):016x}"


def route_of(scope: Scope) -> str:
    """The template of the route that answered; `-` where none did."""
    return str(getattr(scope.get("route"), "path", UNKNOWN))
